"""Scores of masks: additive integer counts first, every score a pure function of counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal, assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput

Mask = NDArray[np.bool_] | NDArray[np.uint8]
Empty = Literal["skip", "one", "zero"]
Int = NDArray[np.int64]
LEVELS = 256


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Pixels by prediction and truth; counts of several frames add up."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            tp=self.tp + other.tp,
            fp=self.fp + other.fp,
            fn=self.fn + other.fn,
            tn=self.tn + other.tn,
        )

    @property
    def is_empty(self) -> bool:
        """Whether neither truth nor prediction has foreground."""
        return self.tp + self.fp + self.fn == 0

    @property
    def pixels(self) -> int:
        """All pixels that were counted."""
        return self.tp + self.fp + self.fn + self.tn


def as_bytes(mask: Mask) -> NDArray[np.uint8]:
    """View a mask as uint8 for OpenCV, without a copy where that is possible."""
    if mask.dtype not in (np.bool_, np.uint8) or mask.ndim != 2:
        raise BadInput(
            f"a mask of {mask.dtype} with shape {mask.shape}",
            "bool or uint8 (height, width), where anything above 0 is foreground",
        )
    return np.ascontiguousarray(mask).view(np.uint8)


def check_sizes(first: Mask, *others: Mask | None) -> None:
    """Refuse masks of different sizes."""
    for other in others:
        if other is not None and other.shape != first.shape:
            raise BadInput(
                f"masks of {first.shape} and {other.shape}",
                "prediction, truth and ignore share one height and width",
            )


def count(pred: Mask, truth: Mask, ignore: Mask | None = None) -> Counts:
    """Count the pixels of one frame; ignored pixels are in none of the four."""
    check_sizes(pred, truth, ignore)
    found, there = as_bytes(pred), as_bytes(truth)
    pixels = there.size
    if ignore is not None:
        _, keep = cv2.threshold(as_bytes(ignore), 0, 255, cv2.THRESH_BINARY_INV)
        found, there = cv2.min(found, keep), cv2.min(there, keep)
        pixels = cv2.countNonZero(keep)
    tp = cv2.countNonZero(cv2.min(found, there))
    fp, fn = cv2.countNonZero(found) - tp, cv2.countNonZero(there) - tp
    return Counts(tp=tp, fp=fp, fn=fn, tn=pixels - tp - fp - fn)


def by_policy(empty: Empty, *, best: float = 1.0, worst: float = 0.0) -> float | None:
    """What a frame scores whose truth and prediction are both empty; None leaves it out."""
    match empty:
        case "skip":
            return None
        case "one":
            return best
        case "zero":
            return worst
        case _:
            assert_never(empty)


def _score(part: int, whole: int, is_empty: bool, empty: Empty) -> float | None:
    """Divide; only where truth and prediction are both empty does the policy speak."""
    if is_empty:
        return by_policy(empty)
    return part / whole if whole else 0.0


def iou(counts: Counts, *, empty: Empty) -> float | None:
    """Intersection over union of the foreground; None where the policy skips."""
    tp, miss = counts.tp, counts.fp + counts.fn
    return _score(tp, tp + miss, counts.is_empty, empty)


def f1(counts: Counts, *, empty: Empty) -> float | None:
    """Harmonic mean of precision and recall, the Dice score; None where the policy skips."""
    twice, miss = 2 * counts.tp, counts.fp + counts.fn
    return _score(twice, twice + miss, counts.is_empty, empty)


def precision(counts: Counts, *, empty: Empty) -> float | None:
    """Share of the prediction that is true; an empty prediction of a crack scores 0."""
    return _score(counts.tp, counts.tp + counts.fp, counts.is_empty, empty)


def recall(counts: Counts, *, empty: Empty) -> float | None:
    """Share of the truth that was found; 0 where only the prediction has foreground."""
    return _score(counts.tp, counts.tp + counts.fn, counts.is_empty, empty)


SCORES: dict[str, Callable[..., float | None]] = {
    "iou": iou,
    "f1": f1,
    "precision": precision,
    "recall": recall,
}


def pooled(frames: Iterable[Counts]) -> Counts:
    """Sum the counts of many frames, for scores named `*_pooled`."""
    return reduce(add, frames, Counts())


def per_image(
    frames: Iterable[Counts], score: Callable[..., float | None], *, empty: Empty
) -> float | None:
    """Mean of a score over frames, for scores named `*_per_image`; None if all are skipped."""
    values = [value for frame in frames if (value := score(frame, empty=empty)) is not None]
    return sum(values) / len(values) if values else None


def fp_per_clean_megapixel(frames: Iterable[Counts]) -> float | None:
    """False-positive pixels per megapixel of frames without foreground; None without such."""
    clean = pooled(frame for frame in frames if frame.tp + frame.fn == 0)
    return 1e6 * clean.fp / clean.pixels if clean.pixels else None


def to_level(threshold: float) -> int:
    """Level of 0..255 from which a probability counts as foreground; never 0, the unseen."""
    return max(1, int(np.ceil(threshold * 255 - 1e-6)))


@dataclass(frozen=True, eq=False)
class ThresholdCounts:
    """Histograms of probability levels under and off the truth: counts at every threshold."""

    positives: Int
    """(256,) foreground pixels at each level."""
    negatives: Int
    """(256,) background pixels at each level."""

    @classmethod
    def zero(cls) -> ThresholdCounts:
        """Return the neutral element of addition."""
        return cls(np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64))

    def __add__(self, other: ThresholdCounts) -> ThresholdCounts:
        return ThresholdCounts(self.positives + other.positives, self.negatives + other.negatives)

    def at(self, level: int) -> Counts:
        """Counts when levels from `level` on are foreground."""
        tp, fp = int(self.positives[level:].sum()), int(self.negatives[level:].sum())
        fn, tn = int(self.positives.sum()) - tp, int(self.negatives.sum()) - fp
        return Counts(tp=tp, fp=fp, fn=fn, tn=tn)

    def curve(self) -> tuple[Int, Int, int]:
        """True and false positives at thresholds 0..255, and the number of positives."""
        tp = self.positives[::-1].cumsum()[::-1]
        fp = self.negatives[::-1].cumsum()[::-1]
        return tp, fp, int(tp[0])

    def f1_curve(self) -> NDArray[np.float64]:
        """F1 at thresholds 0..255; 0 where nothing is true and nothing predicted."""
        tp, fp, truth = self.curve()
        scores: NDArray[np.float64] = 2.0 * tp / np.maximum(tp + fp + truth, 1)
        return scores

    def best(self) -> tuple[float, float]:
        """Threshold in (0, 1] with the highest F1, and that F1; the middle one of a tie."""
        scores = self.f1_curve()[1:]
        ties = np.flatnonzero(scores == scores.max()) + 1
        return int(ties[len(ties) // 2]) / 255, float(scores.max())

    def average_precision(self) -> float | None:
        """Area under the precision steps over recall; None without any positive."""
        tp, fp, truth = self.curve()
        if truth == 0:
            return None
        exact = (tp / np.maximum(tp + fp, 1))[::-1]
        gains = np.diff(tp[::-1], prepend=0)
        return float((exact * gains).sum() / truth)


def count_levels(
    prob: NDArray[np.uint8], truth: Mask, ignore: Mask | None = None
) -> ThresholdCounts:
    """Histogram the probability levels of one frame by truth."""
    check_sizes(truth, prob, ignore)
    there = as_bytes(truth)
    keep = None
    if ignore is not None:
        _, keep = cv2.threshold(as_bytes(ignore), 0, 255, cv2.THRESH_BINARY_INV)
        there = cv2.min(there, keep)
    everything, positives = histogram(prob, keep), histogram(prob, there)
    return ThresholdCounts(positives, everything - positives)


def histogram(levels: NDArray[np.uint8], mask: NDArray[np.uint8] | None) -> Int:
    """Count levels under a mask; in strips, because OpenCV counts in float32, exact to 2^24."""
    total = np.zeros(LEVELS, np.int64)
    strip = max(1, 2**24 // levels.shape[1])
    for row in range(0, levels.shape[0], strip):
        part = None if mask is None else mask[row : row + strip]
        hist = cv2.calcHist([levels[row : row + strip]], [0], part, [LEVELS], [0, LEVELS])
        total += hist.ravel().astype(np.int64)
    return total


def pooled_levels(frames: Sequence[ThresholdCounts]) -> ThresholdCounts:
    """Sum the histograms of many frames."""
    return reduce(add, frames, ThresholdCounts.zero())
