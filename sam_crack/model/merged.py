"""A merged model in one safetensors file: SAM with the adapters folded in, head and description.

SAM's tensors have SAM's names. The head's carry a prefix, so that whoever wants SAM alone leaves
them out; the description is in the header, sealed, with a hash of all tensors.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sam_crack import __version__
from sam_crack.adapt.store import PICKLES
from sam_crack.config.schema import AdapterConfig
from sam_crack.config.values import plain
from sam_crack.errors import BadInput
from sam_crack.model.description import (
    CheckpointMeta,
    broken,
    meta_to_json,
    parse_description,
    read_config,
    read_meta,
    seal,
)
from sam_crack.model.segmenter import Segmenter, build_segmenter, fingerprint

FORMAT = "sam-crack merged 1"
HEAD = "sam_crack.head."
KEY = "sam_crack"
"""Name of the description among the header's entries."""


def is_merged(path: Path) -> bool:
    """Whether a path is a file of tensors, and not a folder."""
    return path.suffix.lower() in (".safetensors", *PICKLES) and path.is_file()


def head_state(segmenter: Segmenter) -> dict[str, Tensor]:
    """Return copies of the head's tensors under the names that the file gives them."""
    state = segmenter.head.state_dict()
    return {f"{HEAD}{name}": tensor.detach().cpu().clone() for name, tensor in state.items()}


def describe(
    segmenter: Segmenter, meta: CheckpointMeta, state: Mapping[str, Tensor]
) -> dict[str, str]:
    """Return the header's entries for the tensors of a merged model."""
    body: dict[str, object] = {
        "format": FORMAT,
        "base": segmenter.config.backbone.name,
        "config": plain(segmenter.config),
        "meta": meta_to_json(meta),
        "versions": {"sam_crack": __version__, "torch": version("torch")},
        "tensors_sha256": fingerprint(state),
    }
    return {"format": "pt", KEY: json.dumps(body | {"sha256": seal(body)})}


def load_merged(
    path: Path, *, device: torch.device | str = "cpu"
) -> tuple[Segmenter, CheckpointMeta]:
    """Build the model that a merged file holds; it needs no base weights."""
    if path.suffix.lower() in PICKLES:
        raise BadInput(
            f"{path}: holds SAM alone, or nothing of ours",
            "a .safetensors file that `sam-crack merge` wrote, or a checkpoint folder",
            "merge to .safetensors",
        )
    header, state = _read(path)
    if KEY not in header:
        raise BadInput(
            f"{path}: its header tells no head and no threshold",
            "a .safetensors file that `sam-crack merge` wrote",
            "merge the checkpoint again",
        )
    body = parse_description(header[KEY].encode(), path, FORMAT)
    config = read_config(path, body)
    meta = read_meta(path, body, config.head)
    if body.get("tensors_sha256") != fingerprint(state):
        raise broken(path, "not the tensors that were written", "the file as it was merged")
    head = {name[len(HEAD) :]: state.pop(name) for name in [*state] if name.startswith(HEAD)}
    plainly = dataclasses.replace(config, adapter=AdapterConfig(method="head_only"))
    try:
        segmenter = build_segmenter(plainly, state=state)
        segmenter.head.load_state_dict(head)
    except (RuntimeError, KeyError) as error:
        raise broken(path, "its tensors are not those of its description", str(error)) from error
    return segmenter.eval().to(device), meta


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return a file's header entries and its tensors."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = file.keys()
            return file.metadata() or {}, {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise broken(path, str(error), "a complete safetensors file") from error
