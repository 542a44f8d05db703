"""What a comparison holds: rows that share one budget, each with a key of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from sam_crack.config.fields import Range
from sam_crack.config.overlay import read_overlay
from sam_crack.config.schema import RunConfig
from sam_crack.config.trees import load_tree, merged
from sam_crack.config.values import plain
from sam_crack.errors import UsageError
from sam_crack.studies.opponents import OpponentConfig

SECTIONS = ("title", "base", "evaluate", "baseline", "rows")
OPPONENT = "opponent"
_NAME = re.compile(r"[\w][\w.+-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How every row is scored."""

    split: str = "test"
    """Frames that are scored."""
    limit: Annotated[int, Range(1)] | None = None
    """At most so many, evenly spaced."""
    empty: Literal["skip", "one", "zero"] = "skip"
    """What an empty frame scores."""
    resamples: Annotated[int, Range(0, 100_000)] = 1000
    """Bootstrap resamples of whole groups."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: a method, and what it is trained and scored with."""

    name: str
    config: RunConfig
    opponent: OpponentConfig | None
    """The model without SAM that this row is about; None for SAM with adapters."""
    evaluate: EvaluateConfig

    @property
    def key(self) -> str:
        """Hash of all that decides the result, so that a changed row is trained again."""
        facts = {
            "config": plain(dataclasses.replace(self.config, name="")),
            "opponent": plain(self.opponent),
            "evaluate": plain(self.evaluate),
        }
        canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def folder(self) -> str:
        """Name of its folder below the comparison's."""
        return f"{self.name}-{self.key[:10]}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole comparison."""

    title: str
    rows: tuple[Row, ...]
    baseline: str
    """Row from which the others' differences are taken."""


def read_plan(file: Path, *, root: Path | None = None) -> Plan:
    """Read a comparison; every row is checked before any of them is trained.

    Args:
        file: YAML with `base` (what all rows share, as for `sam-crack train`), `rows` (name to
            what differs, `opponent` for models without SAM), `evaluate`, `baseline` and `title`.
        root: folder of the data set, in place of the one in the file.
    """
    tree = read_overlay(file)
    for name in tree:
        if name not in SECTIONS:
            raise UsageError(f"{file}: {name!r}", f"one of {', '.join(SECTIONS)}")
    overlays = _section(tree, "rows", file)
    if not overlays:
        raise UsageError(f"{file}: no rows", "rows: {name: {what differs}}, at least one")
    base = _section(tree, "base", file)
    if root is not None:
        base = merged(base, {"data": {"root": str(root)}})
    evaluate = load_tree(EvaluateConfig, _section(tree, "evaluate", file), f"{file}: evaluate")
    rows = tuple(
        _row(name, base, _section(overlays, name, file), evaluate, file) for name in overlays
    )
    baseline = str(tree.get("baseline") or rows[0].name)
    if baseline not in overlays:
        raise UsageError(f"{file}: baseline {baseline!r}", f"one of {', '.join(overlays)}")
    return Plan(title=str(tree.get("title") or file.stem), rows=rows, baseline=baseline)


def pick_rows(plan: Plan, names: tuple[str, ...]) -> tuple[Row, ...]:
    """Return the asked rows, or all."""
    known = {row.name: row for row in plan.rows}
    for name in names:
        if name not in known:
            raise UsageError(f"row {name!r}", f"one of {', '.join(known)}")
    return tuple(known[name] for name in names) or plan.rows


def _row(
    name: str,
    base: Mapping[str, Any],
    overlay: Mapping[str, Any],
    evaluate: EvaluateConfig,
    file: Path,
) -> Row:
    place = f"{file}: rows.{name}"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{place}: not a name", "1 to 40 letters, digits or . + - _")
    tree = merged(base, {key: value for key, value in overlay.items() if key != OPPONENT})
    config = load_tree(RunConfig, {**tree, "name": name}, place)
    if config.data.root is None:
        raise UsageError(
            f"{place}: data.root is not set",
            "the folder in which the data set lies as published",
            "add --root FOLDER, or base: {data: {root: FOLDER}}",
        )
    opponent = None
    if OPPONENT in overlay:
        section = _section(overlay, OPPONENT, file)
        opponent = load_tree(OpponentConfig, section, f"{place}.{OPPONENT}")
    return Row(name=name, config=config, opponent=opponent, evaluate=evaluate)


def _section(tree: Mapping[str, Any], name: str, file: Path) -> dict[str, Any]:
    found = tree.get(name)
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{file}: {name}: {str(found)[:60]}", "a section: names and values below")
    return found or {}
