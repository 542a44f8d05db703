"""At which scale a frame is shown to the model, and how its answer comes back to pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.config.fields import HIGHEST_SCALE, LOWEST_SCALE
from sam_crack.errors import UsageError

Kind = Literal["own", "factor", "camera", "strips", "calibrate", "auto"]
Levels = TypeVar("Levels", NDArray[np.uint8], NDArray[np.uint16])

GRID = tuple(2.0 ** (half / 2) for half in range(-4, 4))
"""Factors that are tried where one is to be found: half octaves from a quarter to 2.8."""
FEWEST_PX, MOST_PX = 96, 2560
"""To find a scale, no frame is shrunk below a shorter side of the first, or enlarged beyond a
longer side of the second."""


@dataclass(frozen=True, kw_only=True)
class ScaleChoice:
    """How the scale is decided, as the user wrote it."""

    kind: Kind
    factor: float = 1.0
    """The factor, where it was named."""
    folder: Path | None = None
    """Labelled frames, where they decide."""


def parse_scale(text: str) -> ScaleChoice:
    """Read `own`, FACTOR, `camera`, `camera:strips`, `calibrate:FOLDER` or `auto`."""
    kind, _, rest = text.partition(":")
    match kind, rest:
        case "own" | "auto" | "camera", "":
            return ScaleChoice(kind=kind)
        case "camera", "strips":
            return ScaleChoice(kind="strips")
        case "calibrate", folder if folder:
            return ScaleChoice(kind="calibrate", folder=Path(folder).expanduser())
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if LOWEST_SCALE <= factor <= HIGHEST_SCALE:
        return ScaleChoice(kind="factor", factor=factor)
    raise UsageError(
        f"scale {text!r}",
        f"own, a factor from {LOWEST_SCALE:g} to {HIGHEST_SCALE:g}, `camera`, `camera:strips`, "
        "`calibrate:FOLDER` or `auto`",
        "to look at frames at half their size write --scale 0.5",
    )


def scaled_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Height and width after resizing; never less than one pixel."""
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width


def grid_for(size: tuple[int, int], grid: tuple[float, ...] = GRID) -> tuple[float, ...]:
    """Return those factors of a grid that are tried for frames of a size; 1 is always one."""
    least, most = min(1.0, FEWEST_PX / min(size)), max(1.0, MOST_PX / max(size))
    return tuple(each for each in grid if least <= each <= most)


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring a picture to a height and width; averaged where it shrinks, as in training."""
    if image.shape[:2] == size:
        return image
    how = cv2.INTER_AREA if size[0] * size[1] < image.shape[0] * image.shape[1] else None
    flag = cv2.INTER_LINEAR if how is None else how
    return np.asarray(cv2.resize(image, size[::-1], interpolation=flag), np.uint8)


def resize_levels(levels: Levels, size: tuple[int, int]) -> Levels:
    """Bring probability levels to a height and width; averaged where they shrink."""
    if levels.shape == size:
        return levels
    shrinks = size[0] * size[1] < levels.shape[0] * levels.shape[1]
    flag = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: Any = cv2.resize(levels, size[::-1], interpolation=flag)
    return np.asarray(resized, levels.dtype)


def resize_classes(classes: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring class indices to a height and width; none is ever mixed from two."""
    flag = cv2.INTER_NEAREST_EXACT
    return np.asarray(cv2.resize(classes, size[::-1], interpolation=flag), np.uint8)
