"""Other vehicles: boxes with windows, lamps and tyres, and the traffic they make."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.raster import Coverage, coverage, ribbon
from sam_crack.data.synth.shadows import shadow_step
from sam_crack.data.synth.view import View

Float = NDArray[np.float64]
Plane = NDArray[np.float32]
PAINTS = (
    (0.62, 0.63, 0.64), (0.025, 0.026, 0.03), (0.22, 0.23, 0.24), (0.34, 0.02, 0.02),
    (0.03, 0.06, 0.2), (0.5, 0.48, 0.42),
)  # fmt: skip
MODELS = ((1.78, 1.46, 4.3), (1.85, 1.62, 4.5), (2.0, 2.3, 5.4), (2.5, 3.6, 9.0))
"""Width, height and length of a car, a tall car, a van and a lorry, metres."""
GLASS = (0.035, 0.042, 0.05)


@dataclass(frozen=True)
class Vehicle:
    """A vehicle on the road; `station_m` is its end that faces the camera."""

    station_m: float
    offset_m: float
    model: int
    paint: int
    oncoming: bool

    @property
    def size(self) -> tuple[float, float, float]:
        """Width, height and length."""
        return MODELS[self.model]

    def footprint(self) -> Float:
        """Corners on the road, station and offset."""
        wide, _, long = self.size
        s, u = self.station_m, self.offset_m
        corners = [[s, u - wide / 2], [s, u + wide / 2]]
        return np.array([*corners, [s + long, u + wide / 2], [s + long, u - wide / 2]])


def cast(view: View, footprint: Float, height_m: float) -> Float:
    """Outline of the shadow of a box, station and offset."""
    step = np.array(shadow_step(view, float(footprint[0, 0]))) * height_m
    points = np.concatenate([footprint, footprint + step]).astype(np.float32)
    hull: Float = cv2.convexHull(points)[:, 0].astype(np.float64)
    return hull


def own_footprint(view: View) -> Float:
    """Corners of the vehicle that carries the camera."""
    s, u = view.pose.station_m, view.look.lane_middle_m
    return np.array(
        [[s - 2.4, u - 0.9], [s - 2.4, u + 0.9], [s + 1.7, u + 0.9], [s + 1.7, u - 0.9]]
    )


def vehicles_near(seed: int, view: View) -> list[Vehicle]:
    """Return the vehicles in sight, farthest first; oncoming ones drive as fast as we do."""
    here, lane = view.pose.station_m, view.look.lane_m
    found = []
    part = int(here // 240.0)
    rng = np.random.default_rng([seed, 71, part])
    if rng.random() < 0.4:  # someone ahead, for a while, coming closer and falling back
        gap = rng.uniform(20, 48) + 5 * np.sin(here / 37.0)
        fade = 140 * max(0.0, abs((here / 240.0) % 1.0 - 0.5) - 0.38) / 0.12
        model, paint = int(rng.choice(4, p=[0.45, 0.3, 0.15, 0.1])), int(rng.integers(len(PAINTS)))
        offset = lane / 2 + float(rng.normal(0, 0.1))
        found.append(Vehicle(here + float(gap) + fade, offset, model, paint, False))
    for number in range(int(2 * here // 130.0), int((2 * here + 160.0) // 130.0) + 1):
        rng = np.random.default_rng([seed, 73, number])
        ahead = number * 130.0 + float(rng.uniform(0, 60)) - 2 * here
        if rng.random() < 0.5 and 7.0 < ahead < 150.0:
            model, paint = int(rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])), int(rng.integers(6))
            found.append(Vehicle(here + ahead, -lane / 2, model, paint, True))
    return sorted(found, key=lambda vehicle: -vehicle.station_m)


def draw_vehicle(view: View, vehicle: Vehicle, light: Plane, front: NDArray[np.bool_]) -> None:
    """Draw a vehicle: the dark under it, the side we see of it, then the end that faces us."""
    wide, tall, _ = vehicle.size
    half = wide / 2
    under = vehicle.footprint() + np.array([[-0.25, -0.1], [-0.25, 0.1], [0.2, 0.1], [0.2, -0.1]])
    found = coverage(view.project_road(under)[None], view.camera.size)
    light[found.window] *= 1 - 0.72 * found.share[..., None]
    paint = np.array(PAINTS[vehicle.paint]) * 0.8
    waist = 0.56 * tall if vehicle.model < 2 else 0.6 * tall
    roof_in = 0.13 * wide if vehicle.model < 2 else 0.03 * wide
    near_side = -half if vehicle.offset_m > view.look.lane_middle_m else half
    if vehicle.offset_m < view.look.lane_middle_m - 1:
        near_side = half
    elif abs(vehicle.offset_m - view.look.lane_middle_m) < 1:
        near_side = 0.0

    def lay(points: list[tuple[float, float]], colour: NDArray[np.float64]) -> None:
        """Fill a polygon of the facing end: (across, up)."""
        corners = [_corner(view, vehicle, 0.0, across, up) for across, up in points]
        _fill(light, front, coverage(np.array(corners)[None], view.camera.size), colour)

    if near_side:
        _draw_side(view, vehicle, light, front, paint, (near_side, waist, roof_in))
    black = np.array([0.012, 0.012, 0.013])
    for side in (-1, 1):
        lay(_box(side * (half - 0.13), 0.0, 0.11, 0.36), black)
    lay([(-half, 0.3), (half, 0.3), (half, waist), (half - roof_in, tall), (-half + roof_in, tall),
         (-half, waist)], paint)  # fmt: skip
    lay(_box(0.0, 0.26, half - 0.02, 0.22), paint * 0.45)
    inset = roof_in + 0.09
    lay([(-half + 0.12, waist + 0.03), (half - 0.12, waist + 0.03),
         (half - inset, tall - 0.1), (-half + inset, tall - 0.1)], np.array(GLASS))  # fmt: skip
    lay([(-half + 0.3, waist + 0.12), (0.1, waist + 0.12), (0.3, tall - 0.14),
         (-half + inset + 0.1, tall - 0.14)], np.array(GLASS) * 2.6)  # fmt: skip
    lamp = np.array([0.75, 0.75, 0.72] if vehicle.oncoming else [0.4, 0.015, 0.012])
    for side in (-1, 1):
        lay(_box(side * (half - 0.17), waist - 0.24, 0.15, 0.16), lamp)
    lay(_box(0.0, 0.5, 0.26, 0.11), np.array([0.6, 0.6, 0.56]))
    if vehicle.oncoming:
        lay(_box(0.0, 0.42, 0.5, 0.13), black)


def _box(across: float, low: float, half: float, tall: float) -> list[tuple[float, float]]:
    return [
        (across - half, low),
        (across + half, low),
        (across + half, low + tall),
        (across - half, low + tall),
    ]


def _corner(view: View, vehicle: Vehicle, along: float, across: float, up: float) -> Float:
    road = (vehicle.station_m + along, vehicle.offset_m + across)
    return view.project_road(road, up_m=up)


def _draw_side(
    view: View,
    vehicle: Vehicle,
    light: Plane,
    front: NDArray[np.bool_],
    paint: Float,
    shape: tuple[float, float, float],
) -> None:
    """Draw the flank: lower body, windows, two wheels."""
    side, waist, roof_in = shape
    _, tall, long = vehicle.size
    inner = side - np.sign(side) * roof_in
    body = ((0.05, long, 0.3, waist, side, side, paint * 0.62),)
    glass = (0.12 * long, 0.86 * long, waist, tall, side, inner, np.array(GLASS))
    roof = (0.1 * long, 0.88 * long, tall - 0.07, tall, inner, inner, paint * 0.6)
    for start, stop, low, high, foot, top, colour in (*body, glass, roof):
        along = np.linspace(start, stop, 6)
        lower = np.stack([_corner(view, vehicle, a, foot, low) for a in along])
        upper = np.stack([_corner(view, vehicle, a, top, high) for a in along])
        _fill(light, front, coverage(ribbon(lower, upper), view.camera.size), colour)
    for middle in (0.18, 0.8):
        turn = np.linspace(0, 2 * np.pi, 17)[:-1]
        rim = [
            _corner(view, vehicle, middle * long + 0.33 * np.cos(t), side, 0.33 + 0.33 * np.sin(t))
            for t in turn
        ]
        dark = np.array([0.014, 0.014, 0.015])
        _fill(light, front, coverage(np.array(rim)[None], view.camera.size), dark)


def _fill(light: Plane, front: NDArray[np.bool_], found: Coverage, colour: Float) -> None:
    """Lay a colour over what is covered, a little lighter towards the top as under a sky."""
    height = max(found.share.shape[0], 1)
    fade = np.linspace(1.12, 0.85, height, dtype=np.float32)[:, None, None]
    part = light[found.window]
    part += found.share[..., None] * (fade * colour.astype(np.float32) - part)
    front[found.window] |= found.share > 0.5
