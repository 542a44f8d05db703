"""Scores of many classes from one table of counts; the ignored label is in none of them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput

Table = NDArray[np.int64]
Absent = Literal["skip", "one", "zero"]
IGNORED = 255
"""Label of pixels that count for nobody: void in VOC, unlabelled in Cityscapes train ids."""


def count_classes(
    pred: NDArray[np.integer],
    truth: NDArray[np.integer],
    *,
    num_classes: int,
    ignore: int = IGNORED,
) -> Table:
    """Return the (truth, prediction) table of one frame; tables of many frames add up.

    Args:
        pred: (height, width) class index; anything may stand where the truth is ignored.
        truth: (height, width) class index or `ignore`.
        num_classes: classes counted from 0, background included where it is one.
        ignore: label in the truth that is left out.
    """
    if pred.shape != truth.shape:
        raise BadInput(f"labels of {pred.shape} and {truth.shape}", "one height and width")
    keep = truth != ignore
    there, found = truth[keep].astype(np.int64), pred[keep].astype(np.int64)
    for side, labels in (("truth", there), ("prediction", found)):
        if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
            wrong = int(labels.max() if labels.max() >= num_classes else labels.min())
            raise BadInput(
                f"label {wrong} in the {side}",
                f"0 to {num_classes - 1}, and {ignore} in the truth for what is ignored",
                "check the number of classes and the encoding",
            )
    flat = np.bincount(there * num_classes + found, minlength=num_classes * num_classes)
    return flat.reshape(num_classes, num_classes)


def class_ious(table: Table, *, absent: Absent) -> list[float | None]:
    """Return each class's IoU; the policy speaks for a class in neither truth nor prediction."""
    hit = np.diag(table)
    whole = table.sum(axis=0) + table.sum(axis=1) - hit
    missing = {"skip": None, "one": 1.0, "zero": 0.0}[absent]
    return [float(h / w) if w else missing for h, w in zip(hit, whole, strict=True)]


def miou(table: Table, *, absent: Absent, background: bool = True) -> float | None:
    """Return the mean IoU over classes (19 of Cityscapes, 21 of VOC with background).

    Args:
        table: of one frame or of the sum of many, which is what benchmarks report.
        absent: what a class scores that is nowhere; Cityscapes skips it.
        background: whether class 0 is one of them.
    """
    scores = class_ious(table, absent=absent)[0 if background else 1 :]
    values = [score for score in scores if score is not None]
    return sum(values) / len(values) if values else None


def pixel_accuracy(table: Table) -> float | None:
    """Return the share of pixels with the right class; None without any pixel."""
    pixels = int(table.sum())
    return float(np.trace(table) / pixels) if pixels else None
