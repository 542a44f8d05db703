"""Training crops: crop number n is a pure function of the seed and n."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sam_crack.config.schema import DataConfig
from sam_crack.data.mixture import Mixture
from sam_crack.data.photometrics import road_weather, stain_jitter
from sam_crack.data.placing import place_crop
from sam_crack.data.resample import resample
from sam_crack.data.sample import Sample
from sam_crack.data.sources import FrameSource, WholeFrame
from sam_crack.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Crop:
    """What training sees of a sample; every array shares the crop's height and width."""

    pixels: NDArray[np.uint8]
    """(height, width, 3), RGB."""
    target: NDArray[np.uint8]
    """(height, width) class index."""
    valid: NDArray[np.bool_]
    """(height, width) pixels that count in the loss."""
    sample_id: str
    instances: NDArray[np.int32] | None = None
    """(height, width) instance number, where the data set has instances."""
    region: NDArray[np.bool_] | None = None
    """(height, width) where the annotation was looked for, where that is known."""


@runtime_checkable
class Prepared(Protocol):
    """Samples of which parts can be read: a store made by `sam-crack data prepare`."""

    def frame(self, index: int) -> FrameSource:
        """Return a frame to cut from, without reading it."""


class CropDrawer:
    """Draws crops from samples, the same for any number of workers, processes and restarts."""

    def __init__(
        self,
        samples: Sequence[Sample],
        size: tuple[int, int],
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
        self.samples, self.size, self.config, self.seed = samples, size, config, seed
        self._cache: OrderedDict[int, WholeFrame] = OrderedDict()
        self._cache_room = cache_megabytes * 2**20

    def draw(self, number: int) -> Crop:
        """Return crop `number`; every sample is opened once before any is opened twice."""
        epoch, place = divmod(number // self.config.crops_per_frame, len(self.samples))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.samples))
        frame, factor = self._frame(int(order[place]))
        # One stream per question, so that no setting changes the answer to another's.
        where, turn, look, whether = (
            np.random.default_rng([self.seed, stream, number]) for stream in (1, 2, 3, 4)
        )
        resized = whether.random() < self.config.scale_share
        low, high = self.config.scale if resized else (1.0, 1.0)
        config = replace(self.config, scale=(low * factor, high * factor))
        view = place_crop(frame, self.size, config, where)
        top, left, height, width = view.box()
        part = resample(frame.cut(top, left, (height, width)), view)
        part = flip(part, turn, self.config.flip)
        pixels = road_weather(part.image, look, self.config.weather)
        if self.config.stain:
            pixels = stain_jitter(pixels, look, self.config.stain)
        uncounted = part.uncounted(within_region=self.config.region_only)
        assert uncounted is not None  # a cut always says what lies outside its frame
        return Crop(
            pixels=pixels,
            target=part.mask,
            valid=~uncounted,
            sample_id=part.id,
            instances=part.instances,
            region=part.region,
        )

    def _frame(self, index: int) -> tuple[FrameSource, float]:
        """Open a frame, and say by what factor its set is resized before anything else."""
        if not isinstance(self.samples, Mixture):
            return self._open(self.samples, index, index), 1.0
        part, place = self.samples.locate(index)
        return self._open(part.samples, place, index), part.scale

    def _open(self, samples: Sequence[Sample], place: int, index: int) -> FrameSource:
        """Open a frame: from a store, or decoded and kept among the most recently used."""
        if isinstance(samples, Prepared):
            return samples.frame(place)
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        frame = self._cache[index] = WholeFrame(samples[place])
        while (
            len(self._cache) > 1
            and sum(each.num_bytes for each in self._cache.values()) > self._cache_room
        ):
            self._cache.popitem(last=False)
        return frame


def flip(part: Sample, rng: np.random.Generator, how: str) -> Sample:
    """Mirror left and right for half of the draws; with `dihedral`, turn by quarters too.

    A road is never upside down, tissue and pavement seen from above have no up.
    """
    mirrored, quarters = rng.random() < 0.5, int(rng.integers(4))
    if how == "none" or (how == "mirror" and not mirrored):
        return part
    square = part.mask.shape[0] == part.mask.shape[1]
    turns = 0 if how == "mirror" else quarters if square else quarters // 2 * 2

    def moved(array: NDArray) -> NDArray:  # type: ignore[type-arg]
        turned = np.rot90(array, turns)
        return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)

    return replace(
        part,
        image=moved(part.image),
        mask=moved(part.mask),
        instances=moved(part.instances) if part.instances is not None else None,
        region=moved(part.region) if part.region is not None else None,
        ignore=moved(part.ignore) if part.ignore is not None else None,
    )
