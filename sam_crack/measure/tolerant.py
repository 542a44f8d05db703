"""Scores that forgive a few pixels or look at lines alone; the tolerance is in every name."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.metrics import Counts, Empty, Mask, as_bytes, check_sizes, count
from sam_crack.measure.skeleton import thin

Bytes = NDArray[np.uint8]
MAX_RADIUS_PX = 48.0


@dataclass(frozen=True, kw_only=True)
class Matches:
    """How much of the prediction lies on the truth and the other way round; frames add up."""

    pred_hit: int = 0
    pred_total: int = 0
    truth_hit: int = 0
    truth_total: int = 0

    def __add__(self, other: Matches) -> Matches:
        return Matches(
            pred_hit=self.pred_hit + other.pred_hit,
            pred_total=self.pred_total + other.pred_total,
            truth_hit=self.truth_hit + other.truth_hit,
            truth_total=self.truth_total + other.truth_total,
        )

    def f1(self, *, empty: Empty) -> float | None:
        """Harmonic mean of both shares; the policy speaks only where both sides are empty."""
        if self.pred_total + self.truth_total == 0:
            return {"skip": None, "one": 1.0, "zero": 0.0}[empty]
        precision = self.pred_hit / self.pred_total if self.pred_total else 0.0
        recall = self.truth_hit / self.truth_total if self.truth_total else 0.0
        both = precision + recall
        return 2 * precision * recall / both if both else 0.0


@dataclass(frozen=True, kw_only=True)
class LineCounts:
    """What `cldice` and `cliou@Npx` are functions of; frames add up."""

    skeletons: Matches = field(default_factory=Matches)
    """Skeleton of either side inside the mask of the other."""
    dilated: Counts = field(default_factory=Counts)
    """Skeletons grown by a disk."""

    def __add__(self, other: LineCounts) -> LineCounts:
        return LineCounts(
            skeletons=self.skeletons + other.skeletons, dilated=self.dilated + other.dilated
        )


def count_lines(
    pred: Mask, truth: Mask, *, radius_px: int = 4, ignore: Mask | None = None
) -> LineCounts:
    """Count for clDice (Shit et al. 2021, eq. 2) and the Jaccard of dilated skeletons.

    clDice is `skeletons.f1`; OmniCrack30k's clIoU@4px is the `iou` of `dilated`, pooled. Ignored
    pixels are cut out of both masks before anything else.
    """
    found, there = _prepared(pred, truth, ignore)
    found_line, there_line = skeleton_of(found), skeleton_of(there)
    skeletons = Matches(
        pred_hit=cv2.countNonZero(cv2.min(found_line, there)),
        pred_total=cv2.countNonZero(found_line),
        truth_hit=cv2.countNonZero(cv2.min(there_line, found)),
        truth_total=cv2.countNonZero(there_line),
    )
    grown = (grow(line, radius_px) for line in (found_line, there_line))
    return LineCounts(skeletons=skeletons, dilated=count(*grown))


def count_boundaries(
    pred: Mask, truth: Mask, *, radius_px: int = 2, ignore: Mask | None = None
) -> Matches:
    """Count boundary pixels within a radius of the other side's boundary: `bf1@Npx`.

    The boundary is the foreground that touches background over an edge; beyond the frame lies
    foreground, so that its border is none (Csurka et al. 2013). A mask that fills the frame has
    none at all: it counts as one pixel that only another such mask hits, or it would be empty.
    """
    masks = _prepared(pred, truth, ignore)
    found, there = (_boundary(mask) for mask in masks)
    found_full, there_full = (int(mask.all()) for mask in masks)
    both_full = found_full * there_full
    return _within(found, there, radius_px) + Matches(
        pred_hit=both_full, pred_total=found_full, truth_hit=both_full, truth_total=there_full
    )


def count_tolerant(
    pred: Mask, truth: Mask, *, radius_px: int = 2, ignore: Mask | None = None
) -> Matches:
    """Count pixels within a radius of the other mask: `f1@Npx`, and `ods@Npx` over thresholds."""
    found, there = _prepared(pred, truth, ignore)
    return _within(found, there, radius_px)


def skeleton_of(mask: Bytes) -> Bytes:
    """Thin a mask of 0 and 255.

    What is wider than `MAX_RADIUS_PX` to either side is no line, and thinning takes as many rounds
    as it is wide: such blobs are thinned on a smaller mask, so that a bad one costs no minutes.
    """
    left, top, width, height = cv2.boundingRect(mask)
    line = np.zeros_like(mask)
    if width:
        part = mask[top : top + height, left : left + width]
        framed = cv2.copyMakeBorder(part, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        radius_px = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3), np.float32)
        thinned = _thin_blobs(np.asarray(framed, np.uint8), radius_px)
        line[top : top + height, left : left + width] = thinned[1:-1, 1:-1]
    return line


def _thin_blobs(mask: Bytes, radius_px: NDArray[np.float32]) -> Bytes:
    """Thin what is a line exactly, and what is a blob on blocks of pixels."""
    widest = float(radius_px.max())
    if widest <= MAX_RADIUS_PX:
        return thin(mask, widest)
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    is_blob = np.isin(labels, np.unique(labels[radius_px > MAX_RADIUS_PX]))
    fine = np.where(is_blob, 0, mask).astype(np.uint8)
    factor = int(np.ceil(widest / MAX_RADIUS_PX * 2))
    height, width = (-(-side // factor) for side in mask.shape)
    padded = np.zeros((height * factor, width * factor), np.uint8)
    padded[: mask.shape[0], : mask.shape[1]] = np.where(is_blob, mask, 0)
    small = np.zeros((height + 2, width + 2), np.uint8)
    small[1:-1, 1:-1] = padded.reshape(height, factor, width, factor).max(axis=(1, 3))
    coarse = thin(small, widest / factor + 1)[1:-1, 1:-1]
    wide = coarse.repeat(factor, 0).repeat(factor, 1)[: mask.shape[0], : mask.shape[1]]
    wide = np.pad(wide[1:-1, 1:-1], 1)  # thinning looks one pixel beyond
    exact = thin(fine, float(radius_px[~is_blob].max(initial=0)))
    return np.minimum(np.maximum(exact, thin(wide, factor)), mask)


def grow(mask: Bytes, radius_px: int) -> Bytes:
    """Dilate with the disk of all pixels within a radius."""
    left, top, width, height = cv2.boundingRect(mask)
    if not width or radius_px == 0:
        return mask
    y, x = np.mgrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    disk = (y * y + x * x <= radius_px * radius_px).astype(np.uint8)
    rows = slice(max(0, top - radius_px), top + height + radius_px)
    columns = slice(max(0, left - radius_px), left + width + radius_px)
    grown = np.zeros_like(mask)
    grown[rows, columns] = cv2.dilate(np.ascontiguousarray(mask[rows, columns]), disk)
    return grown


def _prepared(pred: Mask, truth: Mask, ignore: Mask | None) -> tuple[Bytes, Bytes]:
    """Both masks as 0 and 255, without what is ignored."""
    check_sizes(truth, pred, ignore)
    sides = []
    for mask in (pred, truth):
        _, side = cv2.threshold(as_bytes(mask), 0, 255, cv2.THRESH_BINARY)
        if ignore is not None:
            side[as_bytes(ignore) > 0] = 0
        sides.append(side)
    return sides[0], sides[1]


def _boundary(mask: Bytes) -> Bytes:
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    inner = cv2.erode(mask, cross, borderType=cv2.BORDER_CONSTANT, borderValue=255)
    return np.asarray(cv2.subtract(mask, inner), np.uint8)


def _within(found: Bytes, there: Bytes, radius_px: int) -> Matches:
    """Count the pixels of either side that lie within a radius of the other."""
    return Matches(
        pred_hit=cv2.countNonZero(cv2.min(found, grow(there, radius_px))),
        pred_total=cv2.countNonZero(found),
        truth_hit=cv2.countNonZero(cv2.min(there, grow(found, radius_px))),
        truth_total=cv2.countNonZero(there),
    )
