"""The description of a checkpoint, `model.json`: written in full, believed only when it agrees."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sam_crack.config.load import leaves, load_config, shipped_folder
from sam_crack.config.schema import HeadConfig, ModelConfig
from sam_crack.errors import BadInput, IntegrityError, SamCrackError, UsageError
from sam_crack.model.trained_scale import TrainedScale, read_trained_scale

FORMAT = "sam-crack model 1"
DESCRIPTION = "model.json"
IN_RUN = "checkpoint"
"""Where a run folder keeps its checkpoint."""
LARGEST_DESCRIPTION_BYTES = 10_000_000
LARGEST_SIDE_PX = 8192
AGAIN = "copy or fetch the checkpoint again"


@dataclass(frozen=True, kw_only=True)
class CheckpointMeta:
    """What a user of the weights must know beside them."""

    classes: tuple[str, ...]
    """Foreground classes in the order of the logits."""
    threshold: float
    """Probability from which a pixel is foreground, chosen on validation."""
    scale: TrainedScale | None = None
    """How large things were in training; None where nobody noted it."""
    base_sha256: str = ""
    """Fingerprint of the base tensors; saving fills it in."""
    config_hash: str = ""
    """Hash of the run's whole configuration."""
    data_hash: str = ""
    """Hash of the training data."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Scores on validation by name."""
    steps: int = 0
    """Optimiser steps done."""


def find_checkpoint(folder: Path) -> Path:
    """Return the checkpoint folder: the one given, the one in a run folder, or one by its name."""
    if not folder.is_dir():
        bundled = shipped_folder("checkpoints")
        if folder.name == str(folder) and (bundled / folder / DESCRIPTION).is_file():
            return bundled / folder
        names = ", ".join(sorted(path.parent.name for path in bundled.glob(f"*/{DESCRIPTION}")))
        raise BadInput(
            f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}",
            f"a checkpoint folder with its {DESCRIPTION}, the run folder around it, a .safetensors "
            f"of `merge`, or one that comes with the package ({names or 'none does'})",
            "check the path",
        )
    inside = folder / IN_RUN
    is_run = (inside / DESCRIPTION).exists() and not (folder / DESCRIPTION).exists()
    return inside if is_run else folder


def weights_hash(body: Mapping[str, Any]) -> str:
    """Return the hash of all that was trained, whatever a description says beside."""
    return seal(body.get("files") or {})


def seal(body: Mapping[str, object]) -> str:
    """Return the hash of a description without its own hash."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_description(folder: Path) -> dict[str, Any]:
    """Read `model.json` and check that it is of this format and as it was written."""
    path = folder / DESCRIPTION
    try:
        if not path.is_file():
            inside = [home.parent for home in folder.glob(f"*/{IN_RUN}") if home.is_dir()]
            todo = f"did you mean {inside[0]}?" if len(inside) == 1 else "give that folder"
            raise broken(path, "missing", "a checkpoint folder holds it", todo)
        if path.stat().st_size > LARGEST_DESCRIPTION_BYTES:
            raise broken(path, "too large", f"at most {LARGEST_DESCRIPTION_BYTES:,} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise broken(path, str(error.strerror).lower(), "a readable file") from error
    return parse_description(content, path, FORMAT)


def parse_description(content: bytes, path: Path, form: str) -> dict[str, Any]:
    """Check that a description is of a format and as it was written."""
    try:
        body = json.loads(content)
        given = body.pop("sha256", None) if isinstance(body, dict) else None
        own = seal(body)
    except (ValueError, RecursionError) as error:
        raise broken(path, "not valid JSON", "the file as it was written") from error
    if not isinstance(body, dict) or body.get("format") != form:
        found = body.get("format") if isinstance(body, dict) else None
        raise broken(path, f"format {str(found)[:40]!r}", f"{form!r} is read", "update sam-crack")
    if given != own:
        raise broken(path, "changed since it was written", "its own hash must agree")
    return body


def read_config(folder: Path, body: Mapping[str, Any]) -> ModelConfig:
    """Return the model configuration; settings of a later version are refused."""
    flags: dict[str, str] = {}

    def flatten(node: object, prefix: str) -> None:
        if isinstance(node, dict) and prefix.strip(".") not in leaves(ModelConfig):
            for key, value in node.items():
                flatten(value, f"{prefix}{key}.")
        else:
            flags[prefix.strip(".")] = _as_flag(node)

    try:
        flatten(body.get("config"), "")
        config = load_config(ModelConfig, flags=flags)
    except (SamCrackError, RecursionError) as error:
        given = error.given if isinstance(error, SamCrackError) else "config nested too deep"
        raise broken(folder / DESCRIPTION, given, "a model configuration") from error
    if max(config.window) > LARGEST_SIDE_PX:
        given = f"window {list(config.window)}"
        raise broken(folder / DESCRIPTION, given, f"sides of at most {LARGEST_SIDE_PX} px")
    return config


def _as_flag(value: object) -> str:
    """Write a JSON value as a flag would give it, numbers in full."""
    if isinstance(value, list):
        return ",".join(_as_flag(item) for item in value)
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def check_classes(names: Sequence[str], head: HeadConfig) -> None:
    """Refuse names that do not go with the logits; one logit may stand for several classes."""
    if head.num_classes > 1 and len(names) != head.num_classes:
        raise UsageError(
            f"{len(names)} class names for {head.num_classes} classes",
            "each class of the head has one name, in the order of the logits",
            "set model.head.num_classes and data.classes alike",
        )


def read_meta(folder: Path, body: Mapping[str, Any], head: HeadConfig) -> CheckpointMeta:
    """Return the description beside the weights, every value checked."""
    raw = body.get("meta")
    known = {item.name for item in dataclasses.fields(CheckpointMeta)}
    try:
        if not isinstance(raw, dict) or raw.keys() != known:
            raise ValueError("not the known fields")
        metrics = raw["metrics"].items()
        meta = CheckpointMeta(
            classes=tuple(_text(name) for name in _list(raw["classes"])),
            threshold=_number(raw["threshold"], 1),
            scale=read_trained_scale(raw["scale"]),
            base_sha256=_text(raw["base_sha256"]),
            config_hash=_text(raw["config_hash"]),
            data_hash=_text(raw["data_hash"]),
            metrics={name: math.nan if score is None else float(score) for name, score in metrics},
            steps=int(raw["steps"]),
        )
        check_classes(meta.classes, head)
    except (ValueError, TypeError, AttributeError, OverflowError, UsageError) as error:
        reason = f"meta: {' '.join(str(error).split())[:80]}"
        raise broken(folder / DESCRIPTION, reason, "as save_checkpoint writes it") from error
    return meta


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    value.encode()  # half a character from a JSON escape could never be printed
    return value


def _number(value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{value!r} is not a number from 0 to {most:g}")
    return float(value)


def meta_to_json(meta: CheckpointMeta) -> dict[str, object]:
    """Return the fields as JSON holds them; a score that is not a number becomes null."""
    metrics = {
        name: value if math.isfinite(value) else None for name, value in meta.metrics.items()
    }
    return dataclasses.asdict(meta) | {"metrics": metrics}


def broken(path: Path, given: str, accepted: str, todo: str = AGAIN) -> IntegrityError:
    """Compose the error about one file of a checkpoint."""
    printable = f"{path}: {given}".encode(errors="backslashreplace").decode()
    return IntegrityError(printable, accepted, todo)
