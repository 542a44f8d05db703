"""Which scale suits a model, told without labels: where it agrees most with itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Image
from sam_crack.infer.scale import GRID, grid_for
from sam_crack.infer.scale_search import Maps, look_at_scales


@dataclass(eq=False)
class Agreement:
    """Sums over frames from which the score of every factor follows."""

    shared: dict[float, float] = field(default_factory=lambda: dict.fromkeys(GRID, 0.0))
    """Probability that a factor shares with the mean of the others."""
    total: dict[float, float] = field(default_factory=lambda: dict.fromkeys(GRID, 0.0))
    """Half of the sum of both."""

    def add(self, maps: Maps) -> None:
        """Take in one frame, seen in every scale."""
        levels = {factor: prob.astype(np.float32) / 255 for factor, prob in maps.items()}
        everything = np.sum(list(levels.values()), axis=0)
        for factor, prob in levels.items():
            others = (everything - prob) / max(1, len(levels) - 1)
            self.shared[factor] += float(np.minimum(prob, others).sum())
            self.total[factor] += float((prob + others).sum()) / 2

    def scores(self, factors: Iterable[float]) -> dict[float, float]:
        """Return the score of each factor, 0 to 1."""
        return {one: self.shared[one] / max(self.total[one], 1e-9) for one in factors}


def agree(predictor: Predictor, images: Iterable[Image]) -> tuple[float, dict[float, float]]:
    """Return the factor that agrees best with the others over a few frames, and all scores."""
    factors, found = GRID, Agreement()
    for image in images:
        factors = grid_for((image.shape[0], image.shape[1]), factors)
        found.add(look_at_scales(predictor, image, factors))
    scores = found.scores(factors)
    return max(factors, key=lambda one: (scores[one], -abs(np.log(one)))), scores
