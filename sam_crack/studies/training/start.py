"""Trained weights that a run begins from: looked at, written down, taken over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from sam_crack.config.schema import ModelConfig
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.model.checkpoint import ADAPTER, load_checkpoint
from sam_crack.model.description import find_checkpoint, read_config, read_description, weights_hash
from sam_crack.model.segmenter import Segmenter


class MisfitError(UsageError):
    """Trained weights belong to another model than the one that would begin with them."""


BegunFrom = Mapping[str, str]
"""`checkpoint`, as it was named, and `weights_sha256`."""


def look_at(folder: Path, model: ModelConfig) -> BegunFrom:
    """Return what is noted of a start; one of another model is refused before anything is made."""
    home = find_checkpoint(folder)
    body = read_description(home)
    _need_alike(folder, _kind(read_config(home, body)), _kind(model))
    return {"checkpoint": str(folder), "weights_sha256": weights_hash(body)}


def start_from(folder: Path, segmenter: Segmenter, console: Console) -> None:
    """Take over the adapters of another run, and of its head whatever fits.

    The window may be another, and so may the classes: what tells those apart then starts afresh.
    """
    other, meta = load_checkpoint(folder)
    theirs, own = (
        _kind(each.config) | {"base weights": each.base_sha256[:12]} for each in (other, segmenter)
    )
    _need_alike(folder, theirs, own)
    segmenter.adapted.load(find_checkpoint(folder) / ADAPTER)
    head = segmenter.head.state_dict()
    fitting = {
        name: tensor
        for name, tensor in other.head.state_dict().items()
        if name in head and head[name].shape == tensor.shape
    }
    segmenter.head.load_state_dict(head | fitting)
    console.say(
        f"starting from {folder}, trained for {meta.steps} steps: its adapters and "
        f"{len(fitting)} of {len(head)} head tensors"
    )


def _kind(model: ModelConfig) -> dict[str, object]:
    """What two models must share for the weights of one to mean anything in the other."""
    found = {f"backbone.{name}": value for name, value in asdict(model.backbone).items()}
    found |= {f"adapter.{name}": value for name, value in asdict(model.adapter).items()}
    return found | {"head.kind": model.head.kind}


def _need_alike(folder: Path, theirs: dict[str, object], own: dict[str, object]) -> None:
    if own == theirs:
        return
    differing = [name for name in own if own[name] != theirs[name]]
    told, wanted = (
        ", ".join(f"{name} {facts[name]}" for name in differing) for facts in (theirs, own)
    )
    raise MisfitError(
        f"{folder} holds another model: {told}, not {wanted}",
        "trained weights fit only the encoder, adapters and head that they were trained in",
        "set the same --model options, or leave --init out",
    )
