"""A pinhole camera over a flat road: pixels to metres on the ground and back."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Height, tilt and focal length of a dashcam. Ground axes: x to the right, z ahead, metres."""

    height_m: float
    """Lens above the road."""
    pitch_deg: float
    """How far the optical axis points below the horizon."""
    focal_px: float
    """Focal length in pixels of this frame size."""
    size: tuple[int, int]
    """Frame height and width in pixels."""
    roll_deg: float = 0.0
    """Clockwise turn of the camera as seen from behind it."""
    centre: tuple[float, float] | None = None
    """Principal point (y, x); empty means the middle of the frame."""

    @property
    def principal(self) -> tuple[float, float]:
        """Principal point (y, x) in pixels."""
        height, width = self.size
        return self.centre or ((height - 1) / 2, (width - 1) / 2)

    def _axes(self) -> Float:
        """Rows: the camera's right, down and forward axes in world right, down, ahead."""
        pitch, roll = math.radians(self.pitch_deg), math.radians(self.roll_deg)
        tilt = np.array(
            [
                [1.0, 0.0, 0.0],
                [0.0, math.cos(pitch), -math.sin(pitch)],
                [0.0, math.sin(pitch), math.cos(pitch)],
            ]
        )
        turn = np.array(
            [
                [math.cos(roll), math.sin(roll), 0.0],
                [-math.sin(roll), math.cos(roll), 0.0],
                [0.0, 0.0, 1.0],
            ]
        )
        axes: Float = turn @ tilt
        return axes

    def to_pixels(self, ground_xz: ArrayLike) -> Float:
        """Project ground points (..., 2) as (x, z) to pixels (..., 2) as (y, x); NaN if behind."""
        points = np.asarray(ground_xz, dtype=np.float64)
        world = np.stack(
            [points[..., 0], np.full(points.shape[:-1], self.height_m), points[..., 1]], axis=-1
        )
        right, down, ahead = np.moveaxis(world @ self._axes().T, -1, 0)
        ahead = np.where(ahead > 1e-6, ahead, np.nan)
        y0, x0 = self.principal
        return np.stack(
            [y0 + self.focal_px * down / ahead, x0 + self.focal_px * right / ahead], axis=-1
        )

    def to_ground(self, pixels_yx: ArrayLike) -> Float:
        """Intersect pixels (..., 2) as (y, x) with the road: (..., 2) as (x, z); NaN above it."""
        pixels = np.asarray(pixels_yx, dtype=np.float64)
        y0, x0 = self.principal
        rays = np.stack(
            [
                (pixels[..., 1] - x0) / self.focal_px,
                (pixels[..., 0] - y0) / self.focal_px,
                np.ones(pixels.shape[:-1]),
            ],
            axis=-1,
        )
        world = rays @ self._axes()
        down = np.where(world[..., 1] > 1e-9, world[..., 1], np.nan)
        reach = self.height_m / down
        return np.stack([world[..., 0] * reach, world[..., 2] * reach], axis=-1)

    def millimetres_per_pixel(self, pixels_yx: ArrayLike) -> Float:
        """Ground sampling distance (..., 2): mm per pixel down the frame and across it."""
        pixels = np.asarray(pixels_yx, dtype=np.float64)
        half = 0.5
        step_y, step_x = np.array([half, 0.0]), np.array([0.0, half])
        along = self.to_ground(pixels + step_y) - self.to_ground(pixels - step_y)
        across = self.to_ground(pixels + step_x) - self.to_ground(pixels - step_x)
        return 1000.0 * np.stack(
            [np.linalg.norm(along, axis=-1), np.linalg.norm(across, axis=-1)], axis=-1
        )

    def save(self, path: Path) -> None:
        """Write `camera.json`."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")
