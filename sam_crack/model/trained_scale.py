"""The scale that a model works at: what it was shown in training, in figures a frame can match."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

LATER = {"softness_px", "factor"}
"""Fields that checkpoints did not have at first."""


@dataclass(frozen=True, kw_only=True)
class TrainedScale:
    """How large things were in the crops that a model learned from."""

    lowest: float = 1.0
    """Smallest factor by which crops were resized."""
    highest: float = 1.0
    """Largest factor by which crops were resized."""
    width_px: float | None = None
    """Typical width of the labelled lines as crops showed them; None where there are no lines."""
    gsd_mm: float | None = None
    """Millimetres of road across one pixel of a crop, half-way down the road; None where the camera
    was not known."""
    softness_px: float | None = None
    """How soft the labelled lines were as crops showed them, by `measure.softness`; None where
    nobody noted it, or where there are no lines."""
    factor: float = 1.0
    """By what whole frames of the training's camera are best resized, as chosen on validation."""


def read_trained_scale(raw: object) -> TrainedScale | None:
    """Read what a description holds; older ones have fewer figures, a width, or nothing."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        return TrainedScale(width_px=_positive(raw))
    known = set(TrainedScale.__dataclass_fields__)
    if raw.keys() | LATER != known:
        raise ValueError(f"scale: not the fields {', '.join(sorted(known))}")
    read = {name: None if value is None else _positive(value) for name, value in raw.items()}
    lowest, highest = read["lowest"], read["highest"]
    if lowest is None or highest is None or lowest > highest:
        raise ValueError(f"scale from {lowest} to {highest} is no range")
    factor = read.get("factor", 1.0)
    if factor is None:
        raise ValueError("scale: no factor")
    return TrainedScale(
        lowest=lowest,
        highest=highest,
        width_px=read["width_px"],
        gsd_mm=read["gsd_mm"],
        softness_px=read.get("softness_px"),
        factor=factor,
    )


def _positive(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"scale: {value!r} is not a number above 0")
    return float(value)
