"""A transfer as its file says: methods at several numbers of images, laid out as a comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from sam_crack.config.fields import Range
from sam_crack.config.load import suggest
from sam_crack.config.overlay import read_overlay
from sam_crack.config.schema import DataConfig, RunConfig
from sam_crack.config.trees import load_tree, merged
from sam_crack.data.opening import open_splits
from sam_crack.errors import BadInput, IntegrityError, UsageError
from sam_crack.studies.compare import plan as compare_plan
from sam_crack.studies.compare.plan import Plan, base_set, plan_of
from sam_crack.studies.compare.recipes import Shared, read_recipes, section_of
from sam_crack.studies.compare.rows import Row
from sam_crack.studies.compare.samples import Checked, Roots
from sam_crack.studies.training.start import MisfitError

OWN = ("curves", "images", "forget")
SECTIONS = (*compare_plan.SECTIONS, *OWN)
OPTIONAL, ALL = "optional", "all"


@dataclass(frozen=True, kw_only=True)
class ForgetConfig:
    """Of which adapters it is asked what SAM's own decoder lost by them."""

    of: tuple[str, ...]
    """Rows of this file, else checkpoint folders or checkpoints that come with the package."""
    objects: Annotated[int, Range(1)] = 64
    """At most so many objects are pointed at."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A row's place in a learning curve."""

    method: str
    images: int
    """Images learnt from."""
    ids: tuple[str, ...]
    """Which these are."""


@dataclass(frozen=True, kw_only=True)
class TransferPlan:
    """A whole transfer."""

    compared: Plan
    points: Mapping[str, Point]
    """Row to what it learns from."""
    optional: frozenset[str]
    """Rows without which the rest goes on; why they are missing is said."""
    not_run: Mapping[str, str]
    """Row to why it cannot be run."""
    forget: ForgetConfig | None
    data: DataConfig
    """What all rows learn from, placed."""
    validated: tuple[str, ...]
    """Images on which thresholds and steps are chosen, beside those that are learnt from."""
    notes: tuple[str, ...]


def read_transfer(
    file: Path, *, root: Path | None = None, roots: Mapping[str, Path] | None = None
) -> TransferPlan:
    """Read a transfer; every row is checked before any of them is trained.

    Args:
        file: YAML of a comparison, and besides `curves` (method to what differs), each trained on
            every number of `images`; `optional: true` in a row or method; `forget`.
        root: folder of the data set of `base`, in place of the one in the file.
        roots: folders of data sets by name.
    """
    tree = read_overlay(file)
    for name in tree:
        if name not in SECTIONS:
            raise UsageError(f"{file}: {name!r} is not a section", *suggest(name, SECTIONS))
    checked = Checked(Roots(base_set(tree, file), root, roots or {}))
    data, seed = _data_of(tree, file, checked)
    whole, val = open_splits(dataclasses.replace(data, limit=None), seed=seed)
    counts, notes = _counts(tree.get("images"), len(whole), file)
    overlays, methods = _expanded(tree, counts, file)
    optional = {name for name, overlay in overlays.items() if _flag(overlay.pop(OPTIONAL, None))}
    base = section_of(tree, "base", str(file))
    shared = Shared(base=base, seeds=tree.get("seeds"), checked=checked)
    not_run = _unavailable(overlays, optional, shared, file)
    kept = {name: overlay for name, overlay in overlays.items() if name not in not_run}
    below = {name: part for name, part in tree.items() if name not in OWN}
    compared = plan_of(
        below | {"rows": kept, "evaluate": _by_task(tree.get("evaluate"))},
        file,
        checked,
    )
    alike = {(row.scored_on, row.evaluate.task, row.evaluate.empty) for row in compared.rows}
    if len(alike) > 1:
        raise UsageError(
            f"{file}: rows are scored on different frames, tasks or policies",
            "one of each: a curve joins what is alike",
            "write a second file",
        )
    validated = tuple(record.id for record in val.records)
    return TransferPlan(
        compared=compared,
        points={row.name: _point(row, methods) for row in compared.rows},
        optional=frozenset(optional),
        not_run=not_run,
        forget=load_tree(ForgetConfig, section_of(tree, "forget", str(file)), f"{file}: forget")
        if tree.get("forget")
        else None,
        data=data,
        validated=validated,
        notes=tuple(notes),
    )


def _data_of(tree: Mapping[str, Any], file: Path, checked: Checked) -> tuple[DataConfig, int]:
    """Return the data settings of the base, placed, and the seed of its draws."""
    config = load_tree(RunConfig, section_of(tree, "base", str(file)), f"{file}: base")
    return checked.placed(config.data, str(file)), config.seed


def _counts(raw: object, have: int, file: Path) -> tuple[list[int | None], list[str]]:
    """Return the numbers of images that a curve is drawn through, and which there are too few for.

    None stands for all.
    """
    asked = [str(one) for one in raw] if isinstance(raw, list) else [ALL] if raw is None else []
    if not asked or not all(one == ALL or (one.isdigit() and int(one)) for one in asked):
        raise UsageError(f"{file}: images: {raw}", "a list of numbers and `all`: [1, 5, 20, all]")
    few = {int(one) for one in asked if one != ALL and int(one) < have}
    found: list[int | None] = [*sorted(few)]
    beyond = [one for one in asked if one != ALL and int(one) >= have]
    found += [None] if ALL in asked or beyond else []
    notes = []
    if beyond:
        notes.append(
            f"{' and '.join(beyond)} images: there are {have} to learn from here, all of them "
            "stand for it"
        )
    return found, notes


def _expanded(
    tree: Mapping[str, Any], counts: Sequence[int | None], file: Path
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return every row with what it differs in, and the method that each belongs to."""
    overlays: dict[str, dict[str, Any]] = {}
    methods: dict[str, str] = {}
    curves = section_of(tree, "curves", str(file))
    for method in curves:
        overlay = section_of(curves, method, f"{file}: curves")
        for count in counts:
            name = f"{method}-{ALL if count is None else count}"
            few = {} if count is None else {"data": {"limit": str(count)}}
            overlays[name], methods[name] = merged(overlay, few), method
    rows = section_of(tree, "rows", str(file))
    for name in rows:
        if name in overlays:
            raise UsageError(f"{file}: rows.{name}", "a name that no curve has", "rename the row")
        overlays[name] = dict(section_of(rows, name, f"{file}: rows"))
        methods[name] = name
    if not overlays:
        raise UsageError(f"{file}: no curves and no rows", "curves: {name: {what differs}}")
    return overlays, methods


def _flag(raw: object) -> bool:
    if raw not in (None, "true", "false"):
        raise UsageError(f"{OPTIONAL}: {raw}", "true or false")
    return raw == "true"


def _unavailable(
    overlays: Mapping[str, Mapping[str, Any]], optional: set[str], shared: Shared, file: Path
) -> dict[str, str]:
    """Say which optional rows begin with weights that are not here, are damaged or do not fit."""
    found = {}
    for name in sorted(optional):
        try:
            read_recipes(name, overlays[name], shared, f"{file}: {name}")
        except (BadInput, IntegrityError, MisfitError) as error:
            found[name] = str(error)
    return found


def _by_task(raw: object) -> object:
    """Let the data set decide what is scored, unless the file does."""
    if isinstance(raw, list):
        return [_by_task(one) for one in raw]
    return {"task": "auto"} | (raw or {}) if raw is None or isinstance(raw, dict) else raw


def _point(row: Row, methods: Mapping[str, str]) -> Point:
    """Return what a row learns from; rows on several sets of frames share it."""
    config = row.recipes[0].config
    train, _ = open_splits(config.data, seed=config.seed)
    ids = tuple(record.id for record in train.records)
    zero = row.recipes[0].zero_shot is not None
    return Point(
        method=methods[row.base],
        images=0 if zero else len(ids),
        ids=() if zero else ids,
    )
