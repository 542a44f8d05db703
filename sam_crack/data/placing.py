"""Where the next crop looks: on foreground, on what is easily mistaken for it, or anywhere."""

from __future__ import annotations

import cv2
import numpy as np

from sam_crack.config.schema import DataConfig
from sam_crack.data.resample import Matrix, View
from sam_crack.data.sources import CELL, Cells, FrameSource

Rng = np.random.Generator
_TRIES = 4
_HARDEST = 0.1  # largest share of a frame's free squares that hard crops are placed on


def place_crop(frame: FrameSource, window: tuple[int, int], config: DataConfig, rng: Rng) -> View:
    """Choose a view of a frame: scale, turn and perspective first, then the place."""
    low, high = config.scale
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    upright = View.upright(0, 0, window, scale)
    bent = _bend(upright, config, rng) if rng.random() < config.bend_share else upright
    on_foreground, on_hard = rng.random(2) < (config.foreground_share, config.hard_share)
    pick = rng.random(3)
    if on_foreground and frame.num_foreground:
        number = int(pick[0] * frame.num_foreground)
        return _onto(bent, frame.foreground(number), frame.size, rng)
    spot = _hard_spot(frame.cells, frame.size, pick) if on_hard else None
    if spot is None:
        return _anywhere(bent, frame.size, rng)
    tries = [_onto(bent, spot, frame.size, rng) for _ in range(_TRIES)]
    return next((view for view in tries if _is_free(view, frame.cells)), tries[0])


def _bend(view: View, config: DataConfig, rng: Rng) -> View:
    """Turn a view around its middle and move each of its corners."""
    corners = view.corners()
    middle, extent = corners.mean(0), np.ptp(corners, axis=0)
    angle = np.deg2rad(rng.uniform(-config.rotate, config.rotate))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (corners - middle) @ turn.T + middle
    moved += rng.uniform(-config.perspective, config.perspective, (4, 2)) * extent
    height, width = view.size
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix: Matrix = cv2.getPerspectiveTransform(flat, moved.astype(np.float32))
    return View(matrix, view.size)


def _onto(view: View, point: tuple[int, int], size: tuple[int, int], rng: Rng) -> View:
    """Move a view so that a random one of its places shows the point (y, x), within the frame."""
    place = rng.random((1, 2)) * view.size[::-1]
    target = np.array([point[1] + 0.5, point[0] + 0.5])
    dx, dy = target - view.points(place)[0]
    settled = _settle(view.shifted(dy, dx), size)
    if view.is_upright or _shows(settled, target):
        return settled
    straight = View.upright(0, 0, view.size, 1 / view.shrinkage())
    dx, dy = target - straight.points(place)[0]
    return _settle(straight.shifted(dy, dx), size)


def _shows(view: View, target: Matrix) -> bool:
    """Whether a point (x, y) of the frame lies inside the crop."""
    x, y, w = np.linalg.inv(view.matrix) @ (*target, 1.0)
    return bool(0 <= x / w < view.size[1] and 0 <= y / w < view.size[0])


def _settle(view: View, size: tuple[int, int]) -> View:
    """Move a view into the frame, or, where it is larger, so that it holds all of the frame."""
    if view.is_upright:
        top, left, *extent = view.box()
        rooms = [side - wanted for side, wanted in zip(size, extent, strict=True)]
        top, left = (
            min(max(at, min(0, room)), max(0, room))
            for at, room in zip((top, left), rooms, strict=True)
        )
        return View.upright(top, left, view.size, 1 / float(view.matrix[0, 0]))
    corners = view.corners()
    low, high = corners.min(0), corners.max(0)
    room = np.array(size[::-1]) - (high - low)
    dx, dy = np.clip(low, np.minimum(0, room), np.maximum(0, room)) - low
    return view.shifted(dy, dx)


def _anywhere(view: View, size: tuple[int, int], rng: Rng) -> View:
    """Place a view at random; a frame smaller than it lies anywhere inside."""
    at = rng.random(2)
    if view.is_upright:
        _, _, *extent = view.box()
        rooms = [side - wanted for side, wanted in zip(size, extent, strict=True)]
        top, left = (
            min(0, room) + int(share * (abs(room) + 1))
            for share, room in zip(at, rooms, strict=True)
        )
        return View.upright(top, left, view.size, 1 / float(view.matrix[0, 0]))
    corners = view.corners()
    low, extents = corners.min(0), np.ptp(corners, axis=0)
    room = np.array(size[::-1]) - extents
    dx, dy = np.minimum(0, room) + at * np.abs(room) - low
    return view.shifted(dy, dx)


def _hard_spot(cells: Cells, size: tuple[int, int], pick: Matrix) -> tuple[int, int] | None:
    """Choose a point in one of the hardest free squares; None where no square is free."""
    free = np.flatnonzero(cells.hard)
    if not free.size:
        return None
    scores = cells.hard.ravel()[free]
    number = max(1, round(_HARDEST * free.size))
    order = np.argsort(-scores.astype(np.int16), kind="stable")[:number]
    hardest = free[order[2 * scores[order].astype(np.int16) >= scores[order[0]]]]
    row, column = divmod(int(hardest[int(pick[0] * hardest.size)]), cells.hard.shape[1])
    y, x = row * CELL + int(pick[1] * CELL), column * CELL + int(pick[2] * CELL)
    return min(y, size[0] - 1), min(x, size[1] - 1)


def _is_free(view: View, cells: Cells) -> bool:
    """Whether no square that a view touches holds foreground."""
    top, left, height, width = view.box()
    rows = slice(max(0, top) // CELL, max(0, top + height - 1) // CELL + 1)
    columns = slice(max(0, left) // CELL, max(0, left + width - 1) // CELL + 1)
    return not bool(cells.filled[rows, columns].any())
