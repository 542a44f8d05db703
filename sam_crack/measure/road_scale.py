"""How large a pixel is on the road: one figure for a camera, and one for each strip of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.errors import BadInput

Float = NDArray[np.float64]
FEWEST_ROWS = 16
"""Less road than this is no view to take a scale from."""


class Gauge(Protocol):
    """What is asked of a camera here."""

    @property
    def size(self) -> tuple[int, int]:
        """Frame height and width in pixels."""

    def millimetres_per_pixel(self, pixels_yx: ArrayLike) -> Float:
        """Ground sampling distance (..., 2): mm per pixel down the frame and across it."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Rows of a frame that are looked at together."""

    first: int
    """First row."""
    last: int
    """Past the last row."""
    millimetres: float
    """Of road, across one pixel of its middle."""


def road_rows(camera: Gauge) -> tuple[NDArray[np.int64], Float]:
    """Rows that show road in the frame's middle column, from near to far, with mm across a pixel.

    Across, because lines that run ahead are as many pixels wide as this says, and because down the
    frame a pixel far away is metres long.
    """
    height, width = camera.size
    rows = np.arange(height - 1, -1, -1)
    places = np.stack([rows, np.full(height, (width - 1) / 2)], axis=1)
    across = camera.millimetres_per_pixel(places)[:, 1]
    seen = np.isfinite(across) & (across > 0)
    if np.count_nonzero(seen) < FEWEST_ROWS:
        raise BadInput(
            f"a camera that sees road in {np.count_nonzero(seen)} of {height} rows",
            f"a frame with at least {FEWEST_ROWS} rows of road",
            "check camera.json",
        )
    return rows[seen], across[seen]


def millimetres_across(camera: Gauge) -> float:
    """Millimetres of road across one pixel, half-way down the road: the median over its rows."""
    return float(np.median(road_rows(camera)[1]))


def road_strips(camera: Gauge, *, coarsest_mm: float) -> list[Strip]:
    """Cut the road into strips within which a pixel at most doubles, from far to near.

    Where a pixel is coarser than `coarsest_mm`, or a strip would have few rows, nothing is cut any
    more: the last strip reaches up to the horizon.
    """
    rows, across = road_rows(camera)
    strips: list[Strip] = []
    start = 0
    while True:
        coarser = np.flatnonzero(across[start:] > 2 * across[start])
        end = start + int(coarser[0]) if len(coarser) else len(across)
        is_last = len(across) - end < FEWEST_ROWS or across[end] >= coarsest_mm
        # The far one is measured by its nearer part: at the horizon a pixel has no end.
        middle = float(across[(start + end - 1) // 2])
        first = rows[-1] if is_last else rows[end - 1]
        strips.append(Strip(first=int(first), last=int(rows[start]) + 1, millimetres=middle))
        if is_last:
            return strips[::-1]
        start = end
