"""Move picture, classes, instances and flags together, without losing lines one pixel wide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.sample import Sample

Bytes = NDArray[np.uint8]
Matrix = NDArray[np.float64]
_MOST_CLASSES = 8  # a crop with more is a street scene, whose classes are areas
HALF, FULL = 128, 255


@dataclass(frozen=True)
class View:
    """Where a crop looks: a mapping of its points to points of the frame, (x, y) in pixels.

    Points are continuous: the first pixel spans 0 to 1, its centre is 0.5.
    """

    matrix: Matrix
    """(3, 3) homography from crop to frame."""
    size: tuple[int, int]
    """Height and width of the crop."""

    @staticmethod
    def upright(top: float, left: float, size: tuple[int, int], scale: float) -> View:
        """Look straight at the rectangle whose top-left corner this is, enlarged by a factor."""
        matrix = np.array([[1 / scale, 0, left], [0, 1 / scale, top], [0, 0, 1.0]])
        return View(matrix, size)

    @property
    def is_upright(self) -> bool:
        """Whether rows and columns stay rows and columns, at one distance from each other."""
        rest = self.matrix - np.diag(np.diag(self.matrix))
        rest[:2, 2] = 0
        return not rest.any()

    def points(self, crop_points: Matrix) -> Matrix:
        """Map (n, 2) points (x, y) of the crop into the frame."""
        ends = np.c_[crop_points, np.ones(len(crop_points))] @ self.matrix.T
        mapped: Matrix = ends[:, :2] / ends[:, 2:]
        return mapped

    def corners(self) -> Matrix:
        """Return the crop's four corners in the frame, (4, 2) as (x, y)."""
        h, w = self.size
        return self.points(np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64))

    def shifted(self, dy: float, dx: float) -> View:
        """Look elsewhere, by so many pixels of the frame."""
        move = np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1.0]])
        return View(move @ self.matrix, self.size)

    def box(self) -> tuple[int, int, int, int]:
        """Return top, left, height and width of the frame's part that the crop needs."""
        corners = self.corners()
        if self.is_upright:  # its extent must not depend on where it lies
            left, top = np.floor(corners[0] + 0.5)
            width, height = np.floor(np.ptp(corners, axis=0) + 0.5)
        else:  # a pixel more on each side: values are interpolated
            left, top = np.floor(corners.min(0)) - 1
            width, height = np.ceil(corners.max(0)) + 1 - (left, top)
        return int(top), int(left), max(1, int(height)), max(1, int(width))

    def shrinkage(self) -> float:
        """Frame pixels per crop pixel, along one side and averaged over the crop."""
        x, y = self.corners().T
        area = 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
        return float(np.sqrt(area / (self.size[0] * self.size[1])))


def resample(part: Sample, view: View) -> Sample:
    """Turn the part of a frame that `view.box()` names into the crop that the view shows.

    What `part.ignore` marks, among it all outside the frame, is marked in the crop too.
    """
    top, left, height, width = view.box()
    assert part.mask.shape == (height, width)
    if view.is_upright and (height, width) == view.size:
        return part
    smooth, nearest = _samplers(view, (top, left), (height, width))
    ignore = part.ignore if part.ignore is not None else np.zeros(part.mask.shape, np.bool_)
    counts = smooth((~ignore).view(np.uint8) * FULL) >= HALF
    region = part.region
    return replace(
        part,
        image=smooth(part.image),
        mask=resample_labels(part.mask, smooth, nearest),
        instances=nearest(part.instances) if part.instances is not None else None,
        region=smooth(region.view(np.uint8) * FULL) >= HALF if region is not None else None,
        ignore=~counts,
    )


Sampler = Callable[[NDArray], NDArray]  # type: ignore[type-arg]


def _samplers(
    view: View, origin: tuple[int, int], size: tuple[int, int]
) -> tuple[Sampler, Sampler]:
    """Return how values are averaged and how labels are picked, for one view."""
    to = view.size[::-1]
    if view.is_upright:
        how = cv2.INTER_AREA if view.shrinkage() > 1 else cv2.INTER_LINEAR
        return (
            lambda array: cv2.resize(array, to, interpolation=how),
            lambda array: cv2.resize(array, to, interpolation=cv2.INTER_NEAREST_EXACT),
        )
    step = max(1, int(view.shrinkage() + 1e-6))
    rows, columns = -(-size[0] // step) * step, -(-size[1] // step) * step

    def average(array: NDArray) -> NDArray:  # type: ignore[type-arg]
        if step > 1:  # averaged by a whole factor first: interpolation alone skips pixels
            room = [(0, rows - size[0]), (0, columns - size[1]), *[(0, 0)] * (array.ndim - 2)]
            small = (columns // step, rows // step)
            array = cv2.resize(np.pad(array, room), small, interpolation=cv2.INTER_AREA)
        return _warp(array, view, origin, step, cv2.INTER_LINEAR)

    return average, lambda array: _warp(array, view, origin, 1, cv2.INTER_NEAREST)


def _warp(
    array: NDArray,  # type: ignore[type-arg]
    view: View,
    origin: tuple[int, int],
    step: int,
    how: int,
) -> NDArray:  # type: ignore[type-arg]
    """Sample an array that holds every `step`-th pixel of a part that begins at `origin`."""
    top, left = origin
    to_part = np.array([[1 / step, 0, -left / step], [0, 1 / step, -top / step], [0, 0, 1.0]])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # OpenCV counts from pixel centres
    matrix = np.linalg.inv(half) @ to_part @ view.matrix @ half
    flags = how | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(array, matrix, view.size[::-1], flags=flags))


def resample_labels(mask: Bytes, smooth: Sampler, nearest: Sampler) -> Bytes:
    """Resample classes by the area they cover, so that thin ones neither break nor vanish."""
    present = [int(index) for index in np.unique(mask) if index]
    if not present:
        return np.zeros_like(nearest(mask))
    if len(present) > _MOST_CLASSES:
        return np.asarray(nearest(mask), np.uint8)
    covers = [smooth((mask == index).view(np.uint8) * np.uint8(FULL)) for index in present]
    if len(present) == 1:
        return keep_thin(covers[0]).astype(np.uint8) * np.uint8(present[0])
    stack = np.stack(covers).astype(np.int16)
    ground = np.maximum(FULL - stack.sum(0), 0)
    best = np.argmax(np.concatenate([ground[None], stack]), axis=0)
    out: Bytes = np.array([0, *present], np.uint8)[best]
    for index, cover in zip(present, covers, strict=True):
        out[keep_thin(cover) & (out == 0)] = index
    return out


def keep_thin(cover: Bytes) -> NDArray[np.bool_]:
    """Decide from coverage, 0 to 255, which pixels belong to a class.

    Pixels covered by half or more do. So does the crest of what is thinner than a pixel and hence
    nowhere covered by half: the larger of two pixels across it, where both sides fall off.
    """
    out = np.zeros(cover.shape, np.bool_)
    x, y, width, height = cv2.boundingRect(cover)
    if not width:
        return out
    part = cover[y : y + height, x : x + width]
    wide = np.pad(part, 2).astype(np.int16)
    here = wide[2:-2, 2:-2]
    right, left = wide[2:-2, 3:-1], wide[2:-2, 1:-3]
    below, above = wide[3:-1, 2:-2], wide[1:-3, 2:-2]
    # Exactly half: of two such pixels across a line, or at both sides of an area, take one.
    tie = np.abs(here - HALF) <= 1
    core = (here > HALF + 1) | (tie & (right - left + below - above > 0))
    crest = _crest(here, left, right, np.minimum(left, wide[2:-2, :-4]), wide[2:-2, 4:])
    crest |= _crest(here, above, below, np.minimum(above, wide[:-4, 2:-2]), wide[4:, 2:-2])
    out[y : y + height, x : x + width] = core | (crest & (here >= FULL // 8))
    return out


def _crest(
    here: NDArray[np.int16],
    before: NDArray[np.int16],
    after: NDArray[np.int16],
    low_before: NDArray[np.int16],
    far_after: NDArray[np.int16],
) -> NDArray[np.bool_]:
    """Whether a pixel is the highest across a line; of two equal ones, the first."""
    falls = (2 * low_before < here) & (2 * np.minimum(after, far_after) < here)
    crest: NDArray[np.bool_] = (here > before) & (here >= after) & falls
    return crest
