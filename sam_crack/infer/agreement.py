"""Which scale suits a model, told without labels.

It is where a small change of the scale changes least, and where lines are as soft as in training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Image
from sam_crack.infer.scale import GRID, grid_for
from sam_crack.infer.scale_search import Maps, look_at_scales
from sam_crack.measure.softness import along, dark_lines

SHARPNESS = 6
"""Power of a score: half as good counts a 64th."""
HALF = 127
"""Level above which a pixel is more likely foreground than not."""
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


@dataclass(eq=False)
class Softness:
    """How soft the lines are that are found in each scale, beside those of the training.

    Agreement alone does not tell half a scale from a third: what is small and smooth agrees with
    itself. But what is found at a factor f has a softness s in the frame (`measure.softness`), s f
    as the model is shown it, and in training it was t. Each octave between the two counts as one
    standard deviation of a normal law, whose density, 1 at the most, is multiplied to the score.
    """

    trained_px: float | None
    """Softness in training; None leaves the scores as they are."""
    logs: dict[float, float] = field(default_factory=_zeros)
    """Sum of the logarithms of softness."""
    points: dict[float, float] = field(default_factory=_zeros)
    """How many there are."""

    def add(self, image: Image, maps: Maps) -> None:
        """Take in one frame, seen in several scales."""
        if not self.trained_px:
            return
        lines = dark_lines(image)
        for factor, levels in maps.items():
            found = along(lines, levels > HALF)
            self.logs[factor] += float(found.sum())
            self.points[factor] += len(found)

    def shares(self, factors: Iterable[float]) -> dict[float, float]:
        """Return by what the score of each factor is multiplied."""
        return {one: self._share(one) for one in factors}

    def _share(self, factor: float) -> float:
        if not self.trained_px or not self.points[factor]:
            return 1.0
        shown_px = math.exp(self.logs[factor] / self.points[factor]) * factor
        return math.exp(-(math.log2(shown_px / self.trained_px) ** 2) / 2)


def agree(
    predictor: Predictor, images: Iterable[Image], *, softness_px: float | None = None
) -> tuple[float, dict[float, float]]:
    """Return the factor that the scores over a few frames speak for, and the scores of all."""
    factors, found, soft = GRID, Agreement(), Softness(softness_px)
    for image in images:
        factors = grid_for((image.shape[0], image.shape[1]), factors)
        maps = look_at_scales(predictor, image, factors)
        found.add(maps)
        soft.add(image, maps)
    shares = soft.shares(factors)
    scores = {one: score * shares[one] for one, score in found.scores(factors).items()}
    return centre(scores), scores


def centre(scores: Mapping[float, float]) -> float:
    """Return the geometric mean of the factors, each weighed by a power of its score.

    A few frames do not tell neighbours on the grid apart: the best of two that score alike is
    drawn by lot, what lies between them is not. Where nothing is found at all, it is 1.
    """
    weights = {factor: score**SHARPNESS for factor, score in scores.items()}
    total = sum(weights.values())
    if not total:
        return 1.0
    mean = sum(weight * math.log(factor) for factor, weight in weights.items()) / total
    return float(f"{math.exp(mean):.3g}")
