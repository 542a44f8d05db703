"""Scores that look at every threshold: `ods@Npx`, `ois@Npx`, and one that must not be believed.

All of them take the best threshold of the very frames that are scored. They describe a model's
ranking of pixels; no threshold found here may be carried into any other figure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.metrics import (
    LEVELS,
    Empty,
    Int,
    Mask,
    ThresholdCounts,
    as_bytes,
    by_policy,
    check_sizes,
    histogram,
)

Float = NDArray[np.float64]
NUM_THRESHOLDS = 100
"""Thresholds 0.00, 0.01 .. 0.99 of `miou2_testmax`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TolerantLevels:
    """Histograms from which tolerant precision and recall follow at every level; frames add up."""

    pred_near: Int
    """(256,) pixels within the radius of the truth, by their level."""
    pred_all: Int
    """(256,) all pixels, by their level."""
    truth_near: Int
    """(256,) true pixels, by the highest level within the radius."""

    @classmethod
    def zero(cls) -> TolerantLevels:
        """Return the neutral element of addition."""
        none = np.zeros(LEVELS, np.int64)
        return cls(pred_near=none, pred_all=none, truth_near=none)

    def __add__(self, other: TolerantLevels) -> TolerantLevels:
        return TolerantLevels(
            pred_near=self.pred_near + other.pred_near,
            pred_all=self.pred_all + other.pred_all,
            truth_near=self.truth_near + other.truth_near,
        )

    def f1_curve(self) -> Float:
        """F1 at levels 0..255; 0 where nothing is hit."""
        hit, found, near = (
            side[::-1].cumsum()[::-1] for side in (self.pred_near, self.pred_all, self.truth_near)
        )
        precision, recall = hit / np.maximum(found, 1), near / max(int(near[0]), 1)
        scores: Float = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        return scores


def count_tolerant_levels(
    prob: NDArray[np.uint8], truth: Mask, *, radius_px: int, ignore: Mask | None = None
) -> TolerantLevels:
    """Count one frame for every threshold at once: one dilation of truth, one of probability."""
    check_sizes(truth, prob, ignore)
    _, there = cv2.threshold(as_bytes(truth), 0, 255, cv2.THRESH_BINARY)
    levels = as_bytes(prob)
    everything = histogram(levels, None)
    if ignore is not None:
        drop = as_bytes(ignore) > 0
        there[drop] = 0
        everything = everything - histogram(levels, drop.view(np.uint8))
        levels = np.where(drop, 0, levels).astype(np.uint8)  # reaches no true pixel from here
    left, top, width, height = cv2.boundingRect(there)
    if not width:
        none = np.zeros(LEVELS, np.int64)
        return TolerantLevels(pred_near=none, pred_all=everything, truth_near=none)
    rows = slice(max(0, top - radius_px), top + height + radius_px)
    columns = slice(max(0, left - radius_px), left + width + radius_px)
    there, levels = (np.ascontiguousarray(side[rows, columns]) for side in (there, levels))
    disk = _disk(radius_px)
    near = cv2.dilate(there, disk)
    if ignore is not None:
        near[np.ascontiguousarray(drop[rows, columns])] = 0
    return TolerantLevels(
        pred_near=histogram(levels, np.asarray(near, np.uint8)),
        pred_all=everything,
        truth_near=histogram(np.asarray(cv2.dilate(levels, disk), np.uint8), there),
    )


def ods(total: TolerantLevels, *, empty: Empty) -> float | None:
    """Return the highest F1 of one threshold for all frames: `ods@Npx` of summed counts.

    A level of 0 is never foreground. Where no frame has truth, the policy speaks if some threshold
    predicts nothing; a prediction that none of them empties scores 0.
    """
    if int(total.truth_near.sum()) == 0 and int(total.pred_all[-1]) == 0:
        return by_policy(empty)
    return float(total.f1_curve()[1:].max())


def ois(frames: Iterable[TolerantLevels], *, empty: Empty) -> float | None:
    """Return the mean over frames of each one's own highest F1: `ois@Npx`."""
    values = [score for frame in frames if (score := ods(frame, empty=empty)) is not None]
    return sum(values) / len(values) if values else None


def miou2_curve(frame: ThresholdCounts, *, empty: Empty) -> Float:
    """Return the mean of foreground and background IoU at 100 thresholds; NaN where skipped.

    The frame's output is divided by its own maximum first, and a pixel is foreground above the
    threshold, as in the evaluation of the SCSegamba and MixerCSeg family. Where neither side has
    background, the foreground speaks for both.
    """
    seen = np.flatnonzero(frame.positives + frame.negatives)
    top = int(seen[-1]) if len(seen) else 0
    # The smallest level above number / 100 of the maximum, in whole numbers.
    levels = np.arange(NUM_THRESHOLDS) * top // NUM_THRESHOLDS + 1
    tp, fp, truth = frame.curve()
    tp, fp = (np.append(side, 0)[levels] for side in (tp, fp))
    fn, tn = truth - tp, int(frame.negatives.sum()) - fp
    whole, other = tp + fp + fn, tn + fp + fn
    empty_score = by_policy(empty)
    foreground = np.where(
        whole > 0, tp / np.maximum(whole, 1), np.nan if empty_score is None else empty_score
    )
    background = np.where(other > 0, tn / np.maximum(other, 1), foreground)
    curve: Float = (foreground + background) / 2
    return curve


def _disk(radius_px: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    return np.asarray(y * y + x * x <= radius_px * radius_px, np.uint8)
