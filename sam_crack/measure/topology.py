"""How many separate pieces there are, and how many there should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from sam_crack.measure.metrics import Mask, as_bytes, by_policy, check_sizes


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Connected parts of both masks of one frame; pixels touch over edges and corners."""

    pred: int = 0
    truth: int = 0


def count_parts(pred: Mask, truth: Mask, ignore: Mask | None = None) -> Parts:
    """Count the connected parts (8-neighbourhood); ignored pixels are cut out of both."""
    check_sizes(truth, pred, ignore)
    found, there = (_parts(mask, ignore) for mask in (pred, truth))
    return Parts(pred=found, truth=there)


def betti0_error(parts: Parts, *, empty: Literal["skip", "one"]) -> float | None:
    """Return by how many parts the prediction is off, over the whole frame.

    A missed mask is off by all its parts. Where both are empty, `one` (as good as can be) is 0.
    """
    if parts.pred + parts.truth == 0:
        return by_policy(empty, best=0.0)
    return float(abs(parts.pred - parts.truth))


def _parts(mask: Mask, ignore: Mask | None) -> int:
    whole = as_bytes(mask)
    if ignore is not None:
        whole = np.where(as_bytes(ignore) > 0, 0, whole).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(whole)
    if not width:
        return 0
    part = np.ascontiguousarray(whole[top : top + height, left : left + width])
    return int(cv2.connectedComponents(part, connectivity=8)[0]) - 1
