"""What one drive looks like as a whole, drawn from its seed: camera, road, materials, light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

import numpy as np

from sam_crack.measure.camera import Camera

Sky = Literal["clear", "broken", "overcast", "low_sun"]
Colour = tuple[float, float, float]
T = TypeVar("T")
SUNS: dict[Sky, tuple[tuple[float, float], float]] = {
    "clear": ((0.45, 0.95), 3.2),
    "broken": ((0.45, 0.9), 2.2),
    "overcast": ((0.5, 1.0), 0.0),
    "low_sun": ((0.17, 0.32), 2.6),
}
"""Per sky: how high the sun may stand (radians), and its light over the sky's."""
BONNETS: tuple[Colour, ...] = (
    (0.02, 0.022, 0.025),
    (0.55, 0.56, 0.57),
    (0.03, 0.05, 0.14),
    (0.2, 0.21, 0.22),
)
FIELDS: tuple[Colour, ...] = (
    (0.10, 0.125, 0.045),
    (0.21, 0.17, 0.085),
    (0.13, 0.115, 0.075),
    (0.075, 0.12, 0.04),
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything that stays the same over a drive; lengths in metres, colours linear RGB."""

    # camera
    height_m: float
    pitch_deg: float
    focal_widths: float
    """Focal length in frame widths."""
    yaw_rad: float
    bonnet: bool
    bonnet_colour: Colour
    # road
    lane_m: float
    """Width of a lane."""
    shoulder_m: float
    """Paved strip outside the edge line."""
    kerb: bool
    rail: bool
    centre: Literal["dashed", "double", "solid_dashed"]
    centre_yellow: bool
    wear: float
    """Share of paint that has gone, 0 to 1."""
    asphalt: Colour
    shoulder: Colour
    grass: Colour
    leaf: Colour
    """Tint of leaves and blades."""
    field: Colour
    """What grows behind the verge."""
    dust: Colour
    grain: float
    """Strength of the aggregate, about 1."""
    tracks: float
    """Brightness of the wheel paths against the lane, -0.15 to 0.15."""
    joints: bool
    """A road of slabs: straight transverse joints at a fixed distance."""
    # light
    sky: Sky
    sun_azimuth_rad: float
    """To the right of the road's first heading."""
    sun_height_rad: float
    sun: float
    """Direct light over diffuse light; 0 under a closed sky."""
    sun_colour: Colour
    exposure: float
    vignette: float
    blur_px: float
    noise: float
    quality: int
    speed_mps: float
    shutter_s: float

    @property
    def lane_middle_m(self) -> float:
        """Offset of the own lane's middle, to the right of the centre line."""
        return self.lane_m / 2

    @property
    def paved_m(self) -> float:
        """Half width of what is paved."""
        return self.lane_m + self.shoulder_m

    def camera(self, size: tuple[int, int]) -> Camera:
        """Return the camera of this drive for a frame of this height and width."""
        return Camera(
            height_m=self.height_m,
            pitch_deg=self.pitch_deg,
            focal_px=round(self.focal_widths * size[1], 3),
            size=size,
        )


def _tinted(rng: np.random.Generator, grey: float, tint: Colour, *, spread: float) -> Colour:
    red, green, blue = (grey * value * float(rng.uniform(1 - spread, 1 + spread)) for value in tint)
    return red, green, blue


@cache
def look_of(seed: int) -> Look:
    """Draw a drive's look."""
    rng = np.random.default_rng([seed, 7])
    return Look(**_vehicle(rng), **_road(rng), **_light(rng))


def _pick(rng: np.random.Generator, choices: Sequence[T], shares: Sequence[float] = ()) -> T:
    return choices[int(rng.choice(len(choices), p=shares or None))]


def _vehicle(rng: np.random.Generator) -> dict[str, Any]:
    """Camera, bonnet and speed."""
    return {
        "height_m": round(float(rng.uniform(1.3, 1.5)), 3),
        "pitch_deg": round(float(rng.uniform(4.0, 7.5)), 2),
        "focal_widths": round(float(rng.uniform(0.58, 0.72)), 4),
        "yaw_rad": float(rng.normal(0, 0.008)),
        "bonnet": bool(rng.random() < 0.6),
        "bonnet_colour": _pick(rng, BONNETS),
        "vignette": float(rng.uniform(0.12, 0.35)),
        "blur_px": float(rng.uniform(0.35, 0.8)),
        "noise": float(rng.uniform(1.2, 3.2)),
        "quality": int(rng.integers(84, 95)),
        "speed_mps": float(rng.uniform(14.0, 25.0)),
        "shutter_s": float(rng.uniform(1 / 9000, 1 / 3000)),
    }


def _road(rng: np.random.Generator) -> dict[str, Any]:
    """Cross-section, paint, materials and what grows beside it."""
    asphalt = float(rng.uniform(0.085, 0.15))
    return {
        "lane_m": float(rng.uniform(3.2, 3.7)),
        "shoulder_m": float(rng.choice([0.35, 0.6, 1.6, 2.4])),
        "kerb": bool(rng.random() < 0.3),
        "rail": bool(rng.random() < 0.35),
        "centre": _pick(rng, ("dashed", "double", "solid_dashed")),
        "centre_yellow": bool(rng.random() < 0.3),
        "wear": float(rng.uniform(0.08, 0.5)),
        "asphalt": _tinted(rng, asphalt, (1.0, 0.985, 0.96), spread=0.025),
        "shoulder": _tinted(
            rng, asphalt * float(rng.uniform(0.8, 1.2)), (1.0, 0.95, 0.9), spread=0.04
        ),
        "grass": _tinted(rng, 0.105, (0.86, 1.0, 0.42), spread=0.14),
        "leaf": _tinted(rng, 1.0, (1.0, 1.0, 1.0), spread=0.2),
        "field": _pick(rng, FIELDS),
        "dust": _tinted(rng, 0.26, (1.0, 0.84, 0.64), spread=0.1),
        "grain": float(rng.uniform(0.75, 1.25)),
        "tracks": float(rng.uniform(-0.12, 0.12)),
        "joints": bool(rng.random() < 0.25),
    }


def _light(rng: np.random.Generator) -> dict[str, Any]:
    """Sky, sun and exposure."""
    sky = _pick(rng, tuple(SUNS), (0.35, 0.25, 0.25, 0.15))
    heights, sun = SUNS[sky]
    return {
        "sky": sky,
        "sun_azimuth_rad": float(rng.choice([-1, 1]) * rng.uniform(0.35, 2.7)),
        "sun_height_rad": float(rng.uniform(*heights)),
        "sun": sun,
        "sun_colour": (1.0, 0.80, 0.56) if sky == "low_sun" else (1.0, 0.95, 0.87),
        "exposure": float(rng.uniform(0.85, 1.2)),
    }
