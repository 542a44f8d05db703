"""A camera's tilt, height and roll from what is painted on the road: lane marks and cross lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from sam_crack.console import counted
from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.camera_fit import Fit, check_fit

Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Marks:
    """Straight lines of the road, each as two places (y, x) on it, far apart."""

    lanes: Float
    """(n, 2, 2) along the lane."""
    right_m: Float
    """(n,) where they lie to the right, of any origin; NaN where that is not known."""
    across: Float
    """(m, 2, 2) at a right angle to the lane: stop lines, joints; may be none."""

    def with_width(self, lane_m: float, size: tuple[int, int]) -> Marks:
        """Return the marks with the outermost two so many metres apart."""
        _check_lines(self.lanes)
        course = self.lanes[:, 1] - self.lanes[:, 0]
        share = (size[0] - self.lanes[:, 0, 0]) / course[:, 0]  # straight across: never a lane mark
        foot = self.lanes[:, 0, 1] + share * course[:, 1]
        right_m = np.full(len(foot), np.nan)
        right_m[[int(foot.argmin()), int(foot.argmax())]] = 0.0, lane_m
        return replace(self, right_m=right_m)


def fit_lines(marks: Marks, camera: Camera, *, height_m: float | None = None) -> Fit:
    """Find the camera that sees straight marks where they were drawn.

    Marks along the lane meet in one vanishing point, which gives the tilt. The roll needs more: a
    line across the lane, or three marks whose places are known. Without, the camera is taken to
    stand upright.

    Args:
        marks: What was drawn; two or more along the lane.
        camera: Its size, focal length, centre and distortion are kept; lines cannot tell them.
        height_m: Of the lens above the road; else it is found from two known places.
    """
    _check_lines(marks.lanes)
    num_known = int(np.isfinite(marks.right_m).sum())
    if height_m is None and num_known < 2:
        raise BadInput(
            "neither a height nor the places of two marks", "one of the two", "add the lane's width"
        )
    # two places and the height would leave two rolls to choose from, left and right of upright
    has_roll = bool(len(marks.across)) or num_known >= 3
    lanes, across = (
        camera.rays(lines) if len(lines) else np.zeros((0, 2, 3))
        for lines in (marks.lanes, marks.across)
    )
    if not (np.isfinite(lanes).all() and np.isfinite(across).all()):
        raise BadInput(
            "a mark outside the reach of the lens", "places within the frame", "mark it again"
        )
    unknown = _Unknowns(camera=camera, marks=marks, height_m=height_m, has_roll=has_roll)
    start = unknown.start(lanes, across)

    def misses(values: Float) -> Float:
        placed, yaw, right, ahead = unknown.read(values)
        along = np.array([math.sin(yaw), 0.0, math.cos(yaw)])
        aside = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
        below = np.array([0.0, placed.height_m, 0.0])
        away = [
            _away(rays, np.cross(course, below + off[:, None] * other) @ placed.axes.T)
            for rays, course, off, other in (
                (lanes, along, right, aside),
                (across, aside, ahead, along),
            )
        ]
        missed: Float = camera.focal_px * np.concatenate(away).ravel()
        return missed

    found = _solved(misses, start)
    missed = misses(found)
    miss_px = float(np.sqrt(np.mean(missed**2)))
    return Fit(
        camera=check_fit(unknown.read(found)[0], miss_px), miss_px=miss_px, has_roll=has_roll
    )


def _solved(misses: Callable[[Float], Float], start: Float) -> Float:
    found = least_squares(
        misses, start, x_scale="jac", max_nfev=500, ftol=1e-14, xtol=1e-14, gtol=1e-14
    )
    return np.asarray(found.x, np.float64)


def _away(rays: Float, normals: Float) -> Float:
    """Distance of rays (n, 2, 3), at a focal length of one, from the lines of planes (n, 3)."""
    size = np.maximum(np.linalg.norm(normals[:, :2], axis=1), 1e-12)
    away: Float = np.einsum("nij,nj->ni", rays, normals) / size[:, None]
    return away


@dataclass(frozen=True, kw_only=True, eq=False)
class _Unknowns:
    """What is looked for, as one row of numbers and back."""

    camera: Camera
    marks: Marks
    height_m: float | None
    has_roll: bool

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) marks whose place is given."""
        return np.isfinite(self.marks.right_m)

    def start(self, lanes: Float, across: Float) -> Float:
        """Read tilt and turn from the vanishing point, the rest from the road as then seen."""
        x, y = _meeting(lanes[..., :2])
        pitch = math.atan(-y)
        upright = replace(self.camera, height_m=1.0, pitch_deg=math.degrees(pitch), roll_deg=0.0)
        course = np.array([x, y, 1.0]) @ upright.axes
        yaw = math.atan2(course[0], course[2])
        sine, cosine = math.sin(yaw), math.cos(yaw)
        right, ahead = (
            _on_road(rays, upright) @ np.array(axis)
            for rays, axis in ((lanes, (cosine, -sine)), (across, (sine, cosine)))
        )
        height = self.height_m
        if height is None:
            ends = self.marks.right_m[self.known]
            seen = right[self.known]
            height = float(np.ptp(ends)) / max(float(np.ptp(seen)), 1e-6)
        shift = height * right[self.known] - self.marks.right_m[self.known]
        return np.concatenate(
            [
                [pitch, yaw],
                [0.0] if self.has_roll else [],
                [math.log(height)] if self.height_m is None else [],
                [float(shift.mean())] if self.known.any() else [],
                height * right[~self.known],
                height * ahead,
            ]
        )

    def read(self, values: Float) -> tuple[Camera, float, Float, Float]:
        """Return the camera, its turn against the lane, and the places of both kinds of lines."""
        rest = iter(values.tolist())
        pitch, yaw = next(rest), next(rest)
        roll = next(rest) if self.has_roll else 0.0
        height = math.exp(next(rest)) if self.height_m is None else self.height_m
        right = self.marks.right_m.copy()
        if self.known.any():
            right += next(rest)
        right[~self.known] = [next(rest) for _ in range(int((~self.known).sum()))]
        placed = replace(
            self.camera,
            height_m=height,
            pitch_deg=math.degrees(pitch),
            roll_deg=math.degrees(roll),
        )
        return placed, yaw, right, np.array(list(rest))


def _check_lines(lines: Float) -> None:
    """Refuse what gives no vanishing point."""
    if len(lines) < 2:
        raise BadInput(counted(len(lines), "line"), "two or more", "mark both sides of the lane")
    course = lines[:, 1] - lines[:, 0]
    if (np.linalg.norm(course, axis=1) < 1).any():
        raise BadInput("a line of no length", "two places on it, far apart", "mark it again")
    if (course[:, 0] == 0).any():
        raise BadInput(
            "a lane mark that runs straight across the frame",
            "marks along the lane",
            "give what runs across it with --across",
        )


def _meeting(lines: Float) -> tuple[float, float]:
    """Where lines (n, 2, 2) meet, by least squares over their normals."""
    course = lines[:, 1] - lines[:, 0]
    normals = course[:, ::-1] * (1, -1) / np.linalg.norm(course, axis=1, keepdims=True)
    if np.linalg.svd(normals, compute_uv=False)[1] < 1e-2:
        raise BadInput("lines that hardly meet", "marks on both sides of the lane", "add one")
    offsets = (normals * lines[:, 0]).sum(axis=1)
    point = np.linalg.lstsq(normals, offsets, rcond=None)[0]
    return float(point[0]), float(point[1])


def _on_road(rays: Float, camera: Camera) -> Float:
    """Middle (n, 2) as (x, z) of marks on the road below a camera one metre high."""
    world = rays @ camera.axes
    if (world[..., 1] <= 1e-6).any():
        raise BadInput("a mark above the horizon", "places on the road", "mark it nearer")
    middle: Float = (world[..., ::2] / world[..., 1:2]).mean(axis=1)
    return middle
