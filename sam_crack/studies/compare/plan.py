"""A comparison as its file says: rows that share a budget, checked before any is trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sam_crack.config.load import suggest
from sam_crack.config.overlay import read_overlay
from sam_crack.config.schema import DataConfig, InferConfig
from sam_crack.config.trees import load_tree, merged
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.studies.compare.recipes import Shared, read_recipes, section_of
from sam_crack.studies.compare.rows import EvaluateConfig, Row, files_of
from sam_crack.studies.compare.samples import Checked, Roots

SECTIONS = ("title", "base", "evaluate", "baseline", "seeds", "rows")
LOOKS = ("of", "infer", "evaluate")
"""What a row may hold that looks at another row's training."""
_NAME = re.compile(r"[\w][\w.+-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole comparison."""

    title: str
    rows: tuple[Row, ...]
    baseline: str
    """Row from which the others' differences are taken."""
    sets: frozenset[str]
    """Data sets that rows learn from or are scored on."""


@dataclass(frozen=True, kw_only=True)
class _File:
    """The parts of the file that every row needs."""

    path: Path
    rows: Mapping[str, Any]
    evaluate: object
    shared: Shared

    def overlay(self, name: str) -> dict[str, Any]:
        return section_of(self.rows, name, f"{self.path}: rows")


def read_plan(
    file: Path, *, root: Path | None = None, roots: Mapping[str, Path] | None = None
) -> Plan:
    """Read a comparison; every row is checked before any of them is trained.

    Args:
        file: YAML with `base` (what all rows share, as for `sam-crack train`), `rows` (name to
            what differs), `evaluate`, `baseline`, `seeds` and `title`.
        root: folder of the data set of `base`, in place of the one in the file.
        roots: folders of data sets by name.
    """
    tree = read_overlay(file)
    plan = plan_of(tree, file, Checked(Roots(base_set(tree, file), root, roots or {})))
    for row in plan.rows:
        if row.evaluate.task in ("auto", "classes"):
            raise UsageError(
                f"{file}: {row.name}: evaluate: task {row.evaluate.task}",
                "foreground or instances: the table is of foreground",
                "use `sam-crack transfer`, whose table is of the task",
            )
    return plan


def plan_of(tree: Mapping[str, Any], file: Path, checked: Checked) -> Plan:
    """Return the comparison that a tree describes; errors name `file`."""
    for name in tree:
        if name not in SECTIONS:
            raise UsageError(f"{file}: {name!r} is not a section", *suggest(name, SECTIONS))
    overlays = section_of(tree, "rows", str(file))
    if not overlays:
        raise UsageError(f"{file}: no rows", "rows: {name: {what differs}}, at least one")
    base = section_of(tree, "base", str(file))
    whole = _File(
        path=file,
        rows=overlays,
        evaluate=tree.get("evaluate"),
        shared=Shared(base=base, seeds=tree.get("seeds"), checked=checked),
    )
    rows = tuple(row for name in overlays for row in _rows(name, whole))
    _check_names(rows, file)
    _check_resamples(rows, file)
    baseline = str(tree.get("baseline") or next(iter(overlays)))
    if baseline not in overlays:
        raise UsageError(f"{file}: baseline {baseline!r}", *suggest(baseline, overlays))
    return Plan(
        title=str(tree.get("title") or file.stem),
        rows=rows,
        baseline=baseline,
        sets=frozenset(whole.shared.checked.named),
    )


def pick_rows(plan: Plan, names: tuple[str, ...]) -> tuple[Row, ...]:
    """Return the asked rows, or all; a name without its set of frames means all of its sets."""
    known = dict.fromkeys(name for row in plan.rows for name in (row.base, row.name))
    for name in names:
        if name not in known:
            raise UsageError(f"--rows {name!r}", *suggest(name, known))
    return tuple(row for row in plan.rows if not names or {row.name, row.base} & set(names))


def _rows(name: str, file: _File) -> list[Row]:
    """Read one row of the file: a row of the table for each set of frames that it is scored on."""
    place, overlay = f"{file.path}: rows.{name}", file.overlay(name)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{place}: not a name", "1 to 40 letters, digits or . + - _")
    of = str(overlay.get("of") or "")
    source = _source(of, overlay, file, place) if of else overlay
    recipes = read_recipes(of or name, source, file.shared, place)
    tree = merged(section_of(file.shared.base, "infer", place), section_of(source, "infer", place))
    tree = merged(tree, section_of(overlay, "infer", place))
    infer = load_tree(InferConfig, tree, f"{place}.infer")
    layers = [each.get("evaluate") for each in (source, overlay)[0 if of else 1 :]]
    found = []
    for scoring in _scorings([file.evaluate, *layers], place):
        called = scoring.name or scoring.data
        configs = [recipe.config for recipe in recipes]
        samples = file.shared.checked.scored(scoring, configs, place)
        found.append(
            Row(
                name=f"{name}@{called}" if called else name,
                base=name,
                of=of,
                recipes=recipes,
                infer=infer,
                evaluate=samples.evaluate,
                samples_sha256=samples.sha256,
                files=files_of(infer.road, samples.evaluate.scale),
                differs=_in_words(overlay),
            )
        )
    return found


def _source(of: str, overlay: Mapping[str, Any], file: _File, place: str) -> dict[str, Any]:
    """Return the row whose training another one looks at."""
    strange = [name for name in overlay if name not in LOOKS]
    if strange:
        raise UsageError(
            f"{place}: {strange[0]} beside of",
            f"such a row trains nothing: {', '.join(LOOKS)}",
            f"leave out `of: {of}` to train it",
        )
    if "scale" in section_of(overlay, "infer", place):
        raise UsageError(
            f"{place}: infer.scale beside of",
            "what validation chose when the row was trained",
            "to look in another scale write evaluate: {scale: '0.5'}",
        )
    if of not in file.rows or file.overlay(of).get("of"):
        trained = [name for name in file.rows if not file.overlay(name).get("of")]
        raise UsageError(f"{place}: of {of!r}", f"a row that is trained: {', '.join(trained)}")
    return file.overlay(of)


def _scorings(layers: Sequence[object], place: str) -> list[EvaluateConfig]:
    """Read how a row is scored, the last layer on top; a list is that many sets of frames."""
    parts: list[Mapping[str, Any]] = [{}]
    for layer in layers:
        above: list[Any] = layer if isinstance(layer, list) else [layer or {}]
        for part in above:
            if not isinstance(part, dict):
                accepted = "a section, or a list of them"
                raise UsageError(f"{place}: evaluate: {str(part)[:60]}", accepted)
        below = parts if not isinstance(layer, list) else [{}]
        parts = [merged(one, part) for one in below for part in above]
    return [load_tree(EvaluateConfig, part, f"{place}: evaluate") for part in parts]


def _check_names(rows: tuple[Row, ...], file: Path) -> None:
    names = [row.name for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"{file}: {twice[0]} stands for two rows",
            "every row has a name of its own",
            "give each part of `evaluate` a `name`",
        )


def _check_resamples(rows: tuple[Row, ...], file: Path) -> None:
    """Refuse what could not be subtracted: differences are taken resample by resample."""
    numbers = {row.evaluate.resamples: row.name for row in rows}
    if len(numbers) > 1:
        told = ", ".join(f"{number} of {name}" for number, name in numbers.items())
        raise UsageError(
            f"{file}: resamples differ: {told}",
            "one number for all rows, whose differences are taken resample by resample",
            "set resamples in the file's own `evaluate`",
        )


def _in_words(overlay: Mapping[str, Any], prefix: str = "") -> str:
    """Write what a row differs in on one line."""
    parts = []
    for name, value in overlay.items():
        if isinstance(value, dict) and value and name != "losses":
            parts.append(_in_words(value, f"{prefix}{name}."))
        elif isinstance(value, dict):
            inner = " + ".join(f"{weight} {loss}" for loss, weight in value.items())
            parts.append(f"{prefix}{name} {inner}".strip())
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            continue
        else:
            text = ",".join(map(str, value)) if isinstance(value, list) else value
            parts.append(f"{prefix}{name} {text}")
    return "; ".join(part for part in parts if part)


def base_set(tree: Mapping[str, Any], file: Path) -> str:
    """Return the data set of a file's `base`, which `--root` places."""
    data = section_of(section_of(tree, "base", str(file)), "data", f"{file}: base")
    return str(data.get("name") or DataConfig().name)


def warn_of_strays(plan: Plan, roots: Mapping[str, Path], console: Console) -> None:
    """Say which folders no row asks for."""
    for name in roots.keys() - plan.sets:
        known = ", ".join(sorted(plan.sets))
        console.warn(f"--roots {name}: no row of this file asks for it; they ask for {known}")
