"""Which pixels of a mask belong to which measured crack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.cracks import GAP_PX
from sam_crack.measure.metrics import Mask, as_bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """The pixels of one crack."""

    id: int
    """Number of the crack in its frame."""
    top: int
    left: int
    pixels: NDArray[np.bool_]
    """(height, width) of its box."""


def crack_pixels(mask: Mask, seeds: Sequence[tuple[int, NDArray[np.float64]]]) -> Iterator[Patch]:
    """Yield the pixels of every crack that was measured on a mask.

    Args:
        mask: The whole frame's.
        seeds: Number of each crack, and points (n, 2) as (y, x) of its centre line.
    """
    crack_px = as_bytes(mask)
    closed = cv2.morphologyEx(crack_px, cv2.MORPH_CLOSE, np.ones((GAP_PX + 1,) * 2, np.uint8))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    last = np.array(crack_px.shape) - 1
    for number, points in seeds:
        y, x = np.clip(np.round(points).astype(int), 0, last).T
        touched = labels[y, x]
        touched = touched[touched > 0]
        if not len(touched):
            continue
        label = int(np.bincount(touched).argmax())
        left, top, width, height = (int(value) for value in boxes[label, :4])
        area = slice(top, top + height), slice(left, left + width)
        pixels = (labels[area] == label) & (crack_px[area] > 0)
        yield Patch(id=number, top=top, left=left, pixels=pixels)
