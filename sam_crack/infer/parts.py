"""Which rows of a frame are shown to the model at which scale, and how the answers are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sam_crack.infer.scale import Levels, resize_classes, resize_levels
from sam_crack.measure.road_scale import Strip

Size = tuple[int, int]
RAMP = 4
"""Strips meet over one such part of the lower one's height, to either side of their border."""


@dataclass(frozen=True)
class Part:
    """Rows that are resized and looked at together."""

    first: int
    """First row that the model sees."""
    last: int
    """Past the last row that the model sees."""
    factor: float
    """By which they are resized."""
    full: tuple[int, int]
    """First and past-the-last row at which the part counts fully."""
    fades: tuple[int, int]
    """Rows over which it fades out above and below those."""

    def weight(self) -> NDArray[np.float32]:
        """Return the share (last - first,) that the part has in the answer for each of its rows."""
        row = np.arange(self.first, self.last) + 0.5
        (top, bottom), (above, below) = self.full, self.fades
        rise = 1 - (top - row) / above if above else row >= top
        fall = 1 - (row - bottom) / below if below else row <= bottom
        return np.clip(np.minimum(rise, fall), 0, 1).astype(np.float32)


Parts = tuple[Part, ...]


def whole_frame(size: Size, factor: float) -> Parts:
    """Return the one part of a frame that is looked at with a single factor."""
    return (Part(0, size[0], factor, (0, size[0]), (0, 0)),)


def strip_parts(strips: Sequence[Strip], factors: Sequence[float], size: Size) -> Parts:
    """Let strips, from far to near, fade into each other over a few rows around their borders.

    Beyond those rows each sees as many more, so that no answer comes from the edge of a part.
    """
    near = [min(s.last - s.first for s in pair) // RAMP for pair in pairwise(strips)]
    ramps = [0, *near, 0]
    return tuple(
        Part(
            max(0, strip.first - 2 * above),
            min(size[0], strip.last + 2 * below),
            factor,
            (strip.first + above, strip.last - below),
            (2 * above, 2 * below),
        )
        for strip, factor, above, below in zip(strips, factors, ramps, ramps[1:], strict=False)
    )


def join_levels(found: Sequence[Levels], parts: Parts, size: Size) -> Levels:
    """Bring the levels of all parts back to a frame; 0 where no part looks."""
    if len(parts) == 1 and parts[0].full == (0, size[0]):
        return resize_levels(found[0], size)
    total = np.zeros(size, np.float32)
    for levels, part in zip(found, parts, strict=True):
        native = resize_levels(levels, (part.last - part.first, size[1]))
        total[part.first : part.last] += native * part.weight()[:, None]
    return np.asarray(np.rint(total), found[0].dtype)


def join_classes(found: Sequence[NDArray[np.uint8]], parts: Parts, size: Size) -> NDArray[np.uint8]:
    """Bring class indices back to a frame; where parts meet, the one that counts more is right."""
    total, most = np.zeros(size, np.uint8), np.zeros(size[0], np.float32)
    for classes, part in zip(found, parts, strict=True):
        native = resize_classes(classes, (part.last - part.first, size[1]))
        rows, weight = slice(part.first, part.last), part.weight()
        wins = weight > most[rows]
        total[rows][wins], most[rows] = native[wins], np.maximum(weight, most[rows])
    return total
