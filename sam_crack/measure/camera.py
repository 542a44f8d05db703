"""A pinhole camera over a flat road: pixels to metres on the ground and back."""

from __future__ import annotations

import difflib
import json
import math
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.durable import write_text
from sam_crack.errors import BadInput

Float = NDArray[np.float64]
LARGEST_FILE_BYTES = 1_000_000
MAX_SIDE_PX = 100_000
EXAMPLE = (
    'write {"height_m": 1.4, "pitch_deg": 8, "focal_px": 2600, "size": [2160, 3840]}, '
    "lens above the road in metres, tilt below the horizon in degrees"
)


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

    @cached_property
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
        right, down, ahead = np.moveaxis(world @ self._axes.T, -1, 0)
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
        world = rays @ self._axes
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

    def resized(self, size: tuple[int, int]) -> Camera:
        """Return the same camera for frames of another size but the same shape."""
        height, width = self.size
        scale = size[0] / height
        if abs(size[1] / width / scale - 1) > 0.005:
            raise BadInput(
                f"a camera for frames of {height} x {width}, and a frame of {size[0]} x {size[1]}",
                "frames of the same shape, whatever their size",
                "use the camera.json of these frames",
            )
        centre = None
        if self.centre is not None:
            y, x = ((part + 0.5) * scale - 0.5 for part in self.centre)
            centre = (y, x)
        return replace(self, size=size, focal_px=self.focal_px * scale, centre=centre)

    def save(self, path: Path) -> None:
        """Write `camera.json`, whole or not at all."""
        write_text(path, json.dumps(asdict(self), indent=2) + "\n")


def load_camera(path: Path) -> Camera:
    """Read `camera.json`; whatever a camera cannot be is refused by name."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise BadInput(f"{path}: too large", f"at most {LARGEST_FILE_BYTES:,} bytes")
        given = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not valid JSON", "a camera as JSON", EXAMPLE) from error
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "a readable camera.json", EXAMPLE) from error
    if not isinstance(given, dict):
        raise BadInput(f"{path}: not a JSON object", "a camera as JSON", EXAMPLE)
    known = [field.name for field in fields(Camera)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            todo = f"did you mean {near[0]}?" if near else EXAMPLE
            raise BadInput(f"{path}: unknown {name[:40]!r}", f"one of {', '.join(known)}", todo)
    missing = [name for name in known[:4] if name not in given]
    if missing:
        raise BadInput(f"{path}: no {', '.join(missing)}", "a complete camera", EXAMPLE)
    height, width = _pair(path, given, "size", low=1, high=MAX_SIDE_PX, whole=True)
    longest = max(height, width)
    centre = None
    if given.get("centre") is not None:
        y, x = _pair(path, given, "centre", low=-longest, high=2 * longest)
        centre = (y, x)
    return Camera(
        height_m=_number(path, "height_m", given["height_m"], low=0.05, high=100),
        pitch_deg=_number(path, "pitch_deg", given["pitch_deg"], low=-45, high=90),
        focal_px=_number(path, "focal_px", given["focal_px"], low=0.05 * longest, high=1e6),
        size=(int(height), int(width)),
        roll_deg=_number(path, "roll_deg", given.get("roll_deg", 0.0), low=-90, high=90),
        centre=centre,
    )


def _number(path: Path, name: str, value: object, *, low: float, high: float) -> float:
    """Return a number inside its bounds; true, text, NaN and infinity are none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise BadInput(f"{path}: {name} {str(value)[:40]!r}", f"a number from {low:g} to {high:g}")


def _pair(
    path: Path, given: dict[str, Any], name: str, *, low: float, high: float, whole: bool = False
) -> tuple[float, float]:
    """Return two numbers in a list."""
    value = given[name]
    if isinstance(value, list) and len(value) == 2:
        first, second = (_number(path, name, part, low=low, high=high) for part in value)
        if not whole or (first.is_integer() and second.is_integer()):
            return first, second
    kind = "whole numbers" if whole else "numbers"
    raise BadInput(f"{path}: {name} {str(value)[:40]!r}", f"two {kind}, down and across: [y, x]")
