"""What a comparison has found so far: figures of each row, means over seeds, paired differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from sam_crack.measure import bootstrap, tally
from sam_crack.studies.compare.means import (
    Draws,
    OfSeed,
    Score,
    gain,
    mean_score,
    scored_seeds,
)
from sam_crack.studies.compare.plan import Plan
from sam_crack.studies.compare.rows import Row
from sam_crack.studies.compare.train import ROW
from sam_crack.studies.evaluation.tables import METRICS
from sam_crack.studies.scoring import SEED, Scored, load_scored

IOU, CLDICE, BOUNDARY = "iou_pooled", "cldice_pooled", "bf1@2px_pooled"
SCORES = (IOU, CLDICE, BOUNDARY)
SEVERAL = "several"
"""Hash of frames and labels of a row whose seeds saw different ones."""
_COUNTS = ("pixels", "skeletons", "boundaries")
"""What these scores are functions of."""


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
            "seeds": [one["seed"] for one in self.trained],
            "threshold": self.threshold,
            "scores": {name: score.facts for name, score in self.scores.items()},
            "gains": {name: score.facts for name, score in self.gains.items()},
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
    def truth(self) -> tuple[str, str, str, str]:
        """What was scored: rows that share it stand in one table.

        The frames in words, the classes, the policy on empty masks, the hash of frames and labels.
        """
        facts = self.metrics[0]
        hashes = dict.fromkeys(str(one["data"]["frames_sha256"]) for one in self.metrics)
        return (
            self.row.scored_on,
            ", ".join(facts["data"]["classes"]),
            facts["policies"]["empty"],
            next(iter(hashes)) if len(hashes) == 1 else SEVERAL,
        )

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
    done = {row.name: scored_seeds(row, folder) for row in plan.rows}
    scored = {
        row.name: [load_scored(folder / one.folder / row.evaluation) for one in done[row.name]]
        for row in plan.rows
    }
    seeds = {
        row.name: {
            recipe.config.seed: OfSeed(
                values=_scores(one.total(), one), draws=_drawn(one, row.evaluate.resamples)
            )
            for recipe, one in zip(done[row.name], scored[row.name], strict=True)
        }
        for row in plan.rows
    }
    found = []
    for row in plan.rows:
        if not scored[row.name]:
            continue
        base = _baseline(plan, row, scored)
        homes = [folder / recipe.folder for recipe in done[row.name]]
        found.append(
            Result(
                row=row,
                trained=tuple(_read(home / ROW) for home in homes),
                metrics=tuple(_read(home / row.evaluation / METRICS) for home in homes),
                scores={name: mean_score(name, seeds[row.name]) for name in SCORES},
                gains={}
                if base is None
                else {name: gain(name, seeds[row.name], seeds[base]) for name in SCORES},
            )
        )
    return found


def by_frames(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return by title the rows that were scored on the same truth, in the order of the plan."""
    alike: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        alike.setdefault(result.truth, []).append(result)
    names = [truth[0] for truth in alike]
    return {
        where
        if names.count(where) == 1
        else f"{where}: {classes}, empty {empty}, frames and labels {sha256[:8]}": rows
        for (where, classes, empty, sha256), rows in alike.items()
    }


def _baseline(plan: Plan, row: Row, scored: Mapping[str, Sequence[Scored]]) -> str | None:
    """Return the finished row of the baseline on the very same frames."""
    for other in plan.rows:
        if other.base != plan.baseline or other.name == row.name or not scored[other.name]:
            continue
        both = (*scored[row.name], *scored[other.name])
        if len({(one.fingerprint, one.empty) for one in both}) == 1:
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


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
