"""Everything that is counted in one frame, and each score as a function of what was summed.

A frame becomes named arrays that add up. Whatever is reported, pooled or per image, for all frames
or for a bootstrap resample of them, is computed from such sums and from nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure import metrics
from sam_crack.measure.calibration import FLOOR, ece
from sam_crack.measure.metrics import (
    Counts,
    Empty,
    Mask,
    ThresholdCounts,
    count,
    count_levels,
    to_level,
)
from sam_crack.measure.surface import assd, hd95, measure_surfaces
from sam_crack.measure.thresholds import (
    NUM_THRESHOLDS,
    TolerantLevels,
    count_tolerant_levels,
    miou2_curve,
    ods,
)
from sam_crack.measure.tolerant import LineCounts, Matches, count_boundaries, count_lines
from sam_crack.measure.topology import Parts, betti0_error, count_parts

Sums = Mapping[str, NDArray[np.float64]]
LINE_PX, BOUNDARY_PX, TOLERANCE_PX = 4, 2, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameCounts:
    """One frame at one threshold."""

    counts: Counts
    lines: LineCounts
    boundaries: Matches
    levels: ThresholdCounts
    tolerant: TolerantLevels
    parts: Parts
    distances: Mapping[Empty, tuple[float | None, float | None]]
    """Policy to HD95 and ASSD in pixels."""


def count_frame(
    prob: NDArray[np.uint8], truth: Mask, *, threshold: float, ignore: Mask | None = None
) -> FrameCounts:
    """Count all that any score needs; the threshold comes from elsewhere, never from here."""
    pred = prob >= to_level(threshold)
    surfaces = measure_surfaces(pred, truth, ignore)
    policies: tuple[Empty, ...] = ("skip", "one", "zero")
    return FrameCounts(
        counts=count(pred, truth, ignore),
        lines=count_lines(pred, truth, radius_px=LINE_PX, ignore=ignore),
        boundaries=count_boundaries(pred, truth, radius_px=BOUNDARY_PX, ignore=ignore),
        levels=count_levels(prob, truth, ignore),
        tolerant=count_tolerant_levels(prob, truth, radius_px=TOLERANCE_PX, ignore=ignore),
        parts=count_parts(pred, truth, ignore),
        distances={p: (hd95(surfaces, empty=p), assd(surfaces, empty=p)) for p in policies},
    )


PER_IMAGE: dict[str, Callable[[FrameCounts, Empty], float | None]] = {
    "iou": lambda f, e: metrics.iou(f.counts, empty=e),
    "f1": lambda f, e: metrics.f1(f.counts, empty=e),
    "precision": lambda f, e: metrics.precision(f.counts, empty=e),
    "recall": lambda f, e: metrics.recall(f.counts, empty=e),
    "cldice": lambda f, e: f.lines.skeletons.f1(empty=e),
    f"cliou@{LINE_PX}px": lambda f, e: metrics.iou(f.lines.dilated, empty=e),
    f"bf1@{BOUNDARY_PX}px": lambda f, e: f.boundaries.f1(empty=e),
    "ois@0px": lambda f, e: _best_f1(f.levels, e),
    f"ois@{TOLERANCE_PX}px": lambda f, e: ods(f.tolerant, empty=e),
    "hd95_px": lambda f, e: f.distances[e][0],
    "assd_px": lambda f, e: f.distances[e][1],
    "betti0_error": lambda f, e: betti0_error(f.parts, empty="skip" if e == "zero" else e),
}
"""Scores of one frame; their mean over frames is reported."""


def _best_f1(levels: ThresholdCounts, empty: Empty) -> float | None:
    """Return the F1 of the best threshold; the policy speaks where one leaves both sides empty."""
    if not levels.positives.any() and not levels.negatives[-1]:
        return metrics.by_policy(empty)
    return levels.best()[1]


def image_scores(frame: FrameCounts, *, empty: Empty) -> dict[str, float | None]:
    """Return every score of one frame."""
    return {name: score(frame, empty) for name, score in PER_IMAGE.items()}


def sums_of(frame: FrameCounts, *, empty: Empty) -> Sums:
    """Return what adds up over frames, by name."""
    counts, lines, levels = astuple(frame.counts), frame.lines, frame.levels
    has_truth = frame.counts.tp + frame.counts.fn > 0
    curve = miou2_curve(levels, empty=empty)
    known = np.isfinite(curve)
    sums: dict[str, object] = {
        "pixels": counts,
        "clean": (0,) * 4 if has_truth else counts,
        "skeletons": astuple(lines.skeletons),
        "dilated": astuple(lines.dilated),
        "boundaries": astuple(frame.boundaries),
        "levels": (levels.positives, levels.negatives),
        "tolerant": (frame.tolerant.pred_near, frame.tolerant.pred_all, frame.tolerant.truth_near),
        "miou2": (np.where(known, curve, 0.0), known),
        "frames": (1, has_truth),
    }
    for name, score in image_scores(frame, empty=empty).items():
        sums[name] = (0.0, 0) if score is None else (score, 1)
    return {name: np.array(values, np.float64) for name, values in sums.items()}


def add_up(frames: Iterable[Sums]) -> Sums:
    """Sum frames in the order given."""
    total: dict[str, NDArray[np.float64]] = {}
    for frame in frames:
        for name, values in frame.items():
            total[name] = total[name] + values if name in total else values
    return total


def _counts(sums: Sums, name: str) -> Counts:
    tp, fp, fn, tn = (int(value) for value in sums[name])
    return Counts(tp=tp, fp=fp, fn=fn, tn=tn)


def _matches(sums: Sums, name: str) -> Matches:
    pred_hit, pred_total, truth_hit, truth_total = (int(value) for value in sums[name])
    return Matches(
        pred_hit=pred_hit, pred_total=pred_total, truth_hit=truth_hit, truth_total=truth_total
    )


def levels_of(sums: Sums) -> ThresholdCounts:
    """Return the histograms of levels, for curves."""
    positives, negatives = sums["levels"].astype(np.int64)
    return ThresholdCounts(positives, negatives)


def _tolerant(sums: Sums) -> TolerantLevels:
    near, everything, truth = sums["tolerant"].astype(np.int64)
    return TolerantLevels(pred_near=near, pred_all=everything, truth_near=truth)


def _miou2(sums: Sums) -> float | None:
    """Return the "mIoU" of a family of papers: best of 100 thresholds on test, both classes.

    Only for comparison with their tables: the background lifts it, and test chooses the threshold.
    """
    total, number = sums["miou2"].reshape(2, NUM_THRESHOLDS)
    return float((total / np.maximum(number, 1)).max()) if number.any() else None


POOLED: dict[str, Callable[[Sums, Empty], float | None]] = {
    "iou_pooled": lambda s, e: metrics.iou(_counts(s, "pixels"), empty=e),
    "f1_pooled": lambda s, e: metrics.f1(_counts(s, "pixels"), empty=e),
    "precision_pooled": lambda s, e: metrics.precision(_counts(s, "pixels"), empty=e),
    "recall_pooled": lambda s, e: metrics.recall(_counts(s, "pixels"), empty=e),
    "cldice_pooled": lambda s, e: _matches(s, "skeletons").f1(empty=e),
    f"cliou@{LINE_PX}px_pooled": lambda s, e: metrics.iou(_counts(s, "dilated"), empty=e),
    f"bf1@{BOUNDARY_PX}px_pooled": lambda s, e: _matches(s, "boundaries").f1(empty=e),
    "ap": lambda s, e: levels_of(s).average_precision(),
    "ods@0px": lambda s, e: _best_f1(levels_of(s), e),
    f"ods@{TOLERANCE_PX}px": lambda s, e: ods(_tolerant(s), empty=e),
    "fp_px_per_clean_megapixel": lambda s, e: metrics.fp_per_clean_megapixel([_counts(s, "clean")]),
    "ece": lambda s, e: ece(levels_of(s), empty=e),
    f"ece@{FLOOR}": lambda s, e: ece(levels_of(s), floor=FLOOR, empty=e),
    "miou2_testmax": lambda s, e: _miou2(s),
}
"""Scores of summed counts."""

SCORES: tuple[str, ...] = (
    *(name for name in POOLED if name != "miou2_testmax"),
    *(f"{name}_per_image" for name in PER_IMAGE),
    "miou2_testmax",
)
"""Every score that is reported, in order."""

LOWER_IS_BETTER = ("fp_px", "ece", "hd95", "assd", "betti0")
"""How the names begin of scores where less is better."""


def score(sums: Sums, name: str, *, empty: Empty) -> float | None:
    """Return one score of summed frames; None where it has no value under this policy."""
    if name in POOLED:
        return POOLED[name](sums, empty)
    total, number = sums[name.removesuffix("_per_image")]
    return float(total / number) if number else None


def all_scores(sums: Sums, *, empty: Empty) -> dict[str, float | None]:
    """Return every score of summed frames."""
    found = {name: score(sums, name, empty=empty) for name in SCORES}
    assert all(value is None or math.isfinite(value) for value in found.values())
    return found
