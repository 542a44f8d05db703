"""bPQ and mPQ as PanNuke's authors average them, with the rule for empty patches named.

PQ is taken per patch. bPQ ignores classes; mPQ averages over the classes of a patch, then over the
patches of a tissue, then over tissues (Gamper et al. 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

import numpy as np

from sam_crack.errors import BadInput
from sam_crack.measure.panoptic import Labels, PanopticCounts, count_overlaps, count_panoptic, pq

EmptyPatch = Literal["truth_empty_skipped", "both_empty_skipped", "both_empty_one"]
"""What a patch scores in which a class has no true object.

truth_empty_skipped: left out, whatever is predicted there, as in PanNuke's own evaluation; false
objects in such patches are free. both_empty_skipped: left out only where nothing is predicted
either; false objects score 0. both_empty_one: the same, but silence scores 1.
"""


@dataclass(frozen=True, kw_only=True)
class PatchCounts:
    """One patch: its tissue, all its objects, and those of each class."""

    tissue: str = ""
    binary: PanopticCounts
    classes: Mapping[int, PanopticCounts] = field(default_factory=dict)


def count_patch(
    pred: Labels,
    truth: Labels,
    *,
    pred_types: Mapping[int, int],
    truth_types: Mapping[int, int],
    num_classes: int,
    tissue: str = "",
) -> PatchCounts:
    """Match the objects of one patch, of all classes together and of each class alone.

    Args:
        pred: (height, width) object number, 0 is background.
        truth: the same.
        pred_types: object number to class, 1..num_classes; every object must have one.
        truth_types: the same.
        num_classes: of nuclei: 5 in PanNuke.
        tissue: where the patch comes from; mPQ averages over these.
    """
    binary = count_panoptic(count_overlaps(pred, truth))
    found = _by_class(pred, pred_types, num_classes)
    there = _by_class(truth, truth_types, num_classes)
    classes = {}
    for number in range(1, num_classes + 1):
        sides = np.where(found == number, pred, 0), np.where(there == number, truth, 0)
        classes[number] = count_panoptic(count_overlaps(*sides))
    return PatchCounts(tissue=tissue, binary=binary, classes=classes)


def bpq(patches: Sequence[PatchCounts], *, empty_patch: EmptyPatch) -> float | None:
    """Return class-agnostic PQ: mean over the patches of a tissue, then over tissues."""
    scores = [(patch.tissue, patch_pq(patch.binary, empty_patch)) for patch in patches]
    return _over_tissues(scores)


def mpq(patches: Sequence[PatchCounts], *, empty_patch: EmptyPatch) -> float | None:
    """Return multi-class PQ: mean over classes within a patch, patches of a tissue, tissues."""
    scores = []
    for patch in patches:
        values = [patch_pq(counts, empty_patch) for counts in patch.classes.values()]
        scores.append((patch.tissue, _mean(values)))
    return _over_tissues(scores)


def class_pq(patches: Sequence[PatchCounts], *, empty_patch: EmptyPatch) -> dict[int, float | None]:
    """Return each class's PQ, the mean over patches."""
    numbers = sorted({number for patch in patches for number in patch.classes})
    return {
        number: _mean([patch_pq(patch.classes[number], empty_patch) for patch in patches])
        for number in numbers
    }


def patch_pq(counts: PanopticCounts, empty_patch: EmptyPatch) -> float | None:
    """Return the PQ of one patch and class; None where the policy leaves it out."""
    truth_is_empty = counts.tp + counts.fn == 0
    match empty_patch:
        case "truth_empty_skipped":
            return None if truth_is_empty else pq(counts, empty="skip")
        case "both_empty_skipped":
            return pq(counts, empty="skip")
        case "both_empty_one":
            return pq(counts, empty="one")
        case _:
            assert_never(empty_patch)


def _by_class(objects: Labels, types: Mapping[int, int], num_classes: int) -> Labels:
    """Return the class of every pixel."""
    numbers, where = np.unique(objects, return_inverse=True)
    for number in numbers[numbers != 0].tolist():
        if not 1 <= types.get(number, 0) <= num_classes:
            raise BadInput(
                f"object {number} of class {types.get(number)}",
                f"a class of 1 to {num_classes} for every object",
            )
    table = np.array([types.get(int(number), 0) if number else 0 for number in numbers])
    return table[where].reshape(objects.shape)


def _over_tissues(scores: Sequence[tuple[str, float | None]]) -> float | None:
    tissues = sorted({tissue for tissue, _ in scores})
    means = [_mean([score for name, score in scores if name == tissue]) for tissue in tissues]
    return _mean(means)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
