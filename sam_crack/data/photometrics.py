"""What weather, light, cameras and stains do to a picture; nothing here moves a pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Rng = np.random.Generator

# Optical density of hematoxylin, eosin and a residual, as unit rows (Ruifrok & Johnston 2001).
_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
_BRIGHTEST, _DARKEST = 185.0, 25.0  # mean grey level
_STAINS /= np.linalg.norm(_STAINS, axis=1, keepdims=True)


def road_weather(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Vary light, shadow, rain, sharpness, noise and compression as on roads.

    Args:
        pixels: (height, width, 3), RGB.
        rng: Source of every choice; the same number of draws whatever the strength.
        strength: 0 changes nothing, 1 as much as roads and dashcams do. Below 0.5 there is neither
            shadow nor rain, as in tissue, X-rays and halls.
    """
    chance = rng.random(7)
    seeds = rng.integers(0, 2**63, 7)
    anywhere, outdoors = min(1.0, 2 * strength), min(1.0, max(0.0, 2 * strength - 1))
    effects = (
        (cast_shadow, 0.15 * outdoors),
        (rain_film, 0.05 * outdoors),
        (light, float(strength > 0)),
        (motion_blur, 0.1 * anywhere),
        (defocus, 0.15 * anywhere),
        (sensor_noise, 0.25 * anywhere),
        (jpeg_again, 0.2 * anywhere),
    )
    for (effect, share), drawn, seed in zip(effects, chance, seeds, strict=True):
        if drawn < share:
            pixels = effect(pixels, np.random.default_rng(seed), strength)
    return pixels


def light(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Change exposure, offset, gamma and, a little, the colour of the light."""
    gain, offset = np.exp(rng.uniform(-0.28, 0.26) * strength), rng.uniform(-25, 25) * strength
    gamma = np.exp(rng.uniform(-0.29, 0.30) * strength)
    tint = np.exp(rng.normal(0, 0.02, 3) * strength)
    base = np.linspace(0, 1, 256)[:, None] ** gamma * 255 * gain * tint + offset
    # A camera exposes so that the road is neither white nor black; so must this.
    level = float(base[round(float(pixels[::4, ::4].mean()))].mean())
    base *= min(1.0, _BRIGHTEST / max(level, 1.0))
    base += max(0.0, _DARKEST - level)
    table = np.clip(np.round(base), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table[:, None, :]), np.uint8)


def cast_shadow(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Lay the shadow of a tree, a pole or a bridge over a part of the picture."""
    height, width = pixels.shape[:2]
    centre = rng.uniform(0, 1, 2) * (width, height)
    turn, long = rng.uniform(0, np.pi), max(height, width) * 1.5
    broad = rng.uniform(0.05, 0.6) * max(height, width)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    steps = np.linspace(-1, 1, 12)[:, None]
    ragged = rng.uniform(0.6, 1.0, (2, 12, 1)) * broad / 2
    line = centre + along * steps * long
    outline = np.concatenate([line + across * ragged[0], (line - across * ragged[1])[::-1]])
    shade = np.zeros((height, width), np.float32)
    cv2.fillPoly(shade, [np.round(outline).astype(np.int32)], 1.0)
    # The sun is half a degree wide: near things have sharp shadows, far ones soft.
    shade = cv2.GaussianBlur(shade, (0, 0), rng.uniform(0.8, 0.02 * max(height, width) + 1))
    factor = 1 - shade * (1 - rng.uniform(0.5, 0.8)) * strength
    out: Bytes = np.round(pixels * factor[..., None]).astype(np.uint8)
    return out


def rain_film(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Blur and lift blotches of the picture, as water on the windscreen does."""
    height, width = pixels.shape[:2]
    cells = max(2, height // 48), max(2, width // 48)
    noise = rng.random(cells, np.float32)
    blotch = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    share = np.clip((blotch - rng.uniform(0.4, 0.7)) * 4, 0, 1)[..., None] * min(1.0, strength)
    film = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(2, 5)) * 0.9 + rng.uniform(10, 30)
    out: Bytes = np.clip(np.round(pixels * (1 - share) + film * share), 0, 255).astype(np.uint8)
    return out


def motion_blur(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Smear along the direction of travel, mostly downwards."""
    length = 2 * rng.uniform(1, 1 + 3.5 * strength)
    angle = np.deg2rad(90 + rng.normal(0, 20))
    side = int(length) // 2 * 2 + 3
    kernel = np.zeros((side, side), np.float32)
    middle = (side - 1) / 2
    for step in np.linspace(-length / 2, length / 2, 4 * side):
        x, y = middle + step * np.cos(angle), middle + step * np.sin(angle)
        kernel[round(y), round(x)] += 1
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)


def defocus(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Blur by up to 1.2 pixels."""
    sigma = 0.4 + rng.uniform(0, 0.8) * strength
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def sensor_noise(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Add noise that grows with light (photons) on noise that does not (readout)."""
    read, photon = rng.uniform(1, 5) * strength, rng.uniform(0.1, 0.5) * strength
    levels = np.sqrt(read**2 + (photon**2) * np.arange(256)).astype(np.float32)
    noise = rng.standard_normal(pixels.shape[:2], np.float32)[..., None]
    # One grain for three channels: the camera's own compression has merged their noise.
    out: Bytes = np.clip(np.round(pixels + noise * levels[pixels]), 0, 255).astype(np.uint8)
    return out


def jpeg_again(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Compress as dashcams and messengers do."""
    quality = round(95 - rng.uniform(5, 65) * min(1.0, strength))
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.cvtColor(cv2.imdecode(content, 1), cv2.COLOR_BGR2RGB), np.uint8)


def stain_jitter(pixels: Bytes, rng: Rng, strength: float = 1.0) -> Bytes:
    """Vary how much hematoxylin and eosin a slide took up (Tellez et al. 2018).

    Colours are split into stains by optical density (Beer-Lambert), scaled, and put together.
    """
    factors = rng.uniform(1 - 0.25 * strength, 1 + 0.25 * strength, 3)
    offsets = rng.uniform(-0.05, 0.05, 3) * strength
    density = -np.log((np.arange(256) + 1.0) / 256).astype(np.float32)[pixels]
    mix = (np.linalg.inv(_STAINS) * factors) @ _STAINS
    changed = density @ mix.astype(np.float32) + (offsets @ _STAINS).astype(np.float32)
    out: Bytes = np.clip(np.round(np.exp(-changed) * 256 - 1), 0, 255).astype(np.uint8)
    return out
