"""Whether a probability of 0.7 is right in seven cases of ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.metrics import LEVELS, Empty, ThresholdCounts, by_policy

Float = NDArray[np.float64]
NUM_BINS = 15
FLOOR = 0.1
"""Probability from which a pixel belongs to what `ece@0.1` looks at."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reliability:
    """Bins of equal width over the probability, with what was said and what was true."""

    said: Float
    """Mean probability of each bin; NaN where the bin is empty."""
    true: Float
    """Share of foreground in each bin; NaN where the bin is empty."""
    pixels: NDArray[np.int64]
    """Pixels in each bin."""


def reliability(counts: ThresholdCounts, *, num_bins: int = NUM_BINS) -> Reliability:
    """Bin the 256 levels; the last bin holds probability 1."""
    levels = np.arange(LEVELS)
    place = np.minimum(levels * num_bins // (LEVELS - 1), num_bins - 1)
    pixels, true, said = (
        np.bincount(place, weights=weights, minlength=num_bins)
        for weights in (
            counts.positives + counts.negatives,
            counts.positives,
            (counts.positives + counts.negatives) * (levels / (LEVELS - 1)),
        )
    )
    with np.errstate(invalid="ignore"):
        shares = said / pixels, true / pixels
    return Reliability(said=shares[0], true=shares[1], pixels=pixels.astype(np.int64))


def ece(
    counts: ThresholdCounts, *, floor: float = 0.0, num_bins: int = NUM_BINS, empty: Empty
) -> float | None:
    """Expected calibration error (Guo et al. 2017, eq. 3) of the foreground probability.

    Over all pixels it is small for whoever says nothing, because nearly all pixels are background.
    A `floor` looks only at pixels of at least that probability; if there are none although there
    is foreground, the error is 1. Where nothing is true and nothing said, the policy speaks.
    """
    first = int(np.ceil(floor * (LEVELS - 1) - 1e-6))
    if not (counts.positives[first:].sum() + counts.negatives[first:].sum()):
        return 1.0 if counts.positives.any() else by_policy(empty, best=0.0, worst=1.0)
    kept = np.arange(LEVELS) >= first
    bins = reliability(
        ThresholdCounts(counts.positives * kept, counts.negatives * kept), num_bins=num_bins
    )
    filled = bins.pixels > 0
    gap = np.abs(bins.said[filled] - bins.true[filled])
    return float((gap * bins.pixels[filled]).sum() / bins.pixels.sum())
