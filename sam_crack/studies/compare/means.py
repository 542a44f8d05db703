"""Scores of a row over its seeds, with intervals, and paired differences between rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
Values = Sequence[float | None]
"""A score's value for each seed."""


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


def mean_draws(several: Sequence[Draws]) -> Draws:
    """Return the mean over seeds of every resample; empty if a seed has none."""
    if any(not one for one in several):
        return {}
    return {name: np.mean([one[name] for one in several], axis=0) for name in several[0]}


def mean_score(name: str, values: Values, draws: Draws) -> Score:
    """Return the mean of a score; without a value where a seed has none."""
    known = _known(values)
    if known is None:
        return Score(value=None)
    within = bootstrap.interval(draws[name]) if draws else None
    return Score(value=fmean(known), within=within, seeds=known)


def gain(name: str, mine: tuple[Values, Draws], base: tuple[Values, Draws]) -> Score:
    """Return the difference from a baseline on the same frames.

    Both are resampled by the same draws, so what makes a group hard for both cancels out.
    """
    ours, theirs = _known(mine[0]), _known(base[0])
    if ours is None or theirs is None:
        return Score(value=None)
    both = mine[1] and base[1]
    within = bootstrap.interval(mine[1][name] - base[1][name]) if both else None
    return Score(value=fmean(ours) - fmean(theirs), within=within)


def _known(values: Values) -> tuple[float, ...] | None:
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None
