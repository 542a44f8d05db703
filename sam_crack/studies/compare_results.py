"""What a comparison has found so far: figures of each row, means over seeds, paired differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure import bootstrap, tally
from sam_crack.measure.bootstrap import Interval
from sam_crack.studies.compare_plan import Plan
from sam_crack.studies.compare_rows import Recipe, Row
from sam_crack.studies.compare_score import is_scored
from sam_crack.studies.compare_train import ROW
from sam_crack.studies.evaluation_tables import METRICS
from sam_crack.studies.scoring import SEED, Scored, load_scored

IOU, CLDICE, BOUNDARY = "iou_pooled", "cldice_pooled", "bf1@2px_pooled"
SCORES = (IOU, CLDICE, BOUNDARY)
_COUNTS = ("pixels", "skeletons", "boundaries")
"""What these scores are functions of."""
Draws = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A mean over seeds, with the interval that frames give it."""

    value: float | None
    within: Interval | None = None
    seeds: tuple[float, ...] = ()
    """The value of each seed."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One line of the table."""

    row: Row
    trained: tuple[Mapping[str, Any], ...]
    """What is known of each seed's training."""
    metrics: tuple[Mapping[str, Any], ...]
    """What is known of each seed's evaluation."""
    scores: Mapping[str, Score]
    gains: Mapping[str, Score]
    """Paired differences from the baseline on the same frames."""

    @property
    def facts(self) -> dict[str, Any]:
        """What `comparison.json` says."""
        first, seen = self.trained[0], self.metrics[0]
        return {
            **{name: first[name] for name in ("method", "trainable", "steps", "crops")},
            "parameters": first["parameters"],
            "adapter_mb": first["adapter_mb"],
            "peak_memory_mb": self.peak_mb,
            "train_seconds": self.train_seconds,
            "steps_before": first.get("steps_before", 0),
            "tuning": [one.get("tuning") for one in self.trained],
            "seeds": [recipe.config.seed for recipe in self.row.recipes[: len(self.trained)]],
            "threshold": self.threshold,
            "scores": {name: _told(score) for name, score in self.scores.items()},
            "gains": {name: _told(score) for name, score in self.gains.items()},
            "scored_on": self.row.scored_on,
            "frames": seen["data"]["frames"],
            "frames_sha256": seen["data"]["frames_sha256"],
            "groups": seen["bootstrap"]["groups"],
            "learnt_sha256": self.row.recipes[0].samples_sha256,
            "scored_sha256": self.row.samples_sha256,
            "key": self.row.key,
            "keys": [recipe.key for recipe in self.row.recipes],
        }

    @property
    def peak_mb(self) -> float | None:
        """Largest memory of any seed; None if one is not known."""
        peaks = [one["peak_memory_mb"] for one in self.trained]
        return None if None in peaks else max(peaks)

    @property
    def train_seconds(self) -> float:
        """Seconds of training, the mean over seeds; looking for settings is not in it."""
        return round(fmean(one["train_seconds"] for one in self.trained), 2)

    @property
    def threshold(self) -> float:
        """Mean over seeds of the threshold."""
        return fmean(one["model"]["threshold"] for one in self.metrics)


def results_of(plan: Plan, folder: Path) -> list[Result]:
    """Read what is finished, row by row in the order of the plan."""
    done = {row.name: _done(row, folder) for row in plan.rows}
    scored = {
        row.name: [load_scored(folder / one.folder / row.evaluation) for one in done[row.name]]
        for row in plan.rows
    }
    draws = {
        row.name: _mean([_drawn(one, row.evaluate.resamples) for one in scored[row.name]])
        for row in plan.rows
        if scored[row.name]
    }
    found = []
    for row in plan.rows:
        if not scored[row.name]:
            continue
        base = _baseline(plan, row, scored)
        same = None if base is None else (scored[base], draws[base])
        mine = (scored[row.name], draws[row.name])
        homes = [folder / recipe.folder for recipe in done[row.name]]
        found.append(
            Result(
                row=row,
                trained=tuple(_read(home / ROW) for home in homes),
                metrics=tuple(_read(home / row.evaluation / METRICS) for home in homes),
                scores={name: _score(name, mine) for name in SCORES},
                gains={} if same is None else {name: _gain(name, mine, same) for name in SCORES},
            )
        )
    return found


def _done(row: Row, folder: Path) -> list[Recipe]:
    """Return the seeds that are trained and scored."""
    return [
        recipe
        for recipe in row.recipes
        if (folder / recipe.folder / ROW).exists() and is_scored(row, recipe, folder)
    ]


def _baseline(plan: Plan, row: Row, scored: Mapping[str, Sequence[Scored]]) -> str | None:
    """Return the finished row of the baseline on the very same frames."""
    for other in plan.rows:
        if other.base != plan.baseline or other.name == row.name or not scored[other.name]:
            continue
        mine, theirs = scored[row.name][0], scored[other.name][0]
        if (mine.fingerprint, mine.empty) == (theirs.fingerprint, theirs.empty):
            return other.name
    return None


def _drawn(scored: Scored, resamples: int) -> Draws:
    """Return the few scores of the table for every bootstrap resample of whole groups."""
    sums = [{name: frame.sums[name] for name in _COUNTS} for frame in scored.frames]
    names, summed = bootstrap.by_group(sums, scored.groups)
    if len(names) < 2 or not resamples:
        return {}
    draws = bootstrap.draw(len(names), resamples=resamples, seed=SEED)
    return bootstrap.resample(summed, draws, lambda total: _scores(total, scored))


def _scores(total: tally.Sums, scored: Scored) -> dict[str, float | None]:
    return {name: tally.score(total, name, empty=scored.empty) for name in SCORES}


def _mean(several: Sequence[Draws]) -> Draws:
    if any(not one for one in several):
        return {}
    return {name: np.mean([one[name] for one in several], axis=0) for name in SCORES}


def _values(name: str, scored: Sequence[Scored]) -> tuple[float, ...] | None:
    found = [_scores(one.total(), one)[name] for one in scored]
    known = tuple(value for value in found if value is not None)
    return known if len(known) == len(found) else None


def _score(name: str, mine: tuple[Sequence[Scored], Draws]) -> Score:
    scored, draws = mine
    values = _values(name, scored)
    if values is None:
        return Score(value=None)
    within = bootstrap.interval(draws[name]) if draws else None
    return Score(value=fmean(values), within=within, seeds=values)


def _gain(
    name: str,
    mine: tuple[Sequence[Scored], Draws],
    base: tuple[Sequence[Scored], Draws],
) -> Score:
    """Both are resampled by the same draws, so what makes a group hard for both cancels out."""
    ours, theirs = _values(name, mine[0]), _values(name, base[0])
    if ours is None or theirs is None:
        return Score(value=None)
    both = mine[1] and base[1]
    within = bootstrap.interval(mine[1][name] - base[1][name]) if both else None
    return Score(value=fmean(ours) - fmean(theirs), within=within)


def _told(score: Score) -> dict[str, Any]:
    within = score.within
    return {
        "value": score.value,
        "low": within.low if within else None,
        "high": within.high if within else None,
        "seeds": list(score.seeds),
    }


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
