"""Polygons to exact pixel coverage: the area of every pixel that a polygon takes, no sampling.

The signed-area method of font rasterisers: each edge, cut at every pixel border, adds the area to
its right to the pixel it is in and its height to all pixels further right; one running sum along
the rows then gives the covered share. Polygons that share an edge join without a seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Coverage:
    """Covered share of the pixels of a rectangle of the frame; zero outside it."""

    top: int
    left: int
    share: NDArray[np.float32]

    @property
    def window(self) -> tuple[slice, slice]:
        """The rectangle as slices of the frame."""
        height, width = self.share.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def on(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return the coverage of a whole frame."""
        frame = np.zeros(size, np.float32)
        frame[self.window] = self.share
        return frame


def ribbon(left: Float, right: Float) -> Float:
    """Cut the strip between two polylines (n, 2) into n - 1 quadrilaterals (n - 1, 4, 2)."""
    return np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)


def coverage(polygons: Float | Sequence[Float], size: tuple[int, int]) -> Coverage:
    """Rasterise polygons in pixels (y, x), pixel centres at whole numbers; overlaps count once.

    Args:
        polygons: One array (n, corners, 2), or a sequence of (corners, 2); with NaN: left out.
        size: Frame height and width.
    """
    start, end = _edges(polygons)
    if len(start):
        start, end, sign = _clip_rows(start, end, size[0])
    if not len(start):
        return Coverage(0, 0, np.zeros((0, 0), np.float32))
    row, x_from, x_to, height = _cut_rows(start, end, size[1])
    height = height * np.repeat(sign, _row_counts(start, end))
    top, left = int(row.min()), int(max(0, np.floor(min(x_from.min(), x_to.min()))))
    right = int(min(size[1], np.ceil(max(x_from.max(), x_to.max())) + 1))
    if right <= left:
        return Coverage(0, 0, np.zeros((0, 0), np.float32))
    area = np.zeros((int(row.max()) - top + 1, right - left + 2), np.float32)
    _add_pieces(area, (row - top, x_from - left, x_to - left, height))
    np.cumsum(area, axis=1, out=area)
    np.clip(area, 0.0, 1.0, out=area)
    return Coverage(top, left, area[:, : right - left])


def _edges(polygons: Float | Sequence[Float]) -> tuple[Float, Float]:
    """Every edge's two ends, in pixel-border coordinates, all polygons turning the same way."""
    if isinstance(polygons, np.ndarray) and polygons.ndim == 3:
        good = polygons[np.isfinite(polygons).all(axis=(1, 2))] + 0.5
        following = np.roll(good, -1, axis=1)
        twice = (good[..., 0] * following[..., 1] - good[..., 1] * following[..., 0]).sum(axis=1)
        flip = twice < 0  # down its left side, up its right side
        good[flip] = good[flip, ::-1]
        return good.reshape(-1, 2), np.roll(good, -1, axis=1).reshape(-1, 2)
    pairs = [_edges(np.asarray(polygon)[None]) for polygon in polygons]
    if not pairs:
        return np.zeros((0, 2)), np.zeros((0, 2))
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def _clip_rows(start: Float, end: Float, height: int) -> tuple[Float, Float, Float]:
    """Point every edge downwards, keep its part inside the rows, and say which way it ran."""
    down = end[:, 0] > start[:, 0]
    a, b = np.where(down[:, None], start, end), np.where(down[:, None], end, start)
    keep = (b[:, 0] > 0) & (a[:, 0] < height) & (b[:, 0] - a[:, 0] > 1e-9)
    a, b, down = a[keep], b[keep], down[keep]
    slope = (b[:, 1] - a[:, 1]) / (b[:, 0] - a[:, 0])
    y_from, y_to = np.maximum(a[:, 0], 0.0), np.minimum(b[:, 0], float(height))
    first = np.stack([y_from, a[:, 1] + slope * (y_from - a[:, 0])], axis=1)
    last = np.stack([y_to, a[:, 1] + slope * (y_to - a[:, 0])], axis=1)
    return first, last, np.where(down, 1.0, -1.0)


def _row_counts(start: Float, end: Float) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.maximum(np.ceil(end[:, 0]) - np.floor(start[:, 0]), 1).astype(
        np.int64
    )
    return counts


def _cut_rows(
    start: Float, end: Float, width: int
) -> tuple[NDArray[np.int64], Float, Float, Float]:
    """Cut edges at row borders: row, x at both ends (held inside the frame), height."""
    counts = _row_counts(start, end)
    edge = np.repeat(np.arange(len(start)), counts)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    row = np.floor(start[edge, 0]).astype(np.int64) + step
    slope = ((end[:, 1] - start[:, 1]) / (end[:, 0] - start[:, 0]))[edge]
    y_from = np.maximum(start[edge, 0], row)
    y_to = np.maximum(np.minimum(end[edge, 0], row + 1.0), y_from)
    x_from = start[edge, 1] + slope * (y_from - start[edge, 0])
    x_to = start[edge, 1] + slope * (y_to - start[edge, 0])
    held = np.clip(x_from, 0.0, width), np.clip(x_to, 0.0, width)
    return row, held[0], held[1], y_to - y_from


def _add_pieces(
    area: NDArray[np.float32], pieces: tuple[NDArray[np.int64], Float, Float, Float]
) -> None:
    """Cut row pieces at column borders and add what each gives to its pixel and the next."""
    row, x_from, x_to, height = pieces
    low, high = np.minimum(x_from, x_to), np.maximum(x_from, x_to)
    first = np.floor(low).astype(np.int64)
    counts = np.maximum(np.ceil(high).astype(np.int64) - first, 1)
    piece = np.repeat(np.arange(len(row)), counts)
    column = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts) + first[piece]
    begin = np.maximum(low[piece], column)
    stop = np.maximum(np.minimum(high[piece], column + 1.0), begin)
    run = np.maximum((high - low)[piece], 1e-12)
    share = np.where(counts[piece] == 1, 1.0, (stop - begin) / run) * height[piece]
    inside = 0.5 * (begin + stop) - column
    flat = area.reshape(-1)
    index = row[piece] * area.shape[1] + column
    np.add.at(flat, index, (share * (1.0 - inside)).astype(np.float32))
    np.add.at(flat, index + 1, (share * inside).astype(np.float32))
