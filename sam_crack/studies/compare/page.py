"""The files of a comparison: table, page and plots of what is finished so far."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import stdev

from sam_crack import __version__, durable
from sam_crack.console import counted
from sam_crack.measure.bootstrap import Interval
from sam_crack.report import page
from sam_crack.report.html import write_report
from sam_crack.report.tradeoff import Dot, tradeoff
from sam_crack.studies.compare.plan import Plan
from sam_crack.studies.compare.results import BOUNDARY, CLDICE, IOU, Result, by_frames
from sam_crack.studies.compare.rules import costs_of, rules_of
from sam_crack.studies.compare.table import (
    DIGITS,
    ORIGIN,
    markdown,
    mean_of,
    origins_of,
    span_of,
)

MARKDOWN, PAGE, TABLE = "comparison.md", "report.html", "comparison.json"
PLOTS = {
    "parameters": ("trainable", "trained parameters"),
    "time": ("train_seconds", "training time, s"),
}
SCORES = (
    "IoU",
    "low",
    "high",
    "gain in IoU",
    "gain low",
    "gain high",
    "clDice",
    "gain in clDice",
    "clDice gain low",
    "clDice gain high",
    "bf1@2px",
    "threshold",
)
SPENT = ("steps", "crops", "spent before")
COSTS = {
    "trained M": 3,
    "adapter MB": 1,
    "peak MB": 0,
    "train s": 0,
    "steps": 0,
    "crops": 0,
}
"""Columns and their decimals."""


def write_comparison(folder: Path, plan: Plan, results: Sequence[Result]) -> None:
    """Write what is finished so far."""
    plots = draw_plots(plan, results)
    for name, image in plots.items():
        durable.write_bytes(folder / f"{name}.png", image)
    durable.write_text(folder / MARKDOWN, markdown(plan, results, list(plots)))
    facts = {one.row.name: one.facts for one in results}
    durable.write_text(folder / TABLE, json.dumps(facts, indent=1) + "\n")
    report = page.Report(
        title=plan.title,
        subtitle=f"{len(results)} of {len(plan.rows)} rows",
        facts=_headlines(plan, results),
        sections=[
            *(_page_table(plan, where, rows) for where, rows in by_frames(results).items()),
            page.Plots(
                title="Score and cost",
                plots=[page.Plot(image=image, alt=name) for name, image in plots.items()],
                note="Whiskers are the 95 % intervals of the table.",
            ),
            _costs(results),
            page.Table(
                title="What each row is",
                columns=[page.Column(name=name) for name in ORIGIN if name not in SPENT],
                rows=[[*line[:2], *line[-3:]] for line in origins_of(results)],
                note="Hashes: of the frames that were learnt from and validated on, of those that "
                "were scored, and of all settings.",
            ),
            page.Notes(title="Rules", items=rules_of(plan, results)),
        ],
        footer=f"sam-crack {__version__}",
    )
    write_report(folder / PAGE, report)


def _page_table(plan: Plan, where: str, results: Sequence[Result]) -> page.Table:
    """Return the figures as numbers, so that every column can be sorted."""
    columns = [page.Column(name="row"), page.Column(name="method")]
    columns += [page.Column(name=name, digits=DIGITS) for name in SCORES]
    several = any(len(one.trained) > 1 for one in results)
    columns += [page.Column(name="± IoU by seed", digits=DIGITS)] * several
    rows: list[list[page.Cell]] = []
    for one in results:
        score, gain, other = one.scores[IOU], one.gains.get(IOU), one.gains.get(CLDICE)
        row: list[page.Cell] = [
            one.row.name,
            one.trained[0]["method"],
            score.value,
            *ends_of(score.within),
            gain.value if gain else None,
            *ends_of(gain.within if gain else None),
            one.scores[CLDICE].value,
            other.value if other else None,
            *ends_of(other.within if other else None),
            one.scores[BOUNDARY].value,
            one.threshold,
        ]
        spread = stdev(score.seeds) if len(score.seeds) > 1 else None
        rows.append([*row, spread] if several else row)
    note = f"Gains are paired differences from {plan.baseline} on the same frames."
    return page.Table(title=where, columns=columns, rows=rows, note=note)


def _costs(results: Sequence[Result]) -> page.Table:
    """Return what every training took; rows that share one share its line."""
    columns = [page.Column(name="row")]
    columns += [page.Column(name=name, digits=digits) for name, digits in COSTS.items()]
    own = {one.row.base: one for one in reversed(results) if not one.row.of}
    rows: list[list[page.Cell]] = []
    for name, one in reversed(own.items()):
        first = one.trained[0]
        figures = (first["trainable"] / 1e6, first["adapter_mb"], one.peak_mb, one.train_seconds)
        rows.append([name, *figures, first["steps"], first["crops"], costs_of(one)])
    columns.append(page.Column(name="spent before"))
    note = (
        "Time is that of the training alone. Memory is the largest of the whole process, libraries "
        "and all that is kept from earlier rows included; on a GPU, what torch took of it."
    )
    return page.Table(title="What each row costs", columns=columns, rows=rows, note=note)


def ends_of(within: Interval | None) -> tuple[float | None, float | None]:
    """Return the ends of an interval as cells."""
    return (within.low, within.high) if within else (None, None)


def _headlines(plan: Plan, results: Sequence[Result]) -> list[page.Fact]:
    """Name the best row and the baseline of the first set of frames."""
    first = next(iter(by_frames(results).values()), [])
    known = [one for one in first if one.scores[IOU].value is not None]
    if not known:
        return []
    best = max(known, key=lambda one: one.scores[IOU].value or 0.0)
    base = [one for one in known if one.row.base == plan.baseline and one is not best]
    facts = []
    highest = f"highest IoU of {counted(len(known), 'row')}"
    for label, one in [(highest, best), *(("baseline", each) for each in base)]:
        millions = one.trained[0]["trainable"] / 1e6
        note = f"{span_of(one.scores[IOU].within)}; {millions:.2f} M trained"
        facts.append(
            page.Fact(label=label, value=f"{one.row.name} {mean_of(one.scores[IOU])}", note=note)
        )
    seen = best.metrics[0]
    groups = seen["bootstrap"]["groups"]
    facts.append(
        page.Fact(label="frames", value=f"{seen['data']['frames']}", note=f"in {groups} groups")
    )
    return facts


def draw_plots(plan: Plan, results: Sequence[Result]) -> dict[str, bytes]:
    """Return the diagrams by name: two for each set of frames that has something to show."""
    plots = {}
    for number, (where, rows) in enumerate(by_frames(results).items()):
        # A row that looks at another's training has no cost of its own.
        own = [one for one in rows if not one.row.of]
        for name, (key, label) in PLOTS.items():
            dots = [dot for one in own if (dot := _dot(one, key)) is not None]
            if any(dot.cost > 0 for dot in dots):
                suffix = f"-{number + 1}" if number else ""
                plots[f"iou-{name}{suffix}"] = tradeoff(
                    dots, cost=label, score="IoU", note=where, baseline=plan.baseline
                )
    return plots


def _dot(result: Result, cost: str) -> Dot | None:
    score = result.scores[IOU]
    if score.value is None:
        return None
    low, high = ends_of(score.within)
    name, spent = result.row.base, float(result.facts[cost])
    return Dot(name=name, cost=spent, score=score.value, low=low, high=high)
