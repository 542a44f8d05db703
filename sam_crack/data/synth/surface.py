"""Ground textures that repeat without a seam, prefiltered for every distance they are seen from.

A road seen from a dashcam is sampled at very different distances along and across: at 30 m a pixel
is about 1 cm wide and 25 cm long. A texture is therefore kept as a ladder: rung k is averaged over
the footprint that a pixel has at `NEAR_M * 2**(k / 2)` metres, and a frame row mixes two rungs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.camera import Camera

Plane = NDArray[np.float32]
NEAR_M = 2.0
RUNGS = 14


@dataclass(frozen=True)
class Footprint:
    """The ground that one pixel sees at some distance, metres."""

    along_m: float
    across_m: float


def footprint(camera: Camera, distance_m: float) -> Footprint:
    """Ground size of a pixel straight ahead."""
    across = distance_m / camera.focal_px
    return Footprint(distance_m * across / camera.height_m, across)


@dataclass(frozen=True)
class Texture:
    """A repeating plane in station (rows) and offset (columns), zero mean."""

    plane: Plane
    texel_m: float

    def ladder(self, camera: Camera) -> Ladder:
        """Average the texture for every rung."""
        rungs = []
        for rung in range(RUNGS):
            print_ = footprint(camera, NEAR_M * 2 ** (rung / 2))
            rows = _power(print_.along_m / self.texel_m, self.plane.shape[0])
            columns = _power(print_.across_m / self.texel_m, self.plane.shape[1])
            height, width = self.plane.shape
            shape = (height // rows, rows, width // columns, columns)
            mean = self.plane.reshape(shape).mean(axis=(1, 3), dtype=np.float32)
            rungs.append((np.ascontiguousarray(mean), rows, columns))
        return Ladder(tuple(rungs), self.texel_m, self.plane.shape)


def _power(ratio: float, limit: int) -> int:
    """Nearest power of two that is no larger than a quarter of the texture."""
    return int(min(2 ** max(round(np.log2(ratio)), 0), limit // 4))


@dataclass(frozen=True)
class Ladder:
    """A texture's rungs: plane, texels averaged along, texels averaged across."""

    rungs: tuple[tuple[Plane, int, int], ...]
    texel_m: float
    shape: tuple[int, ...]

    def look_up(self, rung: float, station: Plane, offset: Plane, *, start: float) -> Plane:
        """Read the texture for pixels whose station (counted from `start`) and offset are given."""
        low = min(int(rung), RUNGS - 2)
        height = self.shape[0] * self.texel_m
        turned = float(start % height)  # in float64: float32 could not hold a long drive's texels
        parts = []
        for plane, rows, columns in self.rungs[low : low + 2]:
            row = (station + np.float32(turned)) * np.float32(1 / self.texel_m / rows)
            column = offset * np.float32(1 / self.texel_m / columns)
            row += np.float32(0.5 / rows - 0.5)
            column += np.float32(0.5 / columns - 0.5)
            parts.append(
                cv2.remap(plane, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            )
        mixed: Plane = cv2.addWeighted(parts[0], 1 - (rung - low), parts[1], rung - low, 0.0)
        return mixed


def shaped_noise(
    rng: np.random.Generator, shape: tuple[int, int], weight: Callable[[Plane, Plane], Plane]
) -> Plane:
    """Repeating Gaussian noise, unit variance, with the given weight of (row, column) frequency."""
    white = rng.standard_normal(shape, dtype=np.float32)
    spectrum = np.fft.rfft2(white)
    rows = np.abs(np.fft.fftfreq(shape[0]).astype(np.float32))[:, None]
    columns = np.fft.rfftfreq(shape[1]).astype(np.float32)[None, :]
    spectrum *= weight(rows, columns)
    spectrum[0, 0] = 0
    plane = np.fft.irfft2(spectrum, s=shape).astype(np.float32)
    unit: Plane = plane / plane.std()
    return unit


def band(size: float, *, stretch: float = 1.0) -> Callable[[Plane, Plane], Plane]:
    """Grains of about `size` texels, drawn out along the road `stretch` times."""

    def weight(rows: Plane, columns: Plane) -> Plane:
        radius = np.sqrt((rows * stretch) ** 2 + columns**2) * size
        kept: Plane = radius**2 * np.exp(-2.0 * radius**2)
        return kept

    return weight


def cloud(slope: float, *, stretch: float = 1.0, longest: float = 1.0) -> Callable[..., Plane]:
    """Blotches of all sizes, the larger the stronger; `longest` caps them, in texture sides."""

    def weight(rows: Plane, columns: Plane) -> Plane:
        radius = np.sqrt((rows * stretch) ** 2 + columns**2)
        floor = np.float32(1.0 / (longest * rows.shape[0]))
        kept: Plane = 1.0 / np.maximum(radius, floor) ** slope
        kept[radius < floor / 1.5] = 0
        return kept

    return weight


@dataclass(frozen=True)
class Materials:
    """The ladders one drive reads its ground from."""

    grain: Ladder
    """Aggregate of the asphalt: stones, binder and pores, 1.25 mm a texel."""
    patchy: Ladder
    """Blotches and streaks of wear, 2 cm a texel."""
    tone: Ladder
    """Slow changes along the road, 20 cm a texel."""
    turf: Ladder
    """Grass and bare soil, 1 cm a texel."""


def asphalt_grain(rng: np.random.Generator, side: int = 2048) -> Plane:
    """Stones in dark binder with pores and a few bright faces; zero mean, about unit contrast."""
    stones = shaped_noise(rng, (side, side), band(5.5))
    sand = shaped_noise(rng, (side, side), band(2.2))
    large = shaped_noise(rng, (side, side), band(11.0))
    clumps = shaped_noise(rng, (side, side), band(26.0))
    plane = 0.6 * np.tanh(2.2 * stones) + 0.5 * sand + 0.35 * np.tanh(2 * large) + 0.14 * clumps
    plane -= 1.5 * np.maximum(0.6 * large - 0.6 * stones - 0.9, 0)  # pores between stones
    plane += 2.2 * np.maximum(0.8 * stones + 0.45 * sand - 1.5, 0)  # faces that catch the light
    plane += 2.6 * np.maximum(0.9 * large + 0.3 * sand - 1.9, 0)  # single pale stones
    unit: Plane = (plane - plane.mean()) / plane.std()
    return unit


@lru_cache(maxsize=2)
def materials(seed: int, camera: Camera) -> Materials:
    """Make the textures of a drive, once for all its frames."""
    rng = np.random.default_rng([seed, 23])
    coarse = 1 if camera.focal_px > 1000 else 4  # small pictures never see the finest rungs
    side = 1024 // min(coarse, 2)
    whole = (side, side)
    grain = asphalt_grain(rng, 2048 // coarse)
    streaks = shaped_noise(rng, whole, cloud(1.2, stretch=9.0, longest=0.12))
    blotches = shaped_noise(rng, whole, cloud(1.0, longest=0.12))
    tone = shaped_noise(rng, (512, 512), cloud(1.5, stretch=3.0, longest=0.2))
    tufts = shaped_noise(rng, whole, band(7.0 * side / 1024)) * 0.55
    tufts += shaped_noise(rng, whole, cloud(1.2, longest=0.25)) * 0.75
    return Materials(
        Texture(grain, 0.00125).ladder(camera),
        Texture(0.7 * streaks + 0.65 * blotches, 20.48 / side).ladder(camera),
        Texture(tone, 0.2).ladder(camera),
        Texture(tufts, 10.24 / side).ladder(camera),
    )
