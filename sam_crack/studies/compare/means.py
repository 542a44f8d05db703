"""Scores of a row over its seeds, with intervals, and paired differences between rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure import bootstrap
from sam_crack.measure.bootstrap import Interval
from sam_crack.studies.compare.rows import Recipe, Row
from sam_crack.studies.compare.score import is_scored
from sam_crack.studies.compare.train import ROW

Draws = Mapping[str, NDArray[np.float64]]
"""By score its value for every bootstrap resample of whole groups; empty without intervals."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OfSeed:
    """What one training scored."""

    values: Mapping[str, float | None]
    draws: Draws


Seeds = Mapping[int, OfSeed]
"""What a row scored, seed by seed."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A mean over seeds, with the interval that frames give it."""

    value: float | None
    within: Interval | None = None
    seeds: tuple[float, ...] = ()
    """The value of each seed."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a table's JSON says."""
        within = self.within
        ends = {"low": within.low, "high": within.high} if within else {"low": None, "high": None}
        return {"value": self.value, **ends, "seeds": list(self.seeds)}


def scored_seeds(row: Row, folder: Path) -> list[Recipe]:
    """Return the seeds of a row that are trained and scored."""
    return [
        recipe
        for recipe in row.recipes
        if (folder / recipe.folder / ROW).exists() and is_scored(row, recipe, folder)
    ]


def mean_score(name: str, seeds: Seeds) -> Score:
    """Return the mean of a score over seeds; without a value where one has none."""
    values = [one.values[name] for one in seeds.values()]
    known = tuple(value for value in values if value is not None)
    if not known or len(known) < len(values):
        return Score(value=None)
    draws = _mean_draws(name, seeds)
    within = None if draws is None else bootstrap.interval(draws)
    return Score(value=fmean(known), within=within, seeds=known)


def gain(name: str, mine: Seeds, base: Seeds) -> Score:
    """Return the difference from a baseline on the same frames, over the seeds that both have.

    Both are resampled by the same draws, so what makes a group hard for both cancels out.
    """
    sides = [
        {seed: one for seed, one in each.items() if seed in mine and seed in base}
        for each in (mine, base)
    ]
    ours, theirs = (mean_score(name, each).value for each in sides)
    if ours is None or theirs is None:
        return Score(value=None)
    drawn, base_drawn = (_mean_draws(name, each) for each in sides)
    if drawn is None or base_drawn is None:
        return Score(value=ours - theirs)
    return Score(value=ours - theirs, within=bootstrap.interval(drawn - base_drawn))


def _mean_draws(name: str, seeds: Seeds) -> NDArray[np.float64] | None:
    """Return the mean over seeds of every resample; None if one has none."""
    several = [one.draws.get(name) for one in seeds.values()]
    known = [draws for draws in several if draws is not None]
    if not known or len(known) < len(several):
        return None
    mean: NDArray[np.float64] = np.mean(known, axis=0)
    return mean
