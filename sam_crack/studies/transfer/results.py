"""What a transfer has found so far: the task's own scores of every row, and paired differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.studies.compare.means import (
    Draws,
    OfSeed,
    Score,
    Seeds,
    gain,
    mean_score,
    scored_seeds,
)
from sam_crack.studies.compare.rows import Recipe, Row
from sam_crack.studies.compare.train import ROW
from sam_crack.studies.evaluation.tables import METRICS
from sam_crack.studies.scoring import COUNTS, Scored, load_scored
from sam_crack.studies.transfer.plan import Point, TransferPlan


@dataclass(frozen=True, kw_only=True)
class Found:
    """One line of the table."""

    row: Row
    point: Point
    headlines: tuple[str, ...]
    """Scores of the task, the one that counts most first."""
    trained: Mapping[str, Any]
    """What is known of its training, of the first seed."""
    metrics: Mapping[str, Any]
    """What is known of its evaluation, of the first seed."""
    scores: Mapping[str, Score]
    """Means over seeds."""
    gains: Mapping[str, Score]
    """Paired differences from the baseline on the same frames."""

    @property
    def facts(self) -> dict[str, Any]:
        """What `transfer.json` says."""
        return {
            "method": self.point.method,
            "images": self.point.images,
            "image_ids": list(self.point.ids),
            "trained": {
                name: self.trained[name]
                for name in ("method", "trainable", "steps", "crops", "train_seconds")
            },
            "steps_before": self.trained.get("steps_before", 0),
            "threshold": self.metrics["model"]["threshold"],
            "scores": {name: score.facts for name, score in self.scores.items()},
            "gains": {name: score.facts for name, score in self.gains.items()},
            "frames": self.metrics["data"]["frames"],
            "frames_sha256": self.metrics["data"]["frames_sha256"],
            "groups": self.metrics["bootstrap"]["groups"],
            "config_sha256": self.metrics["model"]["config_sha256"],
            "learnt_sha256": self.row.recipes[0].samples_sha256,
            "key": self.row.key,
        }


def found_so_far(plan: TransferPlan, folder: Path) -> list[Found]:
    """Read what is finished, row by row in the order of the plan."""
    rows = plan.compared.rows
    done = {row.name: scored_seeds(row, folder) for row in rows}
    base = [row for row in rows if row.base == plan.compared.baseline and done[row.name]]
    found = []
    for row in rows:
        homes = [folder / recipe.folder for recipe in done[row.name]]
        if not homes:
            continue
        mine = _seeds(row, done[row.name], folder)
        names = _scored(homes[0] / row.evaluation).ruler.headlines
        against = next((other for other in base if _comparable(other, row, done, folder)), None)
        gains: dict[str, Score] = {}
        if against is not None and against.name != row.name:
            theirs = _seeds(against, done[against.name], folder)
            gains = {name: gain(name, mine, theirs) for name in names}
        found.append(
            Found(
                row=row,
                point=plan.points[row.name],
                headlines=names,
                trained=_read(homes[0] / ROW),
                metrics=_read(homes[0] / row.evaluation / METRICS),
                scores={name: mean_score(name, mine) for name in names},
                gains=gains,
            )
        )
    return found


def _comparable(other: Row, row: Row, done: Mapping[str, Sequence[Recipe]], folder: Path) -> bool:
    """Whether two rows were scored on the same frames by the same task and policy."""
    seen = [
        _scored(folder / recipe.folder / one.evaluation)
        for one in (row, other)
        for recipe in done[one.name]
    ]
    same = len({(one.fingerprint, one.empty) for one in seen}) == 1
    return same and all(one.ruler == seen[0].ruler for one in seen)


def _scored(home: Path) -> Scored:
    return _load(home, durable.sha256(home / COUNTS))


@lru_cache(maxsize=256)
def _load(home: Path, sha256: str) -> Scored:
    """Read counts once; they are named by what is in them."""
    return load_scored(home)


@lru_cache(maxsize=256)
def _drawn(home: Path, sha256: str, resamples: int) -> Draws:
    """Return the task's scores for every resample of whole groups; the table asks row by row."""
    scored = _load(home, sha256)
    found = scored.resampled(resamples) if resamples else {}
    return {name: found[name] for name in scored.ruler.headlines if name in found}


def _seeds(row: Row, recipes: Sequence[Recipe], folder: Path) -> Seeds:
    """Return what each seed of a row scored."""
    places = {one.config.seed: folder / one.folder / row.evaluation for one in recipes}
    return {
        seed: OfSeed(
            values=_scored(place).scores(),
            draws=_drawn(place, durable.sha256(place / COUNTS), row.evaluate.resamples),
        )
        for seed, place in places.items()
    }


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
