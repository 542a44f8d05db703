"""What stands in front of the road and beside it, drawn from far to near, the bonnet last."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.backdrop import haze_colour
from sam_crack.data.synth.canvas import Canvas
from sam_crack.data.synth.plants import place_sprite, sprites
from sam_crack.data.synth.raster import coverage, ribbon
from sam_crack.data.synth.scene import Stretch, Upright
from sam_crack.data.synth.vehicles import Vehicle, draw_vehicle
from sam_crack.data.synth.view import View

Float = NDArray[np.float64]
Plane = NDArray[np.float32]
STEEL = np.array([0.27, 0.28, 0.29])
CONCRETE = np.array([0.3, 0.29, 0.27])


def draw_objects(
    view: View, canvas: Canvas, *, scene: list[Stretch], vehicles: list[Vehicle]
) -> None:
    """Draw everything that stands."""
    here = view.pose.station_m
    uprights = sorted(
        (u for part in scene for u in part.uprights if 2.0 < u.station_m - here < 170.0),
        key=lambda upright: -upright.station_m,
    )
    rail_m = view.look.paved_m + 1.0
    for upright in uprights:
        if abs(upright.offset_m) > rail_m:
            _draw_upright(view, canvas, upright)
    if view.look.kerb:
        _draw_kerb(view, canvas)
    if view.look.rail:
        _draw_rail(view, canvas)
    for upright in uprights:
        if abs(upright.offset_m) <= rail_m:
            _draw_upright(view, canvas, upright)
    for vehicle in vehicles:  # the farthest comes first
        draw_vehicle(view, canvas, vehicle)
    if view.look.bonnet:
        _draw_bonnet(view, canvas)


def _draw_upright(view: View, canvas: Canvas, upright: Upright) -> None:
    foot = view.project_road((upright.station_m, upright.offset_m))
    top = view.project_road((upright.station_m, upright.offset_m), up_m=upright.height_m)
    tall = float(foot[0] - top[0])
    if not math.isfinite(tall) or tall < 2:
        return
    if upright.kind in ("tree", "bush", "tuft"):
        made = sprites(upright.kind)[upright.variant]
        at = (float(foot[0]), float(foot[1]), tall)
        tint, mirror = _plant_light(view)
        place_sprite(canvas, made, at=at, tint=tint, mirror=mirror)
        return
    half = {"pole": 0.09, "post": 0.06}[upright.kind]
    line = [
        [
            view.project_road((upright.station_m, upright.offset_m + side), up_m=up)
            for side in (-half, half)
        ]
        for up in np.linspace(0, upright.height_m, 5)
    ]
    left, right = np.array([pair[0] for pair in line]), np.array([pair[1] for pair in line])
    colour = np.array([0.6, 0.6, 0.58]) if upright.kind == "post" else STEEL * 0.7
    canvas.lay(coverage(ribbon(left, right), view.camera.size), colour)
    if upright.kind == "post":
        band = np.stack([left[3], right[3], (right[3] + right[4]) / 2, (left[3] + left[4]) / 2])
        canvas.lay(coverage(band[None], view.camera.size), np.array([0.03, 0.03, 0.03]))


def _plant_light(view: View) -> tuple[Plane, float]:
    """Colour of the light on plants, dim against the sun, and -1 when it comes from the right."""
    look = view.look
    leaf = np.array(look.leaf, np.float32)
    if look.sun == 0:
        return leaf * 0.8, 1.0
    bearing = float(view.track.heading(0.0)) + look.sun_azimuth_rad
    towards = bearing - math.radians(view.pose.heading_deg)
    bright = 0.95 - 0.35 * math.cos(towards)
    warm = leaf * np.array(look.sun_colour, np.float32) * np.float32(bright)
    return warm, 1.0 if math.sin(towards) < 0 else -1.0


def _draw_kerb(view: View, canvas: Canvas) -> None:
    """Kerb stones at the edge of the pavement: face and top."""
    station = view.stations(0.8, 110.0)
    for side in (-1.0, 1.0):
        near, far = side * view.look.paved_m, side * (view.look.paved_m + 0.16)
        foot = view.project_road(np.stack([station, np.full_like(station, near)], -1))
        edge = view.project_road(np.stack([station, np.full_like(station, near)], -1), up_m=0.12)
        back = view.project_road(np.stack([station, np.full_like(station, far)], -1), up_m=0.12)
        canvas.lay(coverage(ribbon(foot, edge), view.camera.size), CONCRETE * 0.6)
        canvas.lay(coverage(ribbon(edge, back), view.camera.size), CONCRETE)


def _draw_rail(view: View, canvas: Canvas) -> None:
    """A steel rail on posts to the right: the folds of the beam as bands of light and shade."""
    look, here = view.look, view.pose.station_m
    offset = look.paved_m + 1.0
    for number in range(int((here + 120) // 4.0), int((here + 1.5) // 4.0), -1):
        ends = [
            [view.project_road((number * 4.0 + step, offset), up_m=up) for up in (0.0, 0.72)]
            for step in (-0.06, 0.06)
        ]
        post = np.array([ends[0][0], ends[1][0], ends[1][1], ends[0][1]])
        canvas.lay(coverage(post[None], view.camera.size), STEEL * 0.45)
    station = view.stations(1.0, 130.0)
    road = np.stack([station, np.full_like(station, offset - 0.05)], axis=-1)
    heights = np.linspace(0.45, 0.77, 8)
    lines = [view.project_road(road, up_m=float(up)) for up in heights]
    shades = (0.7, 1.05, 0.9, 0.5, 0.75, 1.15, 0.95)
    for low, high, shade in zip(lines, lines[1:], shades, strict=False):
        canvas.lay(coverage(ribbon(low, high), view.camera.size), STEEL * shade)


def _draw_bonnet(view: View, canvas: Canvas) -> None:
    """The own bonnet, out of focus, mirroring the sky the more the flatter it is seen."""
    height, width = view.camera.size
    x = np.linspace(-0.02, 1.02, 80)
    top = 0.935 + 0.17 * np.abs(x - 0.5) ** 2.2
    curve = np.stack([top * height, x * width], axis=-1)
    outline = np.concatenate([curve, [[height + 9, 1.02 * width], [height + 9, -0.02 * width]]])
    first = int(0.92 * height)
    found = coverage(outline[None], view.camera.size)
    share = found.on(view.camera.size)[first:]
    soft = cv2.GaussianBlur(share, (0, 0), max(width / 3840 * 5.0, 0.5))
    rows = np.arange(first, height, dtype=np.float32)[:, None]
    column = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    edge = (0.935 + 0.17 * np.abs(column - 0.5) ** 2.2) * height
    depth = np.clip((rows - edge) / (0.065 * height), 0, 1)
    mirror = 0.10 + 0.5 * np.exp(-depth / 0.16)
    ridge = 1 + 0.22 * np.exp(-((np.abs(column - 0.5) - 0.3 - 0.03 * depth) ** 2) / 0.0009)
    paint = np.array(view.look.bonnet_colour, np.float32) * 0.55
    sheen = haze_colour(view.look) * np.float32(0.32)
    colour = paint + (mirror * ridge)[..., None].astype(np.float32) * (sheen - paint * 0.5)
    part = canvas.light[first:]
    part += soft[..., None] * (colour - part)
    canvas.front[first:] |= soft > 0.1
