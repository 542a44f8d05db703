"""The folder of a training run: made, or found again and gone on with as the run that it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from sam_crack.config.load import leaves, load_config, value_at
from sam_crack.config.runs import CONFIG, HEADER, new_run_folder, write_run_header
from sam_crack.config.schema import RunConfig
from sam_crack.config.verbs import TrainOptions
from sam_crack.console import Console
from sam_crack.errors import BadInput, SamCrackError, UsageError
from sam_crack.studies.training.start import BegunFrom, look_at
from sam_crack.train.kept import IDLE, SHARES, last_state
from sam_crack.train.state import STATES, saved_steps
from sam_crack.train.tracking import METRICS

RUNS = Path("runs")


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where a run stands before its first step."""

    afresh: bool = True
    """Whether it begins at step 0."""
    begun_from: BegunFrom | None = None
    """Trained weights that it began from, now or then."""
    write_header: Callable[[], None] = lambda: None
    """Writes what the run is, where that differs from what was written."""


def agreed_folder(
    options: TrainOptions, config: RunConfig, processes: PartialState, console: Console
) -> Path:
    """Let one process choose the run folder, and tell the others."""
    chosen = [_folder(options, config, console) if processes.is_main_process else None]
    folder = broadcast_object_list(chosen)[0] if processes.num_processes > 1 else chosen[0]
    assert isinstance(folder, Path)
    return folder


def begin(
    folder: Path,
    options: TrainOptions,
    config: RunConfig,
    *,
    given: BegunFrom | None,
    processes: PartialState,
    console: Console,
) -> Beginning:
    """Write what a new run is; refuse to go on with a run otherwise than it began."""
    write = partial(write_run_header, folder, config, sys.argv)
    if options.resume is None or not (folder / CONFIG).is_file():
        if processes.is_main_process:
            _need_unused(folder)
            write(begun_from=given)
        return Beginning(begun_from=given)
    changed = _changed(folder, config, allowed=options.allow_changes)
    noted = then = _noted_start(folder, console)
    saved = last_state(folder, processes, console)
    if saved is not None:
        kept = saved.facts.get("begun_from")
        noted = kept if isinstance(kept, dict) else then
        other = options.init and str(options.init) != (noted or {}).get("checkpoint")
        if other and processes.is_main_process:
            console.warn(f"--init {options.init} has no effect: the run goes on from its state")
    else:
        if processes.is_main_process:
            console.warn(f"{folder} holds no state to go on from: beginning at step 0")
        noted = given or _need_still_there(noted, config)
    header = (
        partial(write, begun_from=noted) if changed or noted != then else Beginning.write_header
    )
    return Beginning(afresh=saved is None, begun_from=noted, write_header=header)


def _folder(options: TrainOptions, config: RunConfig, console: Console) -> Path:
    """Make the run folder, or find the one to go on with, and say which."""
    if options.out and options.out.resolve() in map(Path.resolve, _data_folders(config)):
        raise UsageError(
            f"--out {options.out} is the folder of the data",
            "a folder of the run's own",
            "choose another --out",
        )
    match options.resume:
        case None:
            return options.out or new_run_folder(RUNS, "train", config.name)
        case "auto":
            found = options.out or _newest(config.name)
            if found is None:
                return new_run_folder(RUNS, "train", config.name)
        case path if not (Path(path) / CONFIG).is_file():
            raise BadInput(
                f"{path}: no such run",
                f"`auto`, or the folder of a run, in which its {CONFIG} lies",
                f"check the path; runs of this name are in {RUNS / 'train' / config.name}-*",
            )
        case path if options.out not in (None, Path(path)):
            raise UsageError(
                f"--out {options.out} with --resume {path}",
                "a run goes on in its own folder",
                "leave --out out, or --resume to begin another run",
            )
        case path:
            found = Path(path)
    if (found / CONFIG).is_file():
        console.say(f"going on with {found}")
    return found


def _data_folders(config: RunConfig) -> list[Path]:
    return [path for path in (config.data.root, *config.data.also.values()) if path is not None]


def _newest(name: str) -> Path | None:
    """The newest run of this name that has a state, else one with a record, else none."""
    numbered = {
        int(number): path
        for path in (RUNS / "train").glob(f"{name}-*")
        if (number := path.name.removeprefix(f"{name}-")).isdigit()
    }
    runs = [numbered[number] for number in sorted(numbered, reverse=True)]
    begun = [run for run in runs if saved_steps(run / STATES)] or [*filter(_has_rows, runs)]
    return begun[0] if begun else None


def _has_rows(run: Path) -> bool:
    return (run / METRICS).is_file() and (run / METRICS).stat().st_size > 0


def _need_unused(folder: Path) -> None:
    """Refuse to begin where another run has begun."""
    if (folder / METRICS).exists() or saved_steps(folder / STATES):
        raise UsageError(
            f"{folder} holds a run already",
            "a new folder, or the same run continued",
            f"add --resume {folder}, or choose another --out",
        )


def _changed(folder: Path, config: RunConfig, *, allowed: bool) -> bool:
    """Whether a run is to go on otherwise than its folder says; what may not change is refused."""
    began = load_config(RunConfig, file=folder / CONFIG)
    changed = [
        name
        for name in leaves(RunConfig)
        if name not in IDLE
        and _resolved(value_at(began, name)) != _resolved(value_at(config, name))
    ]
    # How many crops a step has in all is asked of the state, which knows the processes too.
    refused = [name for name in changed if name not in SHARES]
    if refused and not allowed:
        told = (f"{name} {value_at(began, name)}, not {value_at(config, name)}" for name in refused)
        raise UsageError(
            f"{folder} began with another configuration: {'; '.join(told)}",
            "a run goes on with the settings it began with",
            f"start it with --config {folder / CONFIG}, begin a new run, or add --allow-changes",
        )
    return bool(changed)


def _resolved(value: object) -> object:
    """Return a value with the paths in it as they lie, however they were spelled."""
    match value:
        case Path():
            return value.resolve()
        case dict():
            return {name: _resolved(each) for name, each in value.items()}
        case _:
            return value


def _noted_start(folder: Path, console: Console) -> BegunFrom | None:
    """Return what a run's header says that it began from."""
    try:
        noted = json.loads((folder / HEADER).read_bytes()).get("begun_from")
        return (
            {name: str(noted[name]) for name in ("checkpoint", "weights_sha256")} if noted else None
        )
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        console.warn(
            f"{folder / HEADER} cannot be read ({error}); taken as if begun without --init"
        )
        return None


def _need_still_there(noted: BegunFrom | None, config: RunConfig) -> BegunFrom | None:
    """Refuse to begin again where the weights that a run began from are no longer to be had."""
    if noted is None:
        return None
    try:
        found, why = (
            look_at(Path(noted["checkpoint"]), config.model),
            "which holds other weights now",
        )
    except SamCrackError as error:
        found, why = None, f"which cannot be taken: {error.given}"
    if found != noted:
        raise BadInput(
            f"the run began from {noted['checkpoint']}, {why}",
            f"weights with the sha256 {noted['weights_sha256'][:16]}, as no state is left",
            "restore them, name them with --init, or begin a new run",
        )
    return noted
