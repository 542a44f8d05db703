"""Which scale suits a model, told without labels: where it is sure, and other scales agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Image
from sam_crack.infer.scale import GRID, grid_for
from sam_crack.infer.scale_search import Maps, look_at_scales


def _zeros() -> dict[float, float]:
    return dict.fromkeys(GRID, 0.0)


@dataclass(eq=False)
class Agreement:
    """Sums over frames from which the score of every factor follows.

    With p the probability in one scale and q the mean of those in all others, the score of a scale
    is 2 sum(p p q) / sum(p + q): their soft Dice, in which a pixel counts as much as p is sure of
    it. At a wrong scale a model finds what no other scale does (q is small), misses what the
    others find (q grows below), or does not believe in it (p is small); a scale is judged by all
    three. The same sums over all frames, so that a frame counts by how much is found in it.
    """

    shared: dict[float, float] = field(default_factory=_zeros)
    """Sum of p p q."""
    total: dict[float, float] = field(default_factory=_zeros)
    """Sum of p + q, halved."""

    def add(self, maps: Maps) -> None:
        """Take in one frame, seen in several scales."""
        everything = np.zeros(next(iter(maps.values())).shape, np.float32)
        for prob in maps.values():
            everything += prob
        for factor, prob in maps.items():
            own = prob.astype(np.float32) / 255
            others = (everything / 255 - own) / max(1, len(maps) - 1)
            self.shared[factor] += float((own * own * others).sum(dtype=np.float64))
            self.total[factor] += float((own + others).sum(dtype=np.float64)) / 2

    def scores(self, factors: Iterable[float]) -> dict[float, float]:
        """Return the score of each factor, 0 to 1."""
        return {one: self.shared[one] / max(self.total[one], 1e-9) for one in factors}


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
