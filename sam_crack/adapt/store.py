"""Adapter tensors on disk: safetensors only, every tensor accounted for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from sam_crack import durable
from sam_crack.errors import BadInput, IntegrityError

_AS_WRITTEN = ("the file as it was written", "copy or save the adapter again")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors under their names; the file appears complete or not at all."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    durable.write_bytes(path, save(plain, metadata={"format": "pt"}))


def write_facts(path: Path, facts: Mapping[str, object]) -> None:
    """Write what belongs to the tensors as JSON; the file appears complete or not at all."""
    durable.write_text(path, json.dumps(facts, indent=2, sort_keys=True) + "\n")


def read_facts(path: Path) -> dict[str, object]:
    """Read what `write_facts` wrote."""
    _require(path)
    try:
        facts = json.loads(path.read_text())
    except ValueError as error:
        raise IntegrityError(f"{path}: not JSON ({error})", *_AS_WRITTEN) from None
    if not isinstance(facts, dict):
        raise IntegrityError(f"{path}: not a JSON object", *_AS_WRITTEN)
    return facts


def compare_facts(path: Path, found: Mapping[str, object], own: Mapping[str, object]) -> None:
    """Refuse an adapter that was made with another method or setting."""
    for name, wanted in own.items():
        if found.get(name) != wanted:
            raise IntegrityError(
                f"{path}: {name} is {_short(found.get(name))}",
                f"this model was built with {name} {_short(wanted)}",
                "build the model with the adapter's own configuration",
            )


def read_tensors(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read exactly the expected tensors; a missing, extra, misshapen or non-finite one raises."""
    _require(path)
    try:
        tensors: dict[str, Tensor] = load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise IntegrityError(
            f"{path}: {error}", "a complete safetensors file", "copy or save it again"
        ) from None
    todo = "load it into a model built with the adapter's own configuration"
    for name in sorted(expected.keys() - tensors.keys()):
        raise IntegrityError(f"{path}: no tensor {name}", f"{len(expected)} are needed", todo)
    for name in sorted(tensors.keys() - expected.keys()):
        raise IntegrityError(f"{path}: unknown tensor {name}", f"{len(expected)} are needed", todo)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            given, wanted = list(tensor.shape), list(expected[name].shape)
            raise IntegrityError(f"{path}: {name} has shape {given}", f"it needs {wanted}", todo)
        if not torch.isfinite(tensor).all():
            raise IntegrityError(
                f"{path}: {name} holds NaN or infinity", "finite numbers", "use an earlier save"
            )
    return tensors


def _require(path: Path) -> None:
    if path.is_file():
        return
    pickles = sorted(
        found.name for found in path.parent.glob("*") if found.suffix.lower() in PICKLES
    )
    if pickles:
        raise BadInput(
            f"{path.parent}: {', '.join(pickles)} would be unpickled, which can run any code",
            f"{path.name} is read instead",
            "convert it to safetensors where you trust it",
        )
    raise BadInput(
        f"{path.parent}: no {path.name}",
        "a folder that an adapter was saved to",
        "check the path",
    )


def _short(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 120 else f"{text[:117]}..."


def read_into(
    folder: Path, facts: Mapping[str, object], parameters: Mapping[str, nn.Parameter]
) -> None:
    """Fill parameters from `adapter.json` and `adapter.safetensors` of the same method."""
    described = folder / "adapter.json"
    compare_facts(described, read_facts(described), facts)
    tensors = read_tensors(folder / "adapter.safetensors", parameters)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])
