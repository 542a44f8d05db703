"""What goes into a predictor and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam_crack.infer.gate import Gate

Image = NDArray[np.uint8]
"""RGB (height, width, 3)."""


@dataclass(frozen=True, eq=False)
class Gated:
    """An image and how much each place of it counts, which is then not asked of `road`."""

    image: Image
    gate: Gate | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What the model says about one frame."""

    prob: NDArray[np.uint8]
    """(height, width) foreground probability in 256 levels; 0 where nothing was looked at."""
    mask: NDArray[np.bool_]
    """(height, width) probability at or above the threshold."""
    windows: int
    """Windows that passed the model."""
    seconds: Mapping[str, float]
    """Time spent cutting, in the model, stitching; a batch's time is shared by its windows."""
    deep_prob: NDArray[np.uint16] | None = None
    """The probability in 65536 levels, where it was asked for."""
    classes: NDArray[np.uint8] | None = None
    """(height, width) most probable class index; None where a single logit says all there is."""
    rim: NDArray[np.uint8] | None = None
    """(height, width) probability of a border between objects in 256 levels, from a model that was
    taught borders; what `measure.instances.split_instances` wants beside `prob`."""
    gate: Gate | None = None
    """How much each place counted; None where all did."""
