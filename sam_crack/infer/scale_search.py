"""A few frames looked at in every scale of the grid, and the scale that labels speak for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput
from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Gated, Image
from sam_crack.infer.scale import GRID, grid_for, resize_image, resize_levels, scaled_size
from sam_crack.measure.metrics import ThresholdCounts, count_levels, to_level

FRAMES = 24
"""At most so many labelled frames are looked at."""

Maps = Mapping[float, NDArray[np.uint8]]


def look_at_scales(predictor: Predictor, image: Image, factors: Sequence[float]) -> Maps:
    """Return by factor the probability levels of a frame, all at the frame's own size."""
    size = (image.shape[0], image.shape[1])
    gate = predictor.gate(image)
    shown = (Gated(resize_image(image, scaled_size(size, each)), gate) for each in factors)
    found = predictor.frames(shown)
    return {each: resize_levels(one.prob, size) for each, one in zip(factors, found, strict=True)}


def calibrate(
    predictor: Predictor, samples: Iterable[Sample], *, factors: tuple[float, ...] = GRID
) -> tuple[float, dict[float, ThresholdCounts]]:
    """Return the factor with the best F1 at the predictor's threshold, and the counts of all.

    Of equals the one nearest to 1 is taken.
    """
    counts = dict.fromkeys(factors, ThresholdCounts.zero())
    for sample in samples:
        factors = grid_for((sample.mask.shape[0], sample.mask.shape[1]), factors)
        for factor, prob in look_at_scales(predictor, sample.image, factors).items():
            counts[factor] += count_levels(prob, sample.mask > 0, sample.ignore)
    if not any(each.positives.any() for each in counts.values()):
        raise BadInput(
            "labelled frames without foreground",
            "a few frames whose masks show what is to be found",
            "label a few frames that show it",
        )
    level = to_level(predictor.threshold)
    kept = {factor: counts[factor] for factor in factors}  # those that every frame could have
    best = max(kept, key=lambda f: (float(kept[f].f1_curve()[level]), -abs(np.log(f))))
    return best, kept
