"""Outlines to pixels."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput

_MAX_CROSSINGS = 20_000_000


def fill(
    target: NDArray[Any], outline_yx: NDArray[np.float64], value: int, *, corner: bool = False
) -> None:
    """Set the pixels whose centre lies inside an outline (n, 2); one pixel if none does.

    Inside is even-odd, and a centre on an edge belongs to the shape below or right of it, so
    that shapes which share an edge share no pixel.

    Args:
        target: (height, width) array that is drawn on.
        outline_yx: Vertices (y, x); the outline closes by itself.
        value: What is drawn.
        corner: Whether (0, 0) is the corner of the first pixel, as in COCO and CVAT, rather
            than its centre.
    """
    if not len(outline_yx):
        return
    points = outline_yx - 0.5 if corner else outline_yx
    size = np.array(target.shape)
    low = np.maximum(np.floor(points.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)), size - 1).astype(int) + 1
    if (high <= low).any():
        return
    inside = _inside(points - low, (int(high[0] - low[0]), int(high[1] - low[1])))
    if inside.any():
        target[low[0] : high[0], low[1] : high[1]][inside] = value
    else:
        y, x = np.clip(np.rint(points.mean(axis=0)).astype(int), 0, size - 1)
        target[y, x] = value


def _inside(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Count, for every pixel of a box, the edges crossed on the way to it from the left."""
    height, width = size
    (y0, x0), (y1, x1) = points.T, np.roll(points, -1, axis=0).T
    first = np.clip(np.ceil(np.minimum(y0, y1)), 0, height).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(y0, y1)), 0, height).astype(np.int64)
    rows_of_edge = last - first
    total = int(rows_of_edge.sum())
    if total > _MAX_CROSSINGS:
        raise BadInput(
            f"an outline that crosses {total} pixel rows",
            f"at most {_MAX_CROSSINGS}",
            "check the annotation: a real outline crosses each row a few times",
        )
    edge = np.repeat(np.arange(len(points)), rows_of_edge)
    begins = np.cumsum(rows_of_edge) - rows_of_edge
    row = np.arange(total) - begins[edge] + first[edge]
    share = (row - y0[edge]) / (y1[edge] - y0[edge])
    column = np.ceil(x0[edge] + share * (x1[edge] - x0[edge]))
    place = row * (width + 1) + np.clip(column, 0, width).astype(np.int64)
    crossed = np.bincount(place, minlength=height * (width + 1)).reshape(height, width + 1)
    odd: NDArray[np.bool_] = (np.cumsum(crossed[:, :-1], axis=1) & 1).astype(np.bool_)
    return odd


def trace(target: NDArray[Any], points_yx: NDArray[np.float64], value: int) -> None:
    """Draw an open line, one pixel wide; points outside the array are moved to its edge."""
    inside = np.clip(np.floor(points_yx), 0, np.array(target.shape) - 1).astype(int)
    for start, end in pairwise(inside):
        steps = int(np.abs(end - start).max()) + 1
        along = np.linspace(start, end, steps)
        rows, columns = np.rint(along).astype(int).T
        target[rows, columns] = value
