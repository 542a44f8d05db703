"""Scores of many classes as functions of what adds up over frames; named as in `tally`.

Each class is scored against all others; no threshold is involved. Silence is rewarded by nothing
but `miou_bg`, which counts the background as a class because VOC does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.confusion import IGNORED, Table, class_ious, count_classes, miou
from sam_crack.measure.metrics import Empty, Mask
from sam_crack.measure.tally import Sums


def count_class_frame(
    pred: NDArray[np.integer],
    truth: NDArray[np.integer],
    *,
    classes: Sequence[str],
    empty: Empty,
    ignore: Mask | None = None,
) -> Sums:
    """Count one frame.

    Args:
        pred: (height, width) class index, 0 is background.
        truth: the same.
        classes: names of the classes 1, 2, ...
        empty: what a class scores that is in neither truth nor prediction.
        ignore: pixels that count neither for nor against.
    """
    labels = np.where(ignore, IGNORED, truth) if ignore is not None else truth
    table = count_classes(pred, labels, num_classes=len(classes) + 1)
    values = {"miou": miou(table, absent=empty, background=False)}
    ious = class_ious(table, absent=empty)[1:]
    values |= {f"iou[{name}]": value for name, value in zip(classes, ious, strict=True)}
    sums: dict[str, object] = {"table": table, "frames": (1, table[1:].any())}
    for name, value in values.items():
        sums[name] = (0.0, 0) if value is None else (value, 1)
    return {name: np.array(value, np.float64) for name, value in sums.items()}


def table_of(sums: Sums) -> Table:
    """Return the (truth, prediction) table of pixels."""
    return sums["table"].astype(np.int64)


def per_image_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the scores of one frame."""
    return ("miou", *(f"iou[{name}]" for name in classes))


def class_scores(sums: Sums, *, classes: Sequence[str], empty: Empty) -> dict[str, float | None]:
    """Return every score of summed frames; None where it has no value under this policy."""
    table = table_of(sums)
    found = {
        "miou_pooled": miou(table, absent=empty, background=False),
        "miou_bg_pooled": miou(table, absent=empty),
    }
    ious = class_ious(table, absent=empty)[1:]
    found |= {f"iou_pooled[{name}]": value for name, value in zip(classes, ious, strict=True)}
    return found | means(sums, per_image_names(classes))


def means(sums: Sums, names: Sequence[str]) -> dict[str, float | None]:
    """Return the means over frames of scores that were taken frame by frame."""
    pairs = {name: sums[name] for name in names}
    return {
        f"{name}_per_image": float(total / number) if number else None
        for name, (total, number) in pairs.items()
    }
