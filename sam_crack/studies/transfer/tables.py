"""What a transfer came to: its rows, what was forgotten, what others published, the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import stdev
from typing import Any

from sam_crack.console import counted
from sam_crack.model.description import IN_RUN
from sam_crack.report import page
from sam_crack.studies.compare.page import ends_of
from sam_crack.studies.compare.table import DIGITS
from sam_crack.studies.evaluation.tables import POLICIES, intervals_from
from sam_crack.studies.transfer.facts import PUBLISHED
from sam_crack.studies.transfer.forget import RULE
from sam_crack.studies.transfer.plan import TransferPlan
from sam_crack.studies.transfer.results import Found

Forgotten = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a transfer has come to so far."""

    found: Sequence[Found]
    forgotten: Forgotten = field(default_factory=dict)
    """Checkpoint or row to what SAM's own decoder lost by its adapters."""
    not_run: Mapping[str, str] = field(default_factory=dict)
    """Row to why it is missing."""


def rows_of(plan: TransferPlan, found: Sequence[Found]) -> page.Table:
    """Return the table of rows; the scores of the task, the one that counts most first."""
    first, *others = found[0].headlines if found else ("score",)
    several = any(len(one.row.recipes) > 1 for one in found)
    figures = [first, "low", "high", f"gain in {first}", "gain low", "gain high", *others]
    figures += ["± by seed"] * several + ["threshold"]
    columns = [page.Column(name=name) for name in ("row", "method")]
    columns += [page.Column(name=name, digits=0) for name in ("images", "steps")]
    columns += [page.Column(name=name, digits=DIGITS) for name in figures]
    columns += [page.Column(name=name) for name in ("start", "published", "config", "frames")]
    published = {one.score: one.value for one in PUBLISHED.get(plan.data.name, ())}
    rows: list[list[page.Cell]] = []
    for one in found:
        score, gain = one.scores[first], one.gains.get(first)
        base = one.row.base == plan.compared.baseline
        rows.append(
            [
                one.row.name + " (baseline)" * base,
                one.trained["method"],
                one.point.images,
                one.trained["steps"],
                score.value,
                *ends_of(score.within),
                gain.value if gain else None,
                *ends_of(gain.within if gain else None),
                *(one.scores[name].value for name in others),
                *[stdev(score.seeds) if len(score.seeds) > 1 else None] * several,
                one.metrics["model"]["threshold"],
                _start(one),
                published.get(first, "-"),
                one.row.key[:10],
                one.metrics["data"]["frames_sha256"][:10],
            ]
        )
    note = "Scores are means over seeds, the threshold is the first one's." if several else ""
    return page.Table(title="Rows", columns=columns, rows=rows, note=note)


def _start(one: Found) -> str:
    """Say with which weights a row begins."""
    recipe = one.row.recipes[0]
    if recipe.opponent is not None:
        given = recipe.opponent.imagenet or recipe.opponent.weights is not None
        return f"{'ImageNet' if given else 'random'} {recipe.opponent.encoder}"
    if recipe.init is not None:
        folder = recipe.init.parent if recipe.init.name == IN_RUN else recipe.init
        return f"{folder.name}, {counted(one.trained.get('steps_before', 0), 'step')}"
    backbone = recipe.config.model.backbone
    return backbone.name if backbone.pretrained else f"random {backbone.name}"


def forgotten_of(forgotten: Forgotten) -> page.Table:
    """Return the table of what tuning cost point prompts: IoU without, with, and apart."""
    columns = [page.Column(name="adapters of")]
    columns += [page.Column(name=name, digits=0) for name in ("steps", "objects", "groups")]
    for name in ("IoU, off", "IoU, on", "gain"):
        parts = (name, f"{name}, low", f"{name}, high")
        columns += [page.Column(name=part, digits=DIGITS) for part in parts]
    columns += [page.Column(name=f"SAM's choice, {name}", digits=DIGITS) for name in ("off", "on")]
    rows: list[list[page.Cell]] = []
    for name, facts in forgotten.items():
        row: list[page.Cell] = [name, facts["steps"], facts["objects"], facts["groups"]]
        for part in ("base", "tuned", "difference"):
            row += [facts[part][end] for end in ("mean", "low", "high")]
        row += [facts[part]["mean"] for part in ("chosen_base", "chosen_tuned")]
        rows.append(row)
    note = (
        "Means over objects, of the best of SAM's three masks and, in the last two columns, of the "
        "one that SAM itself scores best; gains are of the differences object by object."
    )
    return page.Table(
        title="SAM asked by points, adapters off and on", columns=columns, rows=rows, note=note
    )


def published_of(plan: TransferPlan, found: Sequence[Found]) -> page.Table:
    """Return the table of others' figures, each beside the highest here."""
    names = ("score", "published", "highest here", "row", "their protocol", "ours", "source")
    rows: list[list[page.Cell]] = []
    for one in PUBLISHED.get(plan.data.name, ()):
        known = [(each.scores[one.score].value, each) for each in found if one.score in each.scores]
        ranked = [(value, each) for value, each in known if value is not None]
        best = max(ranked, key=lambda pair: pair[0], default=None)
        ours = "not scored" if best is None else _protocol(best[1])
        here = ["-", "-"] if best is None else [f"{best[0]:.{DIGITS}f}", best[1].row.name]
        name = one.score.replace("_", " ")
        rows.append([name, one.value, *here, one.protocol, ours, one.source])
    columns = [page.Column(name=name) for name in names]
    title = "What others have published"
    note = "The highest of all rows on the frames that are scored: it flatters this side."
    return page.Table(title=title, columns=columns, rows=rows, note=note, wraps=True)


def texts_of(table: page.Table) -> list[list[str]]:
    """Write the cells of a table as on the page; gains with their sign."""
    signs = ["+" if column.name.startswith("gain") else "" for column in table.columns]
    return [
        [
            "-"
            if cell is None
            else f"{cell:{sign}.{column.digits}f}"
            if isinstance(cell, float)
            else f"{cell:,}"
            if isinstance(cell, int)
            else cell
            for cell, sign, column in zip(row, signs, table.columns, strict=True)
        ]
        for row in table.rows
    ]


def _protocol(one: Found) -> str:
    """Say in words what a figure of ours rests on."""
    train = one.row.config.train
    return (
        f"{one.metrics['data']['frames']} frames of {one.row.evaluate.split}; "
        f"{counted(one.point.images, 'image')}, {one.trained['steps']:,} steps of "
        f"{train.batch_size * train.accumulate} crops"
    )


def _whence(plan: TransferPlan) -> str:
    return "held out by the seed" if plan.data.hold_out else f"the split {plan.data.val}"


def rules_of(plan: TransferPlan, outcome: Outcome) -> list[str]:
    """Say in words what the figures rest on."""
    first, found, not_run = plan.compared.rows[0], outcome.found, outcome.not_run
    rules = [
        "thresholds and the step that is kept are chosen on "
        f"{counted(len(plan.validated), 'image')}, {_whence(plan)}, which a row does not learn "
        "from and none is scored on; they are not counted among the images",
        "few images are drawn by the seed, the smaller number out of the larger; transfer.json "
        "names those of the first seed",
        *_steps(found),
        f"empty masks: {first.evaluate.empty}: {POLICIES[first.evaluate.empty]}",
        f"gains are paired: the same frames, resampled by the same draws, against "
        f"{plan.compared.baseline}",
        f"SAM asked by points: {RULE}",
        *plan.notes,
    ]
    if found:
        rules += found[0].metrics["policies"]["rules"]
        rules.append(intervals_from(found[0].metrics["bootstrap"]))
    if plan.data.name in PUBLISHED:
        rules.append(
            "published figures were taken by other protocols and are no rows of this table"
        )
    done = {one.row.name for one in found}
    rules += [f"not run: {name}: {reason}" for name, reason in not_run.items()]
    open_rows = [row.name for row in plan.compared.rows if row.name not in {*done, *not_run}]
    return rules + ([f"not finished: {', '.join(open_rows)}"] if open_rows else [])


def _steps(found: Sequence[Found]) -> list[str]:
    """Say whether all rows that learn took as many steps."""
    steps = {one.row.name: int(one.trained["steps"]) for one in found if one.trained["steps"]}
    if len(set(steps.values())) > 1:
        told = ", ".join(f"{name} {number:,}" for name, number in steps.items())
        return [f"rows took different numbers of steps: {told}"]
    return ["every row takes the same number of steps, however few its images"] if steps else []


def markdown_of(table: page.Table) -> list[str]:
    """Write a table as lines of Markdown."""
    names = [column.name for column in table.columns]
    rows = [names, ["---"] * len(names), *texts_of(table)]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
