"""From light to a picture: lens, exposure, tone curve and sensor, as a dashcam has them."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.look import Look
from sam_crack.data.synth.view import View

Plane = NDArray[np.float32]
Picture = NDArray[np.uint8]
STEPS = 4096
BRIGHTEST = 4.0
MID_GREY = 0.19
SHIFTS = 256


@lru_cache(maxsize=1)
def _curve() -> Picture:
    """Linear light (in 1/STEPS) to 8 bits: the sRGB curve with a shoulder above mid grey."""
    light = np.arange(int(STEPS * BRIGHTEST)) / STEPS
    bent = np.where(light < 0.45, light, 0.45 + 0.55 * (1 - np.exp(-(light - 0.45) / 0.62)))
    srgb = np.where(bent < 0.0031308, 12.92 * bent, 1.055 * bent ** (1 / 2.4) - 0.055)
    steep = srgb + 0.035 * np.sin(2 * np.pi * np.clip(srgb, 0, 1)) * -1  # a little contrast
    curve: Picture = np.clip(np.round(steep * 255), 0, 255).astype(np.uint8)
    return curve


def develop(view: View, light: Plane, rng: np.random.Generator) -> Picture:
    """Turn linear light (height, width, 3) into an 8-bit RGB picture."""
    look = view.look
    picture = np.empty(light.shape, np.uint8)
    gain = look.exposure * MID_GREY / float(np.mean(look.asphalt)) * STEPS
    kept = _falloff(view.camera.size, look.vignette)
    for start in range(0, light.shape[0], 64):
        rows = slice(start, start + 64)
        part = light[rows] * (kept[rows, :, None] * np.float32(gain))
        np.clip(part, 0, STEPS * BRIGHTEST - 1, out=part)
        picture[rows] = _curve()[part.astype(np.uint16)]
    _smear(view, picture)
    sigma = look.blur_px * max(view.camera.size[1] / 3840, 0.45)
    soft = cv2.GaussianBlur(picture, (0, 0), sigma)
    picture = _sharpen(soft, sigma)
    return _sensor(look, picture, rng)


@lru_cache(maxsize=1)
def _falloff(size: tuple[int, int], vignette: float) -> Plane:
    """Light kept towards the corners."""
    height, width = size
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(height / width)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    radius = (x * x + y * y) / np.float32(1 + (height / width) ** 2)
    lost = np.float32(vignette) * radius * (np.float32(0.6) + np.float32(0.4) * radius)
    kept: Plane = (1.0 - lost).astype(np.float32)
    return kept


def _smear(view: View, picture: Picture) -> None:
    """Blur of the near road from driving during the exposure: along the rows' motion."""
    moved_m = view.look.speed_mps * view.look.shutter_s
    along = view.ahead_m**2 / (view.camera.focal_px * view.camera.height_m)
    rows_px = np.clip(np.round(moved_m / along).astype(int), 1, 9)
    source = picture[view.horizon :].copy()
    for length in range(2, int(rows_px.max()) + 1):
        hit = np.flatnonzero(rows_px == length)
        first, last = int(hit[0]), int(hit[-1]) + 1
        wide = slice(max(first - 6, 0), min(last + 6, len(source)))
        blurred = cv2.blur(source[wide], (1, length))
        inner = slice(first - wide.start, last - wide.start)
        picture[view.horizon + first : view.horizon + last] = blurred[inner]


def _sharpen(soft: Picture, sigma: float) -> Picture:
    """The halo that cheap cameras add."""
    wide = cv2.GaussianBlur(soft, (0, 0), 2.2 * sigma)
    halo: Picture = cv2.addWeighted(soft, 1.5, wide, -0.5, 0)
    return halo


@lru_cache(maxsize=1)
def _noise(size: tuple[int, int], strength: float) -> NDArray[np.int16]:
    """A field of sensor noise larger than the frame, of which every frame takes another part.

    In brightness mostly, with coarse specks of colour, as in-camera smoothing leaves it.
    """
    height, width = size[0] + SHIFTS, size[1] + SHIFTS
    rng = np.random.default_rng(round(strength * 1e6))
    fine = rng.standard_normal((height, width), dtype=np.float32)
    coarse = rng.standard_normal(((height + 2) // 3, (width + 2) // 3, 3), dtype=np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) * 0.5
    field += fine[..., None]
    noise: NDArray[np.int16] = np.round(field * strength).astype(np.int16)
    return noise


def _sensor(look: Look, picture: Picture, rng: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    top, left = (int(shift) for shift in rng.integers(0, SHIFTS, 2))
    field = _noise((height, width), look.noise)[top : top + height, left : left + width]
    seen: Picture = cv2.add(picture, field, dtype=cv2.CV_8U)
    return seen
