"""Training crops: crop number n is a pure function of the seed and n."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.config.schema import DataConfig
from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Crop:
    """What training sees of a sample."""

    pixels: NDArray[np.uint8]
    """(height, width, 3), RGB."""
    target: NDArray[np.uint8]
    """(height, width) class index."""
    valid: NDArray[np.bool_]
    """(height, width) pixels that count in the loss."""
    sample_id: str


class CropDrawer:
    """Draws crops from samples, the same for any number of workers, processes and restarts."""

    def __init__(
        self,
        samples: Sequence[Sample],
        window: tuple[int, int],
        *,
        config: DataConfig,
        seed: int,
        cache_megabytes: int = 512,
    ) -> None:
        """Keep the sequence; decoded samples stay in memory up to `cache_megabytes`."""
        if len(samples) == 0:
            raise BadInput(
                "the training split holds no samples",
                "at least one image with its mask",
                "check it with `sam-crack data check`",
            )
        self.samples, self.window, self.config, self.seed = samples, window, config, seed
        self._cache: OrderedDict[int, Sample] = OrderedDict()
        self._cache_room = cache_megabytes * 2**20

    def draw(self, number: int) -> Crop:
        """Return crop `number`; every sample comes once before any comes twice."""
        epoch, place = divmod(number, len(self.samples))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.samples))
        rng = np.random.default_rng([self.seed, 1, number])
        sample = self._sample(int(order[place]))
        crop = self._cut(sample, rng)
        return _photometric(_flip(crop, rng), rng)

    def _sample(self, index: int) -> Sample:
        """Read a sample, or take it from the most recently used ones."""
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        sample = self._cache[index] = self.samples[index]
        while (
            len(self._cache) > 1 and sum(map(_num_bytes, self._cache.values())) > self._cache_room
        ):
            self._cache.popitem(last=False)
        return sample

    def _cut(self, sample: Sample, rng: np.random.Generator) -> Crop:
        """Cut a window-sized crop at a random scale, on foreground for a share of the draws."""
        low, high = self.config.scale
        scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        size = tuple(max(1, round(side / scale)) for side in self.window)
        top, left = _corner(sample.mask, size, self.config.foreground_share, rng)
        valid = np.ones(sample.mask.shape, bool)
        if sample.ignore is not None:
            valid &= ~sample.ignore
        image, mask, valid = (
            _window(array, top, left, size) for array in (sample.image, sample.mask, valid)
        )
        if size != self.window:
            shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            to = self.window[::-1]
            image = cv2.resize(image, to, interpolation=shrink)
            mask = cv2.resize(mask, to, interpolation=cv2.INTER_NEAREST_EXACT)
            valid = cv2.resize(
                valid.astype(np.uint8), to, interpolation=cv2.INTER_NEAREST_EXACT
            ).astype(bool)
        return Crop(pixels=image, target=mask, valid=valid, sample_id=sample.id)


def _num_bytes(sample: Sample) -> int:
    arrays = (sample.image, sample.mask, sample.instances, sample.region, sample.ignore)
    return sum(array.nbytes for array in arrays if array is not None)


def _corner(
    mask: NDArray[np.uint8],
    size: tuple[int, ...],
    foreground_share: float,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Choose the top-left corner of a crop; a small frame is placed anywhere inside the crop."""
    spare = [side - wanted for side, wanted in zip(mask.shape, size, strict=True)]
    on_foreground = rng.random() < foreground_share
    anywhere = [int(rng.integers(min(0, room), max(0, room) + 1)) for room in spare]
    where = np.flatnonzero(mask) if on_foreground else np.empty(0, np.int64)
    if len(where) == 0:
        return anywhere[0], anywhere[1]
    point = np.unravel_index(int(where[rng.integers(len(where))]), mask.shape)
    shifts = [
        int(coordinate) - int(rng.integers(wanted))
        for coordinate, wanted in zip(point, size, strict=True)
    ]
    top, left = (
        int(np.clip(shift, min(0, room), max(0, room)))
        for shift, room in zip(shifts, spare, strict=True)
    )
    return top, left


def _window(array: NDArray, top: int, left: int, size: tuple[int, ...]) -> NDArray:  # type: ignore[type-arg]
    """Cut rows and columns; what lies outside the frame is zero, hence not valid."""
    out = np.zeros((*size, *array.shape[2:]), array.dtype)
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(array.shape[0], top + size[0]), min(array.shape[1], left + size[1])
    out[y0 - top : y1 - top, x0 - left : x1 - left] = array[y0:y1, x0:x1]
    return out


def _flip(crop: Crop, rng: np.random.Generator) -> Crop:
    """Mirror left and right for half of the draws; a road is never upside down."""
    if rng.random() < 0.5:
        return crop
    return Crop(
        pixels=np.ascontiguousarray(crop.pixels[:, ::-1]),
        target=np.ascontiguousarray(crop.target[:, ::-1]),
        valid=np.ascontiguousarray(crop.valid[:, ::-1]),
        sample_id=crop.sample_id,
    )


def _photometric(crop: Crop, rng: np.random.Generator) -> Crop:
    """Vary light, contrast and sharpness as weather and cameras do."""
    gain, offset, gamma = rng.uniform(0.75, 1.3), rng.uniform(-25, 25), rng.uniform(0.75, 1.35)
    levels = np.clip(np.linspace(0, 1, 256) ** gamma * 255 * gain + offset, 0, 255)
    pixels = cv2.LUT(crop.pixels, levels.astype(np.uint8))
    if rng.random() < 0.25:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.25:
        noise = rng.normal(0, rng.uniform(2, 8), pixels.shape[:2])[..., None]
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    return Crop(
        pixels=np.asarray(pixels, np.uint8),
        target=crop.target,
        valid=crop.valid,
        sample_id=crop.sample_id,
    )
