"""How much each part of a frame counts: a map from 0 to 1 that fits any frame size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Weight = NDArray[np.float32]
ROWS = 240
"""Rows of a gate: fine enough for its ramp, and nothing to keep or send."""
RAMP = 0.03
"""Way over which a weight falls from 1 to 0 outside of what counts, as a share of the height."""


@dataclass(frozen=True, eq=False)
class Gate:
    """Weights stretched over a frame; two gates are equal only if they are the same object."""

    weight: Weight
    """(rows, columns) from 0, not looked at, to 1; rows and columns need not be the frame's."""

    def at(self, size: tuple[int, int]) -> Weight:
        """Return the weight of every pixel of a frame of this height and width."""
        return self.sample(size, (0, 0), size)

    def sample(
        self,
        size: tuple[int, int],
        corner: tuple[int, int],
        shape: tuple[int, int],
        *,
        step: int = 1,
    ) -> Weight:
        """Return the weight at the middle of cells.

        Args:
            size: Height and width of the frame.
            corner: Upper left pixel (y, x) of the first cell.
            shape: Number of cells, down and across; past the frame the last weights repeat.
            step: Pixels per cell.
        """
        per_pixel = [cells / side for cells, side in zip(self.weight.shape, size, strict=True)]
        first = [(at + step / 2) * each for at, each in zip(corner, per_pixel, strict=True)]
        return self._stretched(first, [step * each for each in per_pixel], shape)

    def _stretched(
        self, first: Sequence[float], pace: Sequence[float], shape: tuple[int, int]
    ) -> Weight:
        """Interpolate `shape` weights from a place (y, x) on, given like the pace in cells."""
        matrix = np.array([[pace[1], 0, first[1] - 0.5], [0, pace[0], first[0] - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(
            self.weight, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(found, np.float32)

    def bounds(self, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """First and past-the-last row and column of what counts at all; None if nothing does."""
        spans = []
        for axis, side in enumerate(size):
            seen = np.flatnonzero(self.weight.max(axis=1 - axis) > 0)
            if not seen.size:
                return None
            # a cell reaches as far as the middles of its neighbours
            per_cell = side / self.weight.shape[axis]
            first, last = (seen[0] - 0.5) * per_cell, (seen[-1] + 1.5) * per_cell
            spans.append((max(0, int(np.floor(first))), min(side, int(np.ceil(last)))))
        return spans[0], spans[1]

    @lru_cache(maxsize=16)  # noqa: B019 - gates are few and small; the same piece is one object
    def piece(self, top: float, left: float, bottom: float, right: float) -> Gate:
        """Return the gate of a part of the frame, its edges given as shares of the frame."""
        rows, columns = self.weight.shape
        tall, wide = (bottom - top) * rows, (right - left) * columns
        shape = max(1, round(tall)), max(1, round(wide))
        pace = tall / shape[0], wide / shape[1]
        first = top * rows + pace[0] / 2, left * columns + pace[1] / 2
        return Gate(self._stretched(first, pace, shape))


def soften(region: NDArray[np.bool_], *, wider: float = 0.0) -> Gate:
    """Give a region an edge that fades outwards, so that all of the region still counts wholly.

    Args:
        region: (rows, columns), cells square in the frame, at least one of them inside.
        wider: How much further out weights begin to fall, as a share of the height.
    """
    away = cv2.distanceTransform((~region).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # neighbours of the region keep 1: weights between the middles of cells are interpolated
    past = (away - 1) / len(region) - wider
    return Gate((1 - past / RAMP).clip(0, 1).astype(np.float32))


def count_gate(
    gate: Gate | None, truth: NDArray[np.bool_], ignore: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Count what adds up to `gate_scores`: true pixels, those missed, all pixels, those looked at.

    A pixel is looked at where its weight is one half or more; without a gate everywhere.
    """
    kept = np.ones(truth.shape, np.bool_) if ignore is None else ~ignore
    looked = kept if gate is None else kept & (gate.at((truth.shape[0], truth.shape[1])) >= 0.5)
    there = kept & truth
    pixels = (there, there & ~looked, kept, looked)
    return np.array([np.count_nonzero(part) for part in pixels], np.int64)


def gate_scores(counts: NDArray[np.int64] | NDArray[np.float64]) -> dict[str, float | None]:
    """Return the share of true pixels that a gate missed, and the share of the frame it kept."""
    true, missed, pixels, looked = (int(count) for count in counts)
    return {
        "gate_missed": missed / true if true else None,
        "gate_share": looked / pixels if pixels else None,
    }


def say_gate(road: str, scores: Mapping[str, float | None]) -> str:
    """Say in words what a gate costs and spares."""
    missed, share = scores["gate_missed"], scores["gate_share"] or 0.0
    lost = "no foreground to miss" if missed is None else f"{missed:.2%} of the foreground missed"
    return f"road {road}: {share:.1%} of the pixels looked at, {lost} by the gate"
