"""Other vehicles: boxes with windows, lamps and tyres, and the traffic they make."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.canvas import Canvas
from sam_crack.data.synth.raster import coverage
from sam_crack.data.synth.shadows import shadow_step
from sam_crack.data.synth.view import View

Float = NDArray[np.float64]
PAINTS = (
    (0.62, 0.63, 0.64), (0.025, 0.026, 0.03), (0.22, 0.23, 0.24), (0.19, 0.02, 0.018),
    (0.022, 0.04, 0.1), (0.5, 0.48, 0.42),
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


def draw_vehicle(view: View, canvas: Canvas, vehicle: Vehicle) -> None:
    """Draw a vehicle: the dark under it, the flank that we see, then the end that faces us."""
    under = vehicle.footprint()
    for grow, dark in ((0.22, 0.25), (0.1, 0.4), (0.0, 0.6)):
        rim = np.array([[-grow, -grow], [-grow, grow], [grow, grow], [grow, -grow]])
        found = coverage(view.project_road(under + rim)[None], view.camera.size)
        canvas.light[found.window] *= 1 - dark * found.share[..., None]
    shape = _shape(vehicle)
    paint = np.array(PAINTS[vehicle.paint]) * 0.8
    away = view.look.lane_middle_m - vehicle.offset_m
    if abs(away) > vehicle.size[0] / 2:
        for part in _flank(vehicle, shape, paint=paint, side=float(np.sign(away))):
            _fill(view, canvas, vehicle=vehicle, part=part)
    for part in _end(vehicle, shape, paint=paint):
        _fill(view, canvas, vehicle=vehicle, part=part)


@dataclass(frozen=True)
class Shape:
    """Where a body bends, metres: height of the waist, and how far back the screen starts."""

    waist: float
    nose: float
    lean: float
    tuck: float
    """How far the cabin's sides lean in."""


Part = tuple[list[tuple[float, float, float]], Float]
"""Corners (along, across, up) and a colour."""


def _shape(vehicle: Vehicle) -> Shape:
    _, tall, _ = vehicle.size
    if vehicle.model < 2:
        return Shape(0.58 * tall, 1.15 if vehicle.oncoming else 0.12, 0.6, 0.16)
    return Shape(0.55 * tall, 0.0, 0.12 if vehicle.oncoming else 0.0, 0.04)


def _flank(vehicle: Vehicle, shape: Shape, *, paint: Float, side: float) -> list[Part]:
    """Sill, body, cabin with its windows, and two wheels."""
    wide, tall, long = vehicle.size
    out, top = side * wide / 2, side * (wide / 2 - shape.tuck)
    waist, screen = shape.waist, shape.nose + shape.lean
    tail = long - (0.3 if vehicle.model < 2 else 0.0)
    body = [(0.0, out, 0.34), (long, out, 0.34), (long, out, waist), (0.0, out, waist - 0.03)]
    sill = [(0.0, out, 0.2), (long, out, 0.2), (long, out, 0.36), (0.0, out, 0.36)]
    cabin = [(shape.nose - 0.02, out, waist - 0.12), (long, out, waist - 0.12),
             (tail, top, tall), (screen, top, tall)]  # fmt: skip
    glass = [(shape.nose + 0.3, out, waist + 0.03), (tail - 0.3, out, waist + 0.03),
             (tail - 0.45, top, tall - 0.1), (screen + 0.1, top, tall - 0.1)]  # fmt: skip
    parts: list[Part] = [(sill, paint * 0.2), (body, paint * 0.62), (cabin, paint * 0.7)]
    if vehicle.model < 2:
        parts.append((glass, np.array(GLASS)))
    for middle in (0.19 * long, 0.8 * long):
        turn = np.linspace(0, 2 * np.pi, 17)[:-1]
        for reach, grey in ((0.34, 0.014), (0.2, 0.08)):
            rim = [
                (middle + reach * float(np.cos(t)), out, 0.34 + reach * float(np.sin(t)))
                for t in turn
            ]
            parts.append((rim, np.full(3, grey)))
    return parts


def _end(vehicle: Vehicle, shape: Shape, *, paint: Float) -> list[Part]:
    """Tyres, lower body, bonnet or boot, screen, lamps and plate of the end that faces us."""
    wide, tall, _ = vehicle.size
    half, waist = wide / 2, shape.waist
    roof = half - shape.tuck
    back = shape.nose + shape.lean
    black = np.full(3, 0.012)
    parts: list[Part] = [(_box(side * (half - 0.14), 0.0, 0.11, 0.4), black) for side in (-1, 1)]
    parts.append((_box(0.0, 0.2, half - 0.04, 0.2), paint * 0.22))
    parts.append(([(0.0, -half, 0.34), (0.0, half, 0.34), (0.0, half, waist - 0.1),
                   (0.0, half - 0.08, waist), (0.0, -half + 0.08, waist),
                   (0.0, -half, waist - 0.1)], paint * 0.85))  # fmt: skip
    parts.append(([(0.0, -half + 0.06, waist - 0.02), (0.0, half - 0.06, waist - 0.02),
                   (shape.nose, half - 0.05, waist + 0.06),
                   (shape.nose, -half + 0.05, waist + 0.06)], paint * 1.15))  # fmt: skip
    parts.append(([(shape.nose, -half, waist), (shape.nose, half, waist),
                   (back, roof, tall), (back, -roof, tall)], paint))  # fmt: skip
    pillar = half - 0.13
    parts.append(([(shape.nose, -pillar, waist + 0.05), (shape.nose, pillar, waist + 0.05),
                   (back, roof - 0.09, tall - 0.09), (back, -roof + 0.09, tall - 0.09)],
                  np.array(GLASS) * 1.5))  # fmt: skip
    lamp = np.array([0.4, 0.41, 0.42] if vehicle.oncoming else [0.3, 0.012, 0.01])
    for side in (-1, 1):
        parts.append((_box(side * (half - 0.19), waist - 0.24, 0.15, 0.13), lamp))
    if vehicle.oncoming:
        parts.append((_box(0.0, 0.44, 0.52, 0.14), black))
    parts.append((_box(0.0, 0.5, 0.25, 0.1), np.array([0.5, 0.5, 0.46])))
    return parts


def _box(across: float, low: float, half: float, tall: float) -> list[tuple[float, float, float]]:
    """Return an upright rectangle on the end that faces us."""
    left, right, high = across - half, across + half, low + tall
    return [(0.0, left, low), (0.0, right, low), (0.0, right, high), (0.0, left, high)]


def _fill(view: View, canvas: Canvas, *, vehicle: Vehicle, part: Part) -> None:
    """Lay a colour over a part, lighter towards its top as under a sky."""
    corners = np.array(
        [
            view.project_road((vehicle.station_m + along, vehicle.offset_m + across), up_m=up)
            for along, across, up in part[0]
        ]
    )
    found = coverage(corners[None], view.camera.size)
    if found.share.size:
        fade = np.linspace(1.15, 0.8, found.share.shape[0])[:, None, None]
        canvas.lay(found, fade * part[1])
