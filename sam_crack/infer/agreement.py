"""Which scale suits a model, told without labels: where a small change of it changes least."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Image
from sam_crack.infer.scale import GRID, grid_for
from sam_crack.infer.scale_search import Maps, look_at_scales

LEAST = 1e-9
"""Stands for nothing where nothing is divided by."""


def _believed(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """By how much foreground is more likely than not: 2 p - 1, and 0 where it is not."""
    return np.asarray(np.maximum(levels / np.float32(127.5) - 1, 0), np.float32)


def _sum(values: NDArray[np.floating[Any]]) -> float:
    return float(values.sum(dtype=np.float64))


def _zeros() -> dict[float, float]:
    return dict.fromkeys(GRID, 0.0)


@dataclass(eq=False)
class Agreement:
    """Sums over frames from which the score of every factor follows.

    A model that works at a scale finds the same in frames that are half an octave larger or
    smaller: within the range of its training that is what it was taught. Away from it, what it
    finds comes and goes with every step. So with b what is believed in one scale (see
    `_believed`), and c the mean of that in the scales next to it, the score is their soft Dice,
    2 sum(min(b, c)) / sum(b + c). What is thought less likely than not has no say: faint answers
    are alike in all scales. Nor have scales further off: they are wrong in their own ways, and
    how many of them there are is an accident of the grid. The sums run over all frames, so that a
    frame counts by how much is found in it.
    """

    shared: dict[float, float] = field(default_factory=_zeros)
    """Sum of min(b, c)."""
    either: dict[float, float] = field(default_factory=_zeros)
    """Sum of b + c, halved."""

    def add(self, maps: Maps) -> None:
        """Take in one frame, seen in several scales."""
        factors = sorted(maps)
        for place, factor in enumerate(factors):
            near = [*factors[max(0, place - 1) : place], *factors[place + 1 : place + 2]]
            if near:
                own = _believed(maps[factor])
                beside = np.asarray(sum(_believed(maps[one]) for one in near) / len(near))
                self.shared[factor] += _sum(np.minimum(own, beside))
                self.either[factor] += (_sum(own) + _sum(beside)) / 2

    def scores(self, factors: Iterable[float]) -> dict[float, float]:
        """Return the score of each factor, 0 to 1."""
        return {one: self.shared[one] / max(self.either[one], LEAST) for one in factors}


def agree(predictor: Predictor, images: Iterable[Image]) -> tuple[float, dict[float, float]]:
    """Return the factor with the best score over a few frames, and the scores of all.

    Of equals, as where nothing is found at all, the one nearest to 1 is taken.
    """
    factors, found = GRID, Agreement()
    for image in images:
        factors = grid_for((image.shape[0], image.shape[1]), factors)
        found.add(look_at_scales(predictor, image, factors))
    scores = found.scores(factors)
    return max(factors, key=lambda one: (scores[one], -abs(np.log(one)))), scores
