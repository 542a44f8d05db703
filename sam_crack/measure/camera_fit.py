"""A camera's height, tilt, roll and focal length from points of the road."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from sam_crack.console import counted
from sam_crack.errors import BadInput
from sam_crack.measure.camera import STRAIGHT, Camera, Five
from sam_crack.measure.plane import CORNERS

Float = NDArray[np.float64]
NUM_POINTS = 4
POORLY_FITTED_PX = 10.0
"""Of a frame 1,000 px wide: a mean miss above this is no calibration."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A camera and how well it explains what was given."""

    camera: Camera
    miss_px: float
    """Root of the mean squared distance between given and projected places."""
    has_roll: bool = True
    """Whether what was given could tell the roll; else the camera is taken to stand upright."""


def focal_of(size: tuple[int, int], fov_deg: float) -> float:
    """Focal length in pixels of a horizontal field of view."""
    return size[1] / 2 / math.tan(math.radians(fov_deg) / 2)


def fit_points(
    pixels: Float,
    ground: Float,
    size: tuple[int, int],
    *,
    focal_px: float | None = None,
    distortion: Five = STRAIGHT,
) -> Fit:
    """Find the camera that sees road points where they were marked.

    Where the points' origin lies and which way their axes turn does not matter. A start comes
    from the plane's homography in closed form (Zhang 2000), the rest is least squares.

    Args:
        pixels: (n, 2) as (y, x), four or more, not on a line.
        ground: (n, 2) metres to the right and ahead, of any origin.
        size: Height and width of the frame.
        focal_px: Where it is known; else it is found too.
        distortion: Of the lens; it is not found here.
    """
    if len(pixels) < NUM_POINTS:
        raise BadInput(
            counted(len(pixels), "point"), f"{NUM_POINTS} or more", "mark more of the road"
        )
    for name, points in (("pixels", pixels), ("metres", ground)):
        spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if spread[1] < 1e-3 * max(float(spread[0]), 1e-9):
            raise BadInput(
                f"points that lie on one line ({name})", "points on both sides of a lane", CORNERS
            )
    start = _start(pixels, ground, size, focal_px)
    fixed = focal_px is not None

    def project(values: Float) -> tuple[Camera, Float]:
        height, pitch, roll, focal, yaw, right, ahead = values
        camera = Camera(
            height_m=height,
            pitch_deg=math.degrees(pitch),
            focal_px=focal_px if focal_px is not None else math.exp(focal),
            size=size,
            roll_deg=math.degrees(roll),
            distortion=distortion,
        )
        sine, cosine = math.sin(yaw), math.cos(yaw)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        return camera, (ground - (right, ahead)) @ turn.T

    def misses(values: Float) -> Float:
        camera, seen = project(values)
        missed: Float = np.nan_to_num(camera.to_pixels(seen) - pixels, nan=1e6).ravel()
        return missed

    found = least_squares(misses, start, x_scale="jac", max_nfev=500)
    values = np.asarray(found.x, np.float64)
    miss_px = float(np.sqrt(2 * found.cost / len(pixels)))
    camera = check_fit(project(values)[0], miss_px)
    if fixed and len(pixels) == NUM_POINTS and miss_px > 0.01 * size[1]:
        raise BadInput(
            f"points that miss by {miss_px:.0f} px",
            "another focal length, or none",
            "leave --focal out",
        )
    return Fit(camera=camera, miss_px=miss_px)


def _start(pixels: Float, ground: Float, size: tuple[int, int], focal_px: float | None) -> Float:
    """Read height, tilt, turn, focal length and place out of the homography."""
    centre = np.array([(size[0] - 1) / 2, (size[1] - 1) / 2])
    places = (pixels - centre)[:, ::-1] / size[1]
    matrix, _ = cv2.findHomography(ground, places)
    if matrix is None:
        raise BadInput("points without a solution", "four road points, no three on a line", CORNERS)
    first, second, last = matrix.T
    share = second[2] ** 2 - first[2] ** 2
    square = (first[:2] @ first[:2] - second[:2] @ second[:2]) / share if share else -1.0
    focal = (focal_px / size[1]) if focal_px else math.sqrt(square) if square > 0.01 else 0.8
    right, ahead, shift = (np.append(v[:2] / focal, v[2]) for v in (first, second, last))
    scale = 2 / (np.linalg.norm(right) + np.linalg.norm(ahead))
    right, ahead, shift = right * scale, ahead * scale, shift * scale
    if right[2] * ground[0, 0] + ahead[2] * ground[0, 1] + shift[2] < 0:  # behind the camera
        right, ahead, shift = -right, -ahead, -shift
    axes = np.stack([right, np.cross(ahead, right), ahead], axis=1)  # right, down, ahead
    left, _, turned = np.linalg.svd(axes)
    axes = left @ turned
    place = -axes.T @ shift
    return np.array(
        [
            max(-place[1], 0.1),
            math.asin(float(np.clip(axes[2, 1], -1, 1))),
            math.atan2(axes[0, 1], axes[1, 1]),
            math.log(focal * size[1]),
            math.atan2(-axes[2, 0], axes[2, 2]) * -1,
            place[0],
            place[2],
        ]
    )


def check_fit(camera: Camera, miss_px: float) -> Camera:
    """Refuse what no dashcam can be."""
    good = 0.05 <= camera.height_m <= 100 and -45 <= camera.pitch_deg <= 90
    good &= 0.05 * max(camera.size) <= camera.focal_px <= 1e6 and abs(camera.roll_deg) <= 90
    if not good or miss_px > POORLY_FITTED_PX * camera.size[1] / 1000:
        raise BadInput(
            f"a camera {camera.height_m:.2f} m high, {camera.pitch_deg:.1f} degrees down, focal "
            f"length {camera.focal_px:.0f} px, that misses by {miss_px:.1f} px",
            "places that fit a flat road seen from above it",
            "check the order of the numbers: down, across, then right, ahead",
        )
    return camera
