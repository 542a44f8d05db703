"""Scores of separate objects as functions of what adds up over frames; named as in `tally`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.class_tally import means
from sam_crack.measure.instances import Objects
from sam_crack.measure.metrics import Empty, Mask
from sam_crack.measure.pannuke import EmptyPatch, PatchCounts, count_patch, patch_pq
from sam_crack.measure.panoptic import (
    AjiCounts,
    PanopticCounts,
    aji,
    count_aji,
    count_aji_plus,
    count_overlaps,
    dq,
    pq,
    sq,
)
from sam_crack.measure.tally import Sums

PER_IMAGE = ("aji", "aji_plus", "dq", "sq", "pq")
PANNUKE: EmptyPatch = "truth_empty_skipped"
"""PanNuke's own rule: a patch without a true object of a class is left out for that class."""
NOT_COUNTED = 0.5
"""An object with more than this share of its pixels ignored is left out, true or predicted."""


def count_object_frame(
    pred: Objects,
    truth: Objects,
    *,
    types: tuple[Mapping[int, int], Mapping[int, int]],
    num_classes: int,
    tissue: tuple[int, int] = (0, 1),
    empty: Empty,
) -> Sums:
    """Count one frame.

    Args:
        pred: (height, width) object number, 0 is background.
        truth: the same.
        types: object number to class, 1..num_classes, of predicted and of true objects; one that
            is not listed counts as an object, but for no class.
        num_classes: of objects; with one, types are not asked for.
        tissue: which tissue the frame is of, and how many there are.
        empty: what a frame scores without any object in truth and prediction.
    """
    overlaps = count_overlaps(pred, truth)
    sides = {"aji": count_aji(overlaps), "aji_plus": count_aji_plus(overlaps)}
    untold = num_classes + 1 if num_classes > 1 else 1
    ours, theirs = (
        dict.fromkeys(np.unique(objects).tolist(), untold) | (dict(side) if num_classes > 1 else {})
        for side, objects in zip(types, (pred, truth), strict=True)
    )
    patch = count_patch(pred, truth, pred_types=ours, truth_types=theirs, num_classes=untold)
    patch = replace(patch, classes={n: patch.classes[n] for n in range(1, num_classes + 1)})
    values = {name: aji(counts, empty=empty) for name, counts in sides.items()}
    for name, score in (("dq", dq), ("sq", sq), ("pq", pq)):
        values[name] = score(patch.binary, empty=empty)
    sums: dict[str, object] = {
        **{f"{name}_px": astuple(counts) for name, counts in sides.items()},
        "objects": astuple(patch.binary),
        "typed": [astuple(counts) for counts in patch.classes.values()],
        **_by_tissue(patch, tissue),
    }
    for name, value in values.items():
        sums[name] = (0.0, 0) if value is None else (value, 1)
    return {name: np.array(value, np.float64) for name, value in sums.items()}


def _by_tissue(patch: PatchCounts, tissue: tuple[int, int]) -> dict[str, object]:
    """Return PanNuke's two scores of a patch, in the line of its tissue."""
    place, number = tissue
    typed = [patch_pq(counts, PANNUKE) for counts in patch.classes.values()]
    known = [value for value in typed if value is not None]
    values = {
        "bpq": patch_pq(patch.binary, PANNUKE),
        "mpq": sum(known) / len(known) if known else None,
    }
    found: dict[str, object] = {}
    for name, value in values.items():
        table = np.zeros((number, 2))
        table[place] = (0.0, 0) if value is None else (value, 1)
        found[f"{name}_tissues"] = table
    return found


def drop_ignored(objects: Objects, ignore: Mask | None) -> Objects:
    """Leave out the objects of which most pixels count neither for nor against."""
    if ignore is None or not np.any(ignore):
        return objects
    areas = np.bincount(objects.ravel())
    inside = np.bincount(objects[np.asarray(ignore, np.bool_)], minlength=len(areas))
    kept = inside <= NOT_COUNTED * areas
    return np.where(kept[objects], objects, 0).astype(np.int32)


def object_scores(sums: Sums, *, classes: Sequence[str], empty: Empty) -> dict[str, float | None]:
    """Return every score of summed frames; types are scored where there are several."""
    whole = _panoptic(sums["objects"])
    found = {f"{name}_pooled": aji(_aji(sums, name), empty=empty) for name in ("aji", "aji_plus")}
    for name, score in (("dq", dq), ("sq", sq), ("pq", pq)):
        found[f"{name}_pooled"] = score(whole, empty=empty)
    found["bpq@pannuke"] = _tissue_mean(sums, "bpq")
    if len(classes) > 1:
        found["mpq@pannuke"] = _tissue_mean(sums, "mpq")
        each = [pq(_panoptic(row), empty=empty) for row in sums["typed"]]
        known = [value for value in each if value is not None]
        found["mpq_pooled"] = sum(known) / len(known) if known else None
        found |= {f"pq_pooled[{name}]": value for name, value in zip(classes, each, strict=True)}
    return found | means(sums, PER_IMAGE)


def _aji(sums: Sums, name: str) -> AjiCounts:
    common, union = (int(value) for value in sums[f"{name}_px"])
    return AjiCounts(common=common, union=union)


def _panoptic(row: NDArray[np.float64]) -> PanopticCounts:
    tp, fp, fn, iou_sum = (float(value) for value in row)
    return PanopticCounts(tp=int(tp), fp=int(fp), fn=int(fn), iou_sum=iou_sum)


def _tissue_mean(sums: Sums, name: str) -> float | None:
    """Mean over patches of a tissue, then over tissues."""
    rows = [(total, number) for total, number in sums[f"{name}_tissues"] if number]
    return sum(float(total / number) for total, number in rows) / len(rows) if rows else None
