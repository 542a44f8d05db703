"""Which measured crack is which true one: found by the centre lines they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.cracks import Crack

SHARE = 0.5
"""A measured crack belongs to a true one if half of its centre line lies on true cracks."""


def territory(
    lines: Mapping[int, Sequence[NDArray[np.float64]]],
    size: tuple[int, int],
    *,
    reach_px: Mapping[int, int],
) -> NDArray[np.int32]:
    """Paint each true crack's number along its centre lines, `reach_px` wide to either side.

    Args:
        lines: Number (from 1) to polylines (n, 2) as (y, x); parts that are NaN are left out.
        size: Frame height and width.
        reach_px: Number to how far a measured centre line may lie from the true one.
    """
    owner = np.zeros(size, np.int32)
    for number, parts in lines.items():
        for part in parts:
            for run in _finite_runs(part):
                points = np.round(run[:, ::-1]).astype(np.int32).reshape(-1, 1, 2)
                cv2.polylines(owner, [points], False, number, 2 * reach_px[number] + 1)
    return owner


def _finite_runs(line: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Split a line where it leaves what can be drawn."""
    # OpenCV draws with 16-bit coordinates; far outside the frame nothing is seen anyway.
    good = (np.isfinite(line) & (np.abs(line) < 30_000)).all(axis=1)
    edges = np.flatnonzero(np.diff(good.astype(np.int8), prepend=0, append=0))
    return [line[first:last] for first, last in edges.reshape(-1, 2) if last - first > 1]


def owners(cracks: Sequence[Crack], territory: NDArray[np.int32]) -> list[int]:
    """Return for each measured crack the true one on which most of it lies, or 0 for none."""
    found = []
    for crack in cracks:
        points = np.concatenate(crack.lines)
        y, x = (
            np.clip(np.round(points[:, axis]).astype(int), 0, territory.shape[axis] - 1)
            for axis in (0, 1)
        )
        numbers, shares = np.unique(territory[y, x], return_counts=True)
        on_true = numbers > 0
        if shares[on_true].sum() < SHARE * len(points):
            found.append(0)
        else:
            found.append(int(numbers[on_true][shares[on_true].argmax()]))
    return found
