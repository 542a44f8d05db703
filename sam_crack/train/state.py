"""Saved training states: complete and verified, or not there at all. No pickle anywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sam_crack import durable
from sam_crack.console import Console
from sam_crack.errors import IntegrityError, UsageError

from .sharded import like, whole
from .watch import Watch

STATES = "state"
"""Folder of the states, inside the run folder."""
FORMAT = 1
_NAME = re.compile(r"step-(\d{8})")
_TENSORS = ("trainable", "optimizer", "random", "schedule", "average")
# States of before there was a running mean have none.
_NEEDED = {"state.json", *(f"{name}.safetensors" for name in _TENSORS if name != "average")}


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything that training needs to go on as if it had never stopped."""

    step: int
    """Optimiser steps done."""
    facts: Mapping[str, object]
    """Small values: best score so far, hash of the config, counters."""
    trainable: Mapping[str, Tensor]
    """Trained weights by parameter name."""
    optimizer: Mapping[str, Tensor]
    """Optimiser state, `<parameter name>/<slot>`."""
    random: Mapping[str, Tensor]
    """State of the random number generators of this process."""
    schedule: Mapping[str, Tensor] = field(default_factory=dict)
    """What an adapter that follows a schedule remembers."""
    average: Mapping[str, Tensor] = field(default_factory=dict)
    """Running mean of the trained weights, where the run keeps one."""


def save_state(folder: Path, state: State, *, keep: int = 2) -> Path:
    """Write `folder/step-N`, manifest last; beside it the newest `keep - 1` others stay."""
    final = folder / f"step-{state.step:08d}"
    with durable.new_folder(final) as aside:
        for name in _TENSORS:
            tensors = {key: value.contiguous().cpu() for key, value in getattr(state, name).items()}
            _save_tensors(tensors, aside / f"{name}.safetensors")
        facts = {"format": FORMAT, "step": state.step, "facts": dict(state.facts)}
        (aside / "state.json").write_text(json.dumps(facts, indent=1))
        files = sorted(path for path in aside.iterdir())
        manifest = {
            path.name: {"bytes": path.stat().st_size, "sha256": durable.sha256(path)}
            for path in files
        }
        (aside / "manifest.json").write_text(json.dumps(manifest, indent=1))
    for other in [path for path in saved_steps(folder) if path != final][keep - 1 :]:
        shutil.rmtree(other, ignore_errors=True)
    return final


def _save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write tensors; a full disk is raised as what it is, which safetensors hides in its words."""
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def load_latest(folder: Path, console: Console) -> State | None:
    """Return the newest state that verifies; broken ones are named, and renamed `.broken`."""
    found = saved_steps(folder)
    for path in found:
        try:
            return load_state(path)
        except IntegrityError as error:
            before = path != found[-1]
            way = "falling back to the state before it" if before else "beginning anew"
            console.warn(f"{error}; {way}")
            # Under its own name it would be counted among those that are kept.
            aside = path.with_name(f"{path.name}.broken")
            shutil.rmtree(aside, ignore_errors=True)
            with suppress(OSError):
                path.rename(aside)
    return None


def load_state(path: Path) -> State:
    """Read one state folder; raises IntegrityError where anything differs from its manifest."""
    try:
        manifest = json.loads((path / "manifest.json").read_text())
        for name, facts in manifest.items():
            found = path / name
            if found.stat().st_size != facts["bytes"] or durable.sha256(found) != facts["sha256"]:
                raise _broken(path, f"{name} differs from its manifest")
        if missing := sorted(_NEEDED - manifest.keys()):
            raise _broken(path, f"its manifest does not list {', '.join(missing)}")
        head = json.loads((path / "state.json").read_text())
        Watch(0).load(head["facts"])  # raises where a run could not take them up
        tensors = {
            name: load_file(file) if (file := path / f"{name}.safetensors").name in manifest else {}
            for name in _TENSORS
        }
        return State(step=int(head["step"]), facts=head["facts"], **tensors)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise _broken(path, str(error)) from error


def _broken(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path}: {why}",
        "a state is used only when every file matches its manifest",
        "it is kept aside as .broken; delete it when nothing in it is wanted",
    )


def saved_steps(folder: Path) -> list[Path]:
    """State folders, newest first; half-written and broken ones have other names."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in found if _NAME.fullmatch(path.name)), reverse=True)


def capture(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    step: int,
    facts: Mapping[str, object],
    schedule: Mapping[str, Tensor] | None = None,
    average: Mapping[str, Tensor] | None = None,
) -> State:
    """Take the state out of live objects."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    slots = {
        f"{name}/{slot}": value
        for name, parameter in named.items()
        for slot, value in optimizer.state.get(parameter, {}).items()
    }
    random = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state()
    return State(
        step=step,
        facts=facts,
        trainable={name: whole(parameter.detach()) for name, parameter in named.items()},
        optimizer={name: whole(value) for name, value in slots.items()},
        random=random,
        schedule=schedule or {},
        average={name: whole(mean) for name, mean in (average or {}).items()},
    )


def restore(state: State, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put a state back into live objects; every trainable tensor must be there, and no other."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    own, theirs = (
        {name: tuple(tensor.shape) for name, tensor in each.items()}
        for each in (named, state.trainable)
    )
    odd = sorted(dict(own.items() ^ theirs.items()))
    if odd:
        raise UsageError(
            f"the saved state and this model differ in {len(odd)} tensors, first {odd[0]} "
            f"({_shape(theirs.get(odd[0]))}, not {_shape(own.get(odd[0]))})",
            "a state continues the model that wrote it",
            "use the same config, or start a new run",
        )
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(like(state.trainable[name], parameter))
    optimizer.state.clear()
    for key, value in state.optimizer.items():
        name, slot = key.rsplit("/", 1)
        parameter = named[name]
        # AdamW keeps its step count on the CPU, the moments beside the parameter.
        optimizer.state[parameter][slot] = value if slot == "step" else like(value, parameter)
    torch.set_rng_state(state.random["cpu"])
    if "cuda" in state.random and torch.cuda.is_available():
        torch.cuda.set_rng_state(state.random["cuda"])


def _shape(size: tuple[int, ...] | None) -> str:
    return "none" if size is None else " x ".join(map(str, size)) or "one number"


class FolderLock:
    """Keeps a second run out of a run folder; the system frees it when the process ends."""

    def __init__(self, folder: Path, name: str = "run.lock") -> None:
        """Take the lock of this name or raise UsageError."""
        import fcntl

        folder.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise UsageError(
                f"{folder}: another run is writing here",
                "one run per folder",
                "wait for it, or choose another --out",
            ) from error

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
