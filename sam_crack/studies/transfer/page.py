"""The files of a transfer: tables, the curve, and the page that holds them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sam_crack import __version__, durable
from sam_crack.console import Console
from sam_crack.report import page
from sam_crack.report.html import write_report
from sam_crack.report.learning_curve import Reached, learning_curve
from sam_crack.studies.transfer.facts import PUBLISHED
from sam_crack.studies.transfer.plan import TransferPlan
from sam_crack.studies.transfer.results import Found
from sam_crack.studies.transfer.tables import (
    Outcome,
    forgotten_of,
    markdown_of,
    published_of,
    rows_of,
    rules_of,
    texts_of,
)

MARKDOWN, PAGE, TABLE = "transfer.md", "report.html", "transfer.json"


def write_transfer(folder: Path, plan: TransferPlan, outcome: Outcome) -> None:
    """Write what is finished so far."""
    plots = draw_curves(outcome.found)
    for name, image in plots.items():
        durable.write_bytes(folder / f"{name}.png", image)
    tables = [
        rows_of(plan, outcome.found),
        forgotten_of(outcome.forgotten),
        published_of(plan, outcome.found),
    ]
    tables = [table for table in tables if table.rows]
    rules = rules_of(plan, outcome)
    text = [f"# {plan.compared.title}", ""]
    for table in tables:
        text += [f"## {table.title}", "", *markdown_of(table), ""]
        text += [table.note, ""] if table.note else []
    text += [*(f"![{name}]({name}.png)" for name in plots), ""]
    text += ["## Rules", "", *(f"* {rule}" for rule in rules)]
    durable.write_text(folder / MARKDOWN, "\n".join(text) + "\n")
    facts = _facts(plan, outcome) | {"rules": rules}
    durable.write_text(folder / TABLE, json.dumps(facts, indent=1) + "\n")
    report = page.Report(
        title=plan.compared.title,
        subtitle=f"{len(outcome.found)} of {len(plan.compared.rows)} rows",
        sections=[
            *tables,
            page.Plots(
                title="Score and images",
                plots=[page.Plot(image=image, alt=name) for name, image in plots.items()],
                note="Whiskers are the 95 % intervals of the table.",
            ),
            page.Notes(title="Rules", items=rules),
        ],
        footer=f"sam-crack {__version__}",
    )
    write_report(folder / PAGE, report)


def _facts(plan: TransferPlan, outcome: Outcome) -> dict[str, Any]:
    """Return what `transfer.json` holds beside the rules."""
    found = outcome.found
    return {
        "title": plan.compared.title,
        "data": plan.data.name,
        "baseline": plan.compared.baseline,
        "headlines": list(found[0].headlines) if found else [],
        "validated_on": list(plan.validated),
        "rows": {one.row.name: one.facts for one in found},
        "forgotten": dict(outcome.forgotten),
        "not_run": dict(outcome.not_run),
        "published": [asdict(one) for one in PUBLISHED.get(plan.data.name, ())],
    }


def draw_curves(found: Sequence[Found]) -> dict[str, bytes]:
    """Draw the first score over the images that were learnt from."""
    methods: dict[str, list[Reached]] = {}
    for one in found:
        score = one.scores[one.headlines[0]]
        if score.value is not None and one.point.images:
            low, high = (score.within.low, score.within.high) if score.within else (None, None)
            methods.setdefault(one.point.method, []).append(
                Reached(images=one.point.images, score=score.value, low=low, high=high)
            )
    if not methods:
        return {}
    score_name = found[0].headlines[0].replace("_", " ")
    return {"curve": learning_curve(methods, score=score_name, note=found[0].row.scored_on)}


def say_transfer(plan: TransferPlan, outcome: Outcome, console: Console) -> None:
    """Print the tables and their rules."""
    for table in (rows_of(plan, outcome.found), forgotten_of(outcome.forgotten)):
        if table.rows:
            console.table([column.name for column in table.columns], texts_of(table))
    for rule in rules_of(plan, outcome):
        console.say(rule)
