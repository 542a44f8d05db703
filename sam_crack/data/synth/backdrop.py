"""Sky, clouds, hills and the far treeline."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.look import Look
from sam_crack.data.synth.surface import band, cloud, shaped_noise
from sam_crack.data.synth.view import View

Plane = NDArray[np.float32]
COARSE = 4
"""The sky is computed at this fraction of the frame and enlarged."""


def haze_colour(look: Look) -> NDArray[np.float32]:
    """Colour that far things fade into."""
    match look.sky:
        case "overcast":
            return np.array([0.62, 0.65, 0.68], np.float32)
        case "low_sun":
            return np.array([0.78, 0.62, 0.46], np.float32)
        case _:
            return np.array([0.56, 0.66, 0.78], np.float32)


def draw_backdrop(view: View, rows: int) -> Plane:
    """Light of the first `rows` rows of a frame, linear RGB."""
    look, width = view.look, view.camera.size[1]
    small = (max(math.ceil(rows / COARSE), 2), max(math.ceil(width / COARSE), 2))
    y = np.linspace(0, rows - 1, small[0], dtype=np.float32)
    x = np.linspace(0, width - 1, small[1], dtype=np.float32)
    y0, x0 = view.camera.principal
    pitch = math.radians(look.pitch_deg)
    climb = (np.float32(y0) - y) / np.float32(view.camera.focal_px)
    up = climb * math.cos(pitch) - math.sin(pitch)
    ahead = math.cos(pitch) + climb * math.sin(pitch)
    across = (x - np.float32(x0)) / np.float32(view.camera.focal_px)
    tangent = np.maximum(up / ahead, 0.004)[:, None]
    sky = _sky(look, tangent, np.broadcast_to(across, small))
    if look.sky != "clear":
        _clouds(view, sky, tangent, across[None, :] / ahead[:, None])
    full: Plane = cv2.resize(sky, (width, rows), interpolation=cv2.INTER_LINEAR)
    _skyline(view, full)
    return full


def _sky(look: Look, tangent: Plane, across: Plane) -> Plane:
    """Blue to milky towards the horizon, brighter near the sun; even under a closed sky."""
    low = np.exp(-tangent / 0.16)[..., None]
    haze = haze_colour(look)
    zenith = np.array([0.52, 0.56, 0.6] if look.sky == "overcast" else [0.13, 0.27, 0.56])
    sky = zenith.astype(np.float32) * (1 - low) + haze * low
    sky = np.broadcast_to(sky, (*across.shape, 3)).astype(np.float32)
    if look.sun > 0:
        side = np.arctan(across) - math.remainder(look.sun_azimuth_rad, 2 * math.pi)
        away = side**2 + (np.arctan(tangent) - look.sun_height_rad) ** 2
        glow = 0.5 * np.exp(-away / 0.18) + 4.0 * np.exp(-away / 0.004)
        sky += glow[..., None].astype(np.float32) * np.array(look.sun_colour, np.float32)
    return sky


@lru_cache(maxsize=2)
def _cloud_plane(seed: int) -> Plane:
    return shaped_noise(np.random.default_rng([seed, 41]), (1024, 1024), cloud(1.75, longest=0.3))


def _clouds(view: View, sky: Plane, tangent: Plane, across: Plane) -> None:
    """A cloud layer at a fixed height, drifting past as the vehicle goes."""
    look = view.look
    plane = _cloud_plane(round(look.focal_widths * 1e4))
    turn = math.radians(view.pose.heading_deg)
    far = 1.0 / tangent
    side = across * far
    east = side * math.cos(turn) + far * math.sin(turn)
    north = -side * math.sin(turn) + far * math.cos(turn)
    scale = np.float32(70.0)
    thick = cv2.remap(
        plane,
        (east * scale).astype(np.float32),
        (north * scale).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    cover = {"overcast": -1.4, "broken": 0.25, "low_sun": 0.7, "clear": 1.5}[look.sky]
    share = np.clip((thick - cover) / 0.9, 0, 1) * np.clip(tangent / 0.05, 0, 1)
    bright = np.clip(0.95 - 0.16 * np.maximum(thick, -1), 0.5, 1.1)
    colour = np.array([1.0, 0.84, 0.68] if look.sky == "low_sun" else [0.98, 0.99, 1.0], np.float32)
    sky += (share * 0.9)[..., None] * (bright[..., None] * colour * 0.95 - sky)


@lru_cache(maxsize=1)
def _leaf_plane() -> Plane:
    return shaped_noise(np.random.default_rng(45), (512, 512), band(6.0))


def _skyline(view: View, frame: Plane) -> None:
    """Two ridges and a treeline that stay where they are while the heading turns."""
    width, look = view.camera.size[1], view.look
    column = np.arange(width)
    _, x0 = view.camera.principal
    bearing = np.radians(view.pose.heading_deg) + np.arctan((column - x0) / view.camera.focal_px)
    level = _horizon_px(view)
    haze = haze_colour(look)
    rng = np.random.default_rng([round(look.height_m * 1000), round(look.pitch_deg * 100), 43])
    along = np.mod(bearing * view.camera.focal_px, 512.0)
    layers = ((0.05, 3.0, 0.85, 0.0), (0.026, 7.0, 0.62, 0.001), (0.011, 11.0, 0.3, 0.0026))
    for tall, wave, hazy, spiky in layers:
        profile = np.zeros(width)
        for octave in range(4):
            phase = rng.uniform(0, 2 * np.pi)
            profile += np.sin(bearing * wave * 2**octave + phase) / 1.7**octave
        profile = tall * (0.62 + 0.26 * profile)
        for fineness, part_of in ((150.0, 0.5), (420.0, 0.6), (1000.0, 0.3)):
            knots = np.abs(rng.normal(size=4096))
            at = np.mod(bearing * fineness, 4096.0)
            profile += spiky * part_of * np.interp(at, np.arange(4096), knots, period=4096.0)
        top = level - np.maximum(profile, 0.002) * view.camera.focal_px
        first = max(int(top.min()) - 1, 0)
        rows = np.arange(first, frame.shape[0], dtype=np.float32)[:, None]
        share = np.clip(rows - top[None, :].astype(np.float32), 0, 1)[..., None]
        colour = np.array([0.045, 0.075, 0.03], np.float32) * (1 - hazy) + haze * hazy * 0.75
        leaves = cv2.remap(
            _leaf_plane(),
            np.broadcast_to(along[None, :], (len(rows), width)).astype(np.float32),
            np.broadcast_to(rows * np.float32(1.4), (len(rows), width)).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        shade = 1 + np.float32(0.22 * (1 - hazy) ** 2) * leaves[..., None]
        part = frame[first:]
        part += share * (colour * shade - part)


def _horizon_px(view: View) -> float:
    y0, _ = view.camera.principal
    return y0 - view.camera.focal_px * math.tan(math.radians(view.look.pitch_deg))
