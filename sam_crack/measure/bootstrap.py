"""Intervals from whole groups drawn again: neighbouring frames of one road are no new evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput

Sums = Mapping[str, NDArray[np.float64]]
ScoreAll = Callable[[Sums], Mapping[str, float | None]]
LEVEL = 0.95
MOST_WITHOUT = 0.1
"""If more resamples than this have no value, there is no interval either."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Percentile interval (Efron 1979) of a score, or of a difference of scores."""

    low: float
    high: float


def by_group(frames: Sequence[Sums], groups: Sequence[str]) -> tuple[list[str], list[Sums]]:
    """Add up the frames of each group; groups come in order of name."""
    if len(frames) != len(groups) or not frames:
        raise BadInput(f"{len(frames)} frames in {len(groups)} groups", "a group for every frame")
    names = sorted(set(groups))
    summed: list[Sums] = []
    for name in names:
        mine = [frame for frame, group in zip(frames, groups, strict=True) if group == name]
        summed.append({key: np.sum([frame[key] for frame in mine], axis=0) for key in mine[0]})
    return names, summed


def draw(num_groups: int, *, resamples: int, seed: int) -> NDArray[np.int64]:
    """Return how often each group is in each resample, (resamples, groups)."""
    shares = np.full(num_groups, 1 / num_groups)
    drawn: NDArray[np.int64] = np.random.default_rng(seed).multinomial(
        num_groups, shares, size=resamples
    )
    return drawn


def resample(
    groups: Sequence[Sums], draws: NDArray[np.int64], score_all: ScoreAll
) -> dict[str, NDArray[np.float64]]:
    """Return every score of every resample; NaN where it has no value.

    Args:
        groups: sums of each group, as `by_group` returns them.
        draws: as `draw` returns them; two models on the same frames share them.
        score_all: scores of summed counts.
    """
    stacked = {name: np.stack([group[name] for group in groups]) for name in groups[0]}
    rows = []
    for weights in draws:
        total = {name: np.tensordot(weights, table, 1) for name, table in stacked.items()}
        rows.append(score_all(total))
    return {
        name: np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)
        for name in (rows[0] if rows else {})
    }


def means(
    values: NDArray[np.float64], groups: Sequence[str], *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return the means of every resample of whole groups, (resamples, columns).

    Args:
        values: (n, columns), a line for each of n things.
        groups: group of each of them.
        resamples: how many.
        seed: of the draws.
    """
    names, place = np.unique(np.asarray(groups), return_inverse=True)
    draws = draw(len(names), resamples=resamples, seed=seed)
    weights = draws[:, place].astype(np.float64)
    return np.asarray(weights @ values / weights.sum(axis=1, keepdims=True), np.float64)


def interval(values: NDArray[np.float64], *, level: float = LEVEL) -> Interval | None:
    """Return the middle share of the values; None where too many are missing."""
    known = values[np.isfinite(values)]
    if len(known) < 2 or len(known) < (1 - MOST_WITHOUT) * len(values):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high))
