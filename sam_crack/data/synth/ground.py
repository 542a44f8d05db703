"""The road and its verge, lit: albedo from the textures and layers, times sun, sky and shadow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.backdrop import haze_colour
from sam_crack.data.synth.layers import Layers
from sam_crack.data.synth.look import Look
from sam_crack.data.synth.shadows import ShadowMap
from sam_crack.data.synth.surface import NEAR_M, RUNGS, Materials
from sam_crack.data.synth.view import View

Plane = NDArray[np.float32]
HAZE_M = 900.0
SKY_LIGHT = np.array([0.82, 0.95, 1.2], np.float32)
GREY_LIGHT = np.array([0.98, 1.0, 1.03], np.float32)
WHITE_PAINT = np.array([0.56, 0.56, 0.53], np.float32)
YELLOW_PAINT = np.array([0.5, 0.31, 0.05], np.float32)


def daylight(look: Look) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Direct and diffuse light on level ground, linear RGB; together about 1."""
    direct = look.sun * np.sin(max(look.sun_height_rad, 0.35)) * np.array(look.sun_colour)
    diffuse = (GREY_LIGHT if look.sun == 0 else SKY_LIGHT) * 1.0
    total = float((direct + diffuse).mean())
    return (direct / total).astype(np.float32), (diffuse / total).astype(np.float32)


def shade_ground(
    view: View, layers: Layers, *, made: Materials, shadows: ShadowMap, into: Plane
) -> None:
    """Write the light that comes from every row below the horizon: (rows, width, 3), linear."""
    veil = haze_colour(view.look) * np.float32(0.7)
    for rows, rung in _bands(view):
        lit = _shade_band(view, layers, made=made, shadows=shadows, rows=rows, rung=rung)
        clear = np.exp(-view.ahead_m[rows] / HAZE_M).astype(np.float32)[:, None, None]
        lit *= clear
        lit += (1.0 - clear) * veil
        into[rows] = lit


def _bands(view: View) -> Iterator[tuple[slice, float]]:
    """Rows of nearly the same distance, with their place on the ladder."""
    rungs = np.clip(2 * np.log2(view.ahead_m / NEAR_M), 0.0, RUNGS - 1.001)
    start = 0
    while start < len(rungs):
        stop = start + 1
        while stop < len(rungs) and stop - start < 48 and rungs[start] - rungs[stop] < 0.12:
            stop += 1
        yield slice(start, stop), float(rungs[start:stop].mean())
        start = stop


def _shade_band(
    view: View,
    layers: Layers,
    *,
    made: Materials,
    shadows: ShadowMap,
    rows: slice,
    rung: float,
) -> Plane:
    look, here = view.look, view.pose.station_m
    frame = slice(rows.start + view.horizon, rows.stop + view.horizon)
    station, offset = view.road_coordinates(rows)
    grain = made.grain.look_up(rung, station, offset, start=here)
    patchy = made.patchy.look_up(rung, station, offset, start=here)
    tone = made.tone.look_up(rung, station, offset, start=here)
    from_middle = np.abs(offset)

    # asphalt: aggregate, wear, wheel paths, oil between them
    lane = from_middle - look.lane_m / 2
    paths = np.exp(-(((np.abs(lane) - 0.85) / 0.38) ** 2))
    oil = np.exp(-((lane / 0.3) ** 2))
    level = 1.0 + 0.085 * patchy + 0.06 * tone + look.tracks * paths - 0.09 * oil
    tar = layers.tar[frame]
    roughness = 0.36 * look.grain * (1.0 - 0.75 * tar)
    level *= layers.gain[frame]
    level *= 1.0 + roughness * grain

    # paint, worn through where the road is rough
    worn = np.clip(1.9 - 2.6 * look.wear + 0.5 * patchy - 0.5 * grain, 0.06, 1.0)
    white, yellow = layers.paint[frame] * worn, layers.yellow[frame] * worn
    dark = layers.dark[frame] * np.clip(1.0 + 0.1 * grain, 0.7, 1.05)
    level *= 1.0 - dark

    # across the road: lane, shoulder, dusty rim, grass
    ragged = from_middle + 0.05 * patchy + 0.02 * tone
    shoulder = _step(ragged, look.lane_m + 0.12, soft=0.08)
    verge = _step(ragged, look.paved_m, soft=0.05)
    asphalt = np.array(look.asphalt, np.float32)
    road = asphalt + shoulder[..., None] * (np.array(look.shoulder, np.float32) - asphalt)
    paint_level = (1.0 + 0.12 * grain + 0.06 * patchy) * (1.0 - dark)
    road *= (level * (1.0 - white - yellow))[..., None]
    road += (white * paint_level)[..., None] * WHITE_PAINT
    road += (yellow * paint_level)[..., None] * YELLOW_PAINT
    if bool(verge.any()):
        soil = _verge(view, made, (station, offset, from_middle, patchy), rung)
        road += verge[..., None] * (soil - road)
    direct, diffuse = daylight(look)
    road *= shadows.look_up(rung, station, offset)[..., None] * direct + diffuse
    road += (0.02 + 0.045 * tar)[..., None] * _sheen(view, rows) * (1.0 - verge)[..., None]
    return road


def _sheen(view: View, rows: slice) -> Plane:
    """Sky, and a low sun ahead, mirrored by a surface seen at a flat angle."""
    look = view.look
    flat = 1.0 - look.height_m / np.hypot(view.ahead_m[rows], look.height_m)
    mirror = (flat**5).astype(np.float32)[:, None, None]
    light = np.broadcast_to(haze_colour(look), (view.camera.size[1], 3)).copy()
    if look.sun > 0:
        column = np.arange(view.camera.size[1]) - view.camera.principal[1]
        bearing = np.arctan(column / view.camera.focal_px) + np.radians(view.pose.heading_deg)
        away = bearing - float(view.track.heading(0.0)) - look.sun_azimuth_rad
        away = np.mod(away + np.pi, 2 * np.pi) - np.pi
        glint = 6.0 * np.exp(-((away / 0.3) ** 2)) * max(0.9 - look.sun_height_rad, 0.0)
        light += glint[:, None].astype(np.float32) * np.array(look.sun_colour, np.float32)
    found: Plane = mirror * light
    return found


def _step(value: Plane, at: float, *, soft: float) -> Plane:
    """0 below a border and 1 above it, over a soft edge."""
    share: Plane = np.clip((value - at) / soft + 0.5, 0.0, 1.0)
    return share


def _verge(
    view: View, made: Materials, at: tuple[Plane, Plane, Plane, Plane], rung: float
) -> Plane:
    """Dusty rim next to the asphalt, then grass with bare places."""
    look, (station, offset, from_middle, patchy) = view.look, at
    turf = made.turf.look_up(rung, station, offset, start=view.pose.station_m)
    bare = _step(look.paved_m + 0.55 + 0.35 * patchy + 0.2 * turf - from_middle, 0.0, soft=0.5)
    bare = np.maximum(bare, 0.75 * _step(patchy + 0.5 * turf, 2.0, soft=0.8))
    green: Plane = np.array(look.grass, np.float32) * np.exp(0.42 * turf)[..., None]
    green[..., 0] *= 1.0 + 0.22 * np.clip(patchy, -1, 2)
    tilled = _step(from_middle, look.paved_m + 7.5, soft=1.0)[..., None]
    green += tilled * (np.array(look.field, np.float32) * np.exp(0.3 * turf)[..., None] - green)
    soil = np.array(look.dust, np.float32) * (1.0 + 0.16 * turf + 0.08 * patchy)[..., None]
    green += bare[..., None] * (soil - green)
    return green
