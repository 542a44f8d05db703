"""Scores of separate objects: AJI, AJI+, and the panoptic quality PQ = DQ x SQ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sam_crack.errors import BadInput
from sam_crack.measure.metrics import Empty, by_policy

Labels = NDArray[np.integer]
Int = NDArray[np.int64]
MATCH_IOU = 0.5
"""Above it a pair is unique: two objects cannot both cover more than half of a third."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Overlaps:
    """Areas of all objects of one frame and what they share; every score here follows from it.

    Only pairs that touch are listed: a slide holds thousands of objects, each near a few others.
    """

    truth: Int
    """(truth,) pixels of each true object."""
    pred: Int
    """(prediction,) pixels of each predicted object."""
    pairs: Int
    """(n, 2) place of the true and of the predicted object of every pair that shares pixels."""
    common: Int
    """(n,) pixels that they share."""

    @property
    def union(self) -> Int:
        """(n,) pixels that either of a pair covers."""
        both: Int = self.truth[self.pairs[:, 0]] + self.pred[self.pairs[:, 1]] - self.common
        return both

    @property
    def iou(self) -> NDArray[np.float64]:
        """(n,) intersection over union of every pair."""
        share: NDArray[np.float64] = self.common / self.union
        return share


def count_overlaps(pred: Labels, truth: Labels) -> Overlaps:
    """Count one frame; 0 is background, and any other number is an object."""
    if pred.shape != truth.shape:
        raise BadInput(f"objects of {pred.shape} and {truth.shape}", "one height and width")
    theirs, there = np.unique(np.append(truth, 0), return_inverse=True)
    ours, found = np.unique(np.append(pred, 0), return_inverse=True)
    there, found = there[:-1].astype(np.int64), found[:-1].astype(np.int64)
    keys, common = np.unique(there * len(ours) + found, return_counts=True)
    pairs = np.stack(np.divmod(keys, len(ours)), axis=1)
    # Background is one of the numbers, wherever it sorts; its place is taken out.
    nothing = np.array([np.flatnonzero(theirs == 0)[0], np.flatnonzero(ours == 0)[0]])
    kept = (pairs != nothing).all(axis=1)
    pairs = pairs[kept]
    return Overlaps(
        truth=np.delete(np.bincount(there, minlength=len(theirs)), nothing[0]),
        pred=np.delete(np.bincount(found, minlength=len(ours)), nothing[1]),
        pairs=pairs - (pairs > nothing),
        common=common[kept],
    )


@dataclass(frozen=True, kw_only=True)
class AjiCounts:
    """Pixels of the aggregated intersection and union; frames add up."""

    common: int = 0
    union: int = 0

    def __add__(self, other: AjiCounts) -> AjiCounts:
        return AjiCounts(common=self.common + other.common, union=self.union + other.union)


def count_aji(overlaps: Overlaps) -> AjiCounts:
    """Pair each true object with the best prediction (Kumar et al. 2017, algorithm 1).

    A prediction may serve several true objects; what serves none adds its area to the union.
    """
    # Best first, of equals the lower number; the first of each true object is its choice.
    order = np.lexsort((overlaps.pairs[:, 1], -overlaps.iou))
    _, first = np.unique(overlaps.pairs[order, 0], return_index=True)
    return _paired(overlaps, order[first])


def count_aji_plus(overlaps: Overlaps) -> AjiCounts:
    """Pair one to one so that the sum of IoU is largest (Graham et al. 2019, AJI+)."""
    num_truth, num_pred = len(overlaps.truth), len(overlaps.pred)
    rows, columns = overlaps.pairs[:, 0], overlaps.pairs[:, 1] + num_truth
    edges = coo_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(num_truth + num_pred, num_truth + num_pred)
    )
    # Objects far apart cannot compete: each clump of touching ones is solved alone.
    _, clump = connected_components(edges, directed=False)
    order = np.argsort(clump[rows], kind="stable")
    ends = np.flatnonzero(np.diff(clump[rows][order])) + 1
    chosen = [_assigned(overlaps, part) for part in np.split(order, ends) if len(part)]
    return _paired(overlaps, np.concatenate([np.zeros(0, np.int64), *chosen]))


def _assigned(overlaps: Overlaps, part: Int) -> Int:
    """Choose pairs of one clump, no object twice, with the largest sum of IoU."""
    (theirs, there), (ours, found) = (
        np.unique(overlaps.pairs[part, side], return_inverse=True) for side in (0, 1)
    )
    table = np.zeros((len(theirs), len(ours)))
    place = np.full(table.shape, -1, np.int64)
    table[there, found], place[there, found] = overlaps.iou[part], part
    picked: Int = place[linear_sum_assignment(table, maximize=True)]
    return picked[picked >= 0]


def aji(counts: AjiCounts, *, empty: Empty) -> float | None:
    """Return AJI or AJI+ of counts; the policy speaks only where there is no object at all."""
    return counts.common / counts.union if counts.union else by_policy(empty)


def _paired(overlaps: Overlaps, chosen: Int) -> AjiCounts:
    """Add up chosen pairs, and to the union all that is in none of them."""
    truth, pred = (np.unique(overlaps.pairs[chosen, side]) for side in (0, 1))
    lonely = np.delete(overlaps.truth, truth).sum() + np.delete(overlaps.pred, pred).sum()
    return AjiCounts(
        common=int(overlaps.common[chosen].sum()),
        union=int(overlaps.union[chosen].sum() + lonely),
    )


@dataclass(frozen=True, kw_only=True)
class PanopticCounts:
    """Matched and unmatched objects and the summed IoU of the matched; frames add up."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    iou_sum: float = 0.0

    def __add__(self, other: PanopticCounts) -> PanopticCounts:
        return PanopticCounts(
            tp=self.tp + other.tp,
            fp=self.fp + other.fp,
            fn=self.fn + other.fn,
            iou_sum=self.iou_sum + other.iou_sum,
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is no object on either side."""
        return self.tp + self.fp + self.fn == 0


def count_panoptic(overlaps: Overlaps, *, match_iou: float = MATCH_IOU) -> PanopticCounts:
    """Match objects whose IoU is above one half (Kirillov et al. 2019)."""
    if match_iou < MATCH_IOU:
        raise BadInput(
            f"match_iou {match_iou}", "at least 0.5, from where a match is unique", "use 0.5"
        )
    iou = overlaps.iou
    matched = iou[iou > match_iou]
    tp = len(matched)
    return PanopticCounts(
        tp=tp,
        fp=len(overlaps.pred) - tp,
        fn=len(overlaps.truth) - tp,
        iou_sum=float(matched.sum()),
    )


def dq(counts: PanopticCounts, *, empty: Empty) -> float | None:
    """Detection quality: the F1 of objects."""
    if counts.is_empty:
        return by_policy(empty)
    return counts.tp / (counts.tp + 0.5 * counts.fp + 0.5 * counts.fn)


def sq(counts: PanopticCounts, *, empty: Empty) -> float | None:
    """Segmentation quality: the mean IoU of matched objects; 0 where none matched."""
    if counts.is_empty:
        return by_policy(empty)
    return counts.iou_sum / counts.tp if counts.tp else 0.0


def pq(counts: PanopticCounts, *, empty: Empty) -> float | None:
    """Panoptic quality, DQ x SQ."""
    parts = dq(counts, empty=empty), sq(counts, empty=empty)
    return None if parts[0] is None or parts[1] is None else parts[0] * parts[1]
