"""A tuned model as a folder: adapter, head, and a description that must agree with both."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sam_crack import __version__, durable
from sam_crack.adapt.store import PICKLES, read_tensors, write_tensors
from sam_crack.config.values import plain
from sam_crack.errors import IntegrityError
from sam_crack.model.description import (
    DESCRIPTION,
    FORMAT,
    CheckpointMeta,
    broken,
    check_classes,
    find_checkpoint,
    meta_to_json,
    read_config,
    read_description,
    read_meta,
    seal,
)
from sam_crack.model.merged import is_merged, load_merged
from sam_crack.model.segmenter import Segmenter, build_segmenter

HEAD = "head.safetensors"
ADAPTER = "adapter"


def save_checkpoint(segmenter: Segmenter, folder: Path, meta: CheckpointMeta) -> None:
    """Write the trained parts and their description; the folder appears whole or not at all."""
    head = segmenter.head.state_dict()
    check_classes(meta.classes, segmenter.config.head)
    described = dataclasses.replace(meta, base_sha256=segmenter.base_sha256)
    with durable.new_folder(folder) as aside:
        segmenter.adapted.save(aside / ADAPTER)
        write_tensors(aside / HEAD, head)
        body: dict[str, object] = {
            "format": FORMAT,
            "base": segmenter.config.backbone.name,
            "config": plain(segmenter.config),
            "meta": meta_to_json(described),
            "versions": {"sam_crack": __version__, "torch": version("torch")},
            "head": _shapes(head),
            "files": {
                path.relative_to(aside).as_posix(): durable.sha256(path)
                for path in sorted(aside.rglob("*"))
                if path.is_file()
            },
        }
        (aside / DESCRIPTION).write_text(json.dumps(body | {"sha256": seal(body)}, indent=1))


def load_checkpoint(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    state: Mapping[str, Tensor] | None = None,
) -> tuple[Segmenter, CheckpointMeta]:
    """Build the model of a checkpoint folder; whatever does not agree is refused by name.

    Args:
        folder: what `save_checkpoint` wrote, a run folder with one in it, or a merged file.
        device: where the model goes.
        state: base weights; by default those that the checkpoint names.
    """
    if is_merged(folder):
        return load_merged(folder, device=device)
    folder = find_checkpoint(folder)
    body = read_description(folder)
    config = read_config(folder, body)
    meta = read_meta(folder, body, config.head)
    _check_files(folder, body)
    if state is None and config.backbone.pretrained:
        from sam_crack.weights.base import load_base

        state, _ = load_base(config.backbone.name, trust_stamp=True)  # hashed right below
    segmenter = build_segmenter(config, state=state)
    if segmenter.base_sha256 != meta.base_sha256:
        raise IntegrityError(
            f"{folder}: trained on base {meta.base_sha256[:12]}, not {segmenter.base_sha256[:12]}",
            f"adapters fit only the {config.backbone.name} weights that they were trained on",
            "fetch these weights, or train again on the ones you have",
        )
    head = segmenter.head.state_dict()
    if body.get("head") != _shapes(head):
        given = "its list of head tensors is not that of its configuration"
        raise broken(folder / DESCRIPTION, given, f"the {len(head)} tensors of {config.head.kind}")
    segmenter.head.load_state_dict(read_tensors(folder / HEAD, head))
    segmenter.adapted.load(folder / ADAPTER)
    return segmenter.eval().to(device), meta


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, list[int]]:
    return {name: [*tensors[name].shape] for name in sorted(tensors)}


def _check_files(folder: Path, body: Mapping[str, Any]) -> None:
    """Refuse a file that is missing, changed, unlisted beside the adapter, or a pickle."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLES:
            accepted = "a checkpoint holds .safetensors and .json, which cannot run code"
            raise broken(path, "a pickle in a checkpoint", accepted, "remove it if it is not yours")
    listed = body.get("files")
    if not isinstance(listed, dict) or HEAD not in listed:
        raise broken(folder / DESCRIPTION, "no list of files", "every file with its sha256")
    there = {HEAD} | {
        path.relative_to(folder).as_posix()
        for path in (folder / ADAPTER).rglob("*")
        if path.is_file()
    }
    for name in sorted(there | listed.keys()):
        path, accepted = folder / name, "exactly the files that were written"
        if name not in listed:
            raise broken(path, "not listed in model.json", accepted)
        if name not in there or not path.is_file():
            raise broken(path, "missing", accepted)
        if durable.sha256(path) != listed[name]:
            raise broken(path, "not the bytes that were written", f"sha256 {listed[name]}")
