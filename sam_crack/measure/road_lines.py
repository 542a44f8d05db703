"""The centre lines of a crack on the road, cut into short pieces that know length and width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.centreline import Line
from sam_crack.measure.road_camera import RoadCamera

Float = NDArray[np.float64]
PIECE_M = 0.1
REACH_M = 25.0
"""Pieces further ahead are left out: a pixel down the frame is a sixth of a metre there."""


@dataclass(frozen=True, eq=False)
class RoadLine:
    """One branch on the road; a piece lies between two neighbouring points."""

    points: Float
    """(n, 2) metres right of the camera and ahead of it."""
    lengths_mm: Float
    """(n - 1,) along the crack: the windings inside a piece count."""
    widths_mm: Float
    """(n - 1,) mean width across the crack."""

    @property
    def middles(self) -> Float:
        """(n - 1, 2) the middle of every piece."""
        middles: Float = (self.points[1:] + self.points[:-1]) / 2
        return middles

    def row(self) -> list[list[float]]:
        """Return it as JSON: columns right, ahead (m), length, width (mm); the first has none."""
        sizes = np.stack([self.lengths_mm, self.widths_mm], axis=1)
        table = np.concatenate([self.points, np.concatenate([np.zeros((1, 2)), sizes])], axis=1)
        rows: list[list[float]] = table.round(3).tolist()
        return rows

    @classmethod
    def from_row(cls, row: Sequence[Sequence[float]]) -> RoadLine:
        """Read what `row` returned."""
        table = np.array(row, dtype=np.float64).reshape(-1, 4)
        return cls(table[:, :2], table[1:, 2], table[1:, 3])


def lay_on_road(
    lines: Sequence[Line], camera: RoadCamera, *, width_mm: float, reach_m: float = REACH_M
) -> tuple[RoadLine, ...]:
    """Project the lines of one crack to the road, as far as they lie within reach.

    Args:
        lines: Its branches in the frame.
        camera: Made for the frame's size.
        width_mm: Mean of the crack, for a branch too short for a width of its own.
        reach_m: How far ahead.
    """
    seen = _projected(lines, camera)
    laid = [_laid(one, width_mm, reach_m) for one in seen]
    return tuple(part for line in laid for part in _within(line, reach_m))


@dataclass(frozen=True, eq=False)
class _Seen:
    """One branch projected to the road."""

    corners: Float
    spots: Float
    """(k, 2) where the width was taken."""
    run: Float
    """(k,) metres of road per two pixels of line."""
    widths_mm: Float


def _projected(lines: Sequence[Line], camera: RoadCamera) -> list[_Seen]:
    """Project everything at once: a field of cracks has hundreds of branches."""
    corners = camera.to_ground(np.concatenate([line.corners for line in lines]))
    places = np.concatenate([line.places for line in lines])
    tangents = np.concatenate([line.tangents for line in lines])
    sides = [line.edges() for line in lines]
    first, last = (np.concatenate([side[i] for side in sides]) for i in (0, 1))
    spots, first, last, ahead, back = camera.to_ground(
        np.stack([places, first, last, places + tangents, places - tangents])
    )
    chord, course = last - first, ahead - back
    run = np.linalg.norm(course, axis=1)
    across = np.abs(chord[:, 0] * course[:, 1] - chord[:, 1] * course[:, 0])
    with np.errstate(invalid="ignore", divide="ignore"):
        widths = 1000 * across / run
    at = np.cumsum([len(line.corners) for line in lines])[:-1]
    cuts = np.cumsum([len(line.places) for line in lines])[:-1]
    columns = (np.split(corners, at), *(np.split(v, cuts) for v in (spots, run, widths)))
    return [_Seen(*parts) for parts in zip(*columns, strict=True)]


def _laid(seen: _Seen, width_mm: float, reach_m: float) -> RoadLine | None:
    """Cut a branch into pieces of equal length."""
    # far beyond the reach a single pixel is longer than all that counts
    near = np.isfinite(seen.corners).all(axis=1) & (seen.corners[:, 1] < 4 * reach_m)
    corners = seen.corners[near]
    if len(corners) < 2 or corners[:, 1].min() > reach_m:
        return None
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    total = float(arc[-1])
    if total <= 0:
        return None
    at = np.linspace(0.0, total, max(1, round(total / PIECE_M)) + 1)
    points = np.stack([np.interp(at, arc, corners[:, axis]) for axis in (0, 1)], axis=1)
    lengths = np.full(len(points) - 1, 1000 * total / (len(points) - 1))
    laid = RoadLine(points, lengths, np.full(len(lengths), width_mm))
    return RoadLine(points, lengths, _widths(seen, laid))


def _widths(seen: _Seen, laid: RoadLine) -> Float:
    """Mean of the widths taken along each piece; a piece without any takes its neighbours'."""
    good = np.isfinite(seen.widths_mm) & np.isfinite(seen.spots).all(axis=1)
    if not good.any():
        return laid.widths_mm
    gaps = seen.spots[good][:, None] - laid.middles[None]
    piece = np.einsum("ijk,ijk->ij", gaps, gaps).argmin(axis=1)
    run = seen.run[good]
    weight = np.bincount(piece, run, len(laid.middles))
    total = np.bincount(piece, run * seen.widths_mm[good], len(laid.middles))
    known = np.flatnonzero(weight > 0)
    found: Float = np.interp(np.arange(len(weight)), known, total[known] / weight[known])
    return found


def _within(line: RoadLine | None, reach_m: float) -> list[RoadLine]:
    """Keep the pieces within reach; a line that leaves and comes back becomes two."""
    if line is None:
        return []
    near = line.middles[:, 1] <= reach_m
    edges = np.flatnonzero(np.diff(near.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    return [
        RoadLine(line.points[a : b + 1], line.lengths_mm[a:b], line.widths_mm[a:b])
        for a, b in edges.tolist()
    ]
