"""A lens over a flat road: pixels to metres on the ground and back."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.durable import write_text
from sam_crack.measure.lens import Lens
from sam_crack.measure.road_camera import sampling_distance, scale_between

Float = NDArray[np.float64]
Five = tuple[float, float, float, float, float]
STRAIGHT: Five = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Height, tilt, focal length and lens of a dashcam.

    Ground axes: x to the right, z ahead, in metres, from the road below the camera.
    """

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
    distortion: Five = STRAIGHT
    """k1, k2, p1, p2, k3 as OpenCV's calibrateCamera returns them."""

    @property
    def principal(self) -> tuple[float, float]:
        """Principal point (y, x) in pixels."""
        height, width = self.size
        return self.centre or ((height - 1) / 2, (width - 1) / 2)

    @property
    def words(self) -> str:
        """What it is, in a few words for a report."""
        height, width = self.size
        turned = f", {self.roll_deg:g}° turned" if self.roll_deg else ""
        bent = "" if self.lens.is_straight else ", lens distortion undone"
        return (
            f"{self.height_m:g} m high, {self.pitch_deg:g}° down{turned}, {self.focal_px:,.0f} px "
            f"focal length at {height} x {width}{bent}"
        )

    @cached_property
    def lens(self) -> Lens:
        """Its distortion."""
        return Lens(*self.distortion)

    @cached_property
    def axes(self) -> Float:
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
        """Project ground points (..., 2) as (x, z) to pixels (..., 2) as (y, x); NaN if unseen.

        Unseen is what lies behind the camera, or further off its axis than its lens is known.
        """
        points = np.asarray(ground_xz, dtype=np.float64)
        world = np.stack(
            [points[..., 0], np.full(points.shape[:-1], self.height_m), points[..., 1]], axis=-1
        )
        seen = world @ self.axes.T
        ahead = np.where(seen[..., 2:] > 1e-6, seen[..., 2:], np.nan)
        bent = self.lens.distort(seen[..., :2] / ahead)
        pixels: Float = self.focal_px * bent[..., ::-1] + np.array(self.principal)
        return pixels

    def rays(self, pixels_yx: ArrayLike) -> Float:
        """Directions (..., 3) in which pixels look: right, down and 1 ahead, lens undone."""
        pixels = np.asarray(pixels_yx, dtype=np.float64)
        bent = (pixels - np.array(self.principal))[..., ::-1] / self.focal_px
        straight = self.lens.straighten(bent)
        return np.concatenate([straight, np.ones((*straight.shape[:-1], 1))], axis=-1)

    def to_ground(self, pixels_yx: ArrayLike) -> Float:
        """Intersect pixels (..., 2) as (y, x) with the road: (..., 2) as (x, z); NaN above it."""
        world = self.rays(pixels_yx) @ self.axes
        down = np.where(world[..., 1] > 1e-9, world[..., 1], np.nan)
        reach = self.height_m / down
        return np.stack([world[..., 0] * reach, world[..., 2] * reach], axis=-1)

    def millimetres_per_pixel(self, pixels_yx: ArrayLike) -> Float:
        """Ground sampling distance (..., 2): mm per pixel down the frame and across it."""
        return sampling_distance(self, pixels_yx)

    def resized(self, size: tuple[int, int]) -> Camera:
        """Return the same camera for frames of another size but the same shape."""
        scale = scale_between(self.size, size)
        centre = None
        if self.centre is not None:
            y, x = ((part + 0.5) * scale - 0.5 for part in self.centre)
            centre = (y, x)
        return replace(self, size=size, focal_px=self.focal_px * scale, centre=centre)

    def as_json(self) -> dict[str, object]:
        """Return what camera.json holds."""
        return asdict(self)

    def save(self, path: Path) -> None:
        """Write `camera.json`, whole or not at all."""
        write_text(path, json.dumps(self.as_json(), indent=2) + "\n")
