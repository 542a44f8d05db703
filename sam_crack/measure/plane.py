"""A road seen through points of it: four marked places give the plane, and no lens is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.errors import BadInput
from sam_crack.measure.road_camera import sampling_distance, scale_between

Float = NDArray[np.float64]
RoadPoint = tuple[float, float, float, float]
NUM_POINTS = 4
MISS_SHARE = 0.01
"""Of the frame's width: road points that miss by more than this do not lie on one plane."""
CORNERS = "take the corners of a rectangle, such as two ends of both lane marks"
FLAT = 0.01
"""Three points whose triangle is lower than this share of its base lie on one line."""


@dataclass(frozen=True, kw_only=True)
class PlaneCamera:
    """The homography between a frame and the road. Needs no focal length and knows no lens."""

    size: tuple[int, int]
    """Frame height and width in pixels."""
    points: tuple[RoadPoint, ...]
    """Four or more: row, column, metres right of the camera, metres ahead of it."""

    def __post_init__(self) -> None:
        """Refuse points that no road seen from above can have."""
        table = self._table
        if len(table) < NUM_POINTS:
            raise BadInput(
                f"{len(table)} road points", f"{NUM_POINTS} or more", "mark more of the road"
            )
        for name, places in (("pixels", table[:, :2]), ("metres", table[:, 2:])):
            _check_spread(name, places)
        homogeneous = np.column_stack([table[:, 2:], np.ones(len(table))]) @ self._matrix.T
        if (homogeneous[:, 2] <= 0).any():
            raise BadInput(
                "road points with the horizon between them",
                "points below the horizon, each with its own metres",
                "check the order of the points: one of them has another's metres",
            )
        if np.linalg.det(self._matrix) >= 0:
            raise BadInput(
                "road points that show the road mirrored",
                "metres to the right and metres ahead, in this order",
                "check the signs: left of the camera is negative",
            )
        miss_px = float(np.linalg.norm(self.to_pixels(table[:, 2:]) - table[:, :2], axis=1).max())
        if miss_px > MISS_SHARE * self.size[1]:
            raise BadInput(
                f"road points that miss one plane by {miss_px:.0f} px",
                f"at most {MISS_SHARE * self.size[1]:.0f} px",
                "check each point's row, column and metres",
            )

    @cached_property
    def _table(self) -> Float:
        return np.array(self.points, dtype=np.float64).reshape(-1, 4)

    @cached_property
    def _matrix(self) -> Float:
        """(3, 3) from (x, z, 1) to (column, row, 1); its third coordinate is positive in front."""
        ground, to_unit = _unit(self._table[:, 2:])
        pixels, to_own = _unit(self._table[:, 1::-1])
        matrix, _ = cv2.findHomography(ground, pixels, 0)
        if matrix is None or abs(np.linalg.det(matrix)) < 1e-9:
            raise BadInput(
                "road points without a plane",
                "four road points, no three of them on a line",
                CORNERS,
            )
        found: Float = np.linalg.inv(to_own) @ np.asarray(matrix, np.float64) @ to_unit
        return found

    @cached_property
    def _inverse(self) -> Float:
        """(3, 3) from pixels to the road; its third coordinate is positive below the horizon."""
        return np.asarray(np.linalg.inv(self._matrix), np.float64)

    @property
    def words(self) -> str:
        """What it is, in a few words for a report."""
        height, width = self.size
        return f"the plane of {len(self.points)} road points at {height} x {width}"

    def to_pixels(self, ground_xz: ArrayLike) -> Float:
        """Project ground points (..., 2) as (x, z) to pixels (..., 2) as (y, x); NaN if unseen."""
        return _mapped(self._matrix, np.asarray(ground_xz, dtype=np.float64))[..., ::-1]

    def to_ground(self, pixels_yx: ArrayLike) -> Float:
        """Find pixels (..., 2) as (y, x) on the road: (..., 2) as (x, z); NaN above the horizon."""
        return _mapped(self._inverse, np.asarray(pixels_yx, dtype=np.float64)[..., ::-1])

    def millimetres_per_pixel(self, pixels_yx: ArrayLike) -> Float:
        """Ground sampling distance (..., 2): mm per pixel down the frame and across it."""
        return sampling_distance(self, pixels_yx)

    def resized(self, size: tuple[int, int]) -> PlaneCamera:
        """Return the same plane for frames of another size but the same shape."""
        scale = scale_between(self.size, size)
        points = tuple(
            ((y + 0.5) * scale - 0.5, (x + 0.5) * scale - 0.5, right, ahead)
            for y, x, right, ahead in self.points
        )
        return replace(self, size=size, points=points)

    def as_json(self) -> dict[str, object]:
        """Return what camera.json holds."""
        return {"size": list(self.size), "points": [list(point) for point in self.points]}


def _unit(places: Float) -> tuple[Float, Float]:
    """Move places around the origin, at a distance of about one; and the matrix that does it.

    The middle of what was marked lies in front of the camera: there, never at the origin of the
    metres, OpenCV may set the third coordinate to one.
    """
    middle = places.mean(axis=0)
    size = float(np.abs(places - middle).max()) or 1.0
    matrix = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, size]]) / size
    return (places - middle) / size, matrix


def _mapped(matrix: Float, points: Float) -> Float:
    """Apply a homography to (..., 2); NaN where the third coordinate is not positive."""
    found = points @ matrix[:, :2].T + matrix[:, 2]
    third = np.where(found[..., 2:] > 1e-9, found[..., 2:], np.nan)
    mapped: Float = found[..., :2] / third
    return mapped


def _check_spread(name: str, places: Float) -> None:
    """Refuse four points of which three lie on a line, and more that all do."""
    groups = combinations(range(len(places)), 3) if len(places) == NUM_POINTS else ()
    for group in (*groups, tuple(range(len(places)))):
        some = places[list(group)]
        spread = np.linalg.svd(some - some.mean(axis=0), compute_uv=False)
        if spread[1] <= FLAT * spread[0]:
            raise BadInput(
                f"road points {', '.join(str(1 + i) for i in group[:4])} on one line ({name})",
                "four points of which no three lie on a line",
                CORNERS,
            )
