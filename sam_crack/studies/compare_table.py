"""The table of a comparison, as Markdown, as a page and on the screen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam_crack import __version__, durable
from sam_crack.console import Console
from sam_crack.measure.bootstrap import Interval
from sam_crack.report import page
from sam_crack.report.html import write_report
from sam_crack.report.tradeoff import Dot, tradeoff
from sam_crack.studies.compare_plan import Plan
from sam_crack.studies.evaluation_tables import FEW_GROUPS, MISSED, POLICIES, number, span
from sam_crack.studies.scoring import differences, load_scored

Rows = Mapping[str, tuple[dict[str, Any], Path]]
MARKDOWN, PAGE, TABLE = "comparison.md", "report.html", "comparison.json"
IOU, CLDICE, BOUNDARY = "iou_pooled", "cldice_pooled", "bf1@2px_pooled"
HEADER = (
    "row",
    "method",
    "trained M",
    "adapter MB",
    "peak MB",
    "train s",
    IOU,
    "95 % interval",
    CLDICE,
    BOUNDARY,
    "threshold",
    "gain in IoU",
    "its interval",
)


def table_of(plan: Plan, rows: Rows) -> list[list[str]]:
    """Return one line of text cells for each finished row, in the order of the plan."""
    gains = _gains(plan, rows)
    lines = []
    for name, (facts, _) in rows.items():
        scores = facts["scores"]
        gap, within = gains.get(name, (None, None))
        peak = facts["peak_memory_mb"]
        lines.append(
            [
                name,
                facts["method"],
                f"{facts['trainable'] / 1e6:.3f}",
                f"{facts['adapter_mb']:.2f}",
                "-" if peak is None else f"{peak:.0f}",
                f"{facts['train_seconds']:.1f}",
                number(scores[IOU]["value"]),
                span(_interval(scores[IOU])),
                number(scores[CLDICE]["value"]),
                number(scores[BOUNDARY]["value"]),
                f"{facts['threshold']:.4f}",
                "baseline" if name == plan.baseline else number(gap, sign=True),
                span(within),
            ]
        )
    return lines


def _interval(score: Mapping[str, float | None]) -> Interval | None:
    low, high = score["low"], score["high"]
    return None if low is None or high is None else Interval(low=low, high=high)


def _gains(plan: Plan, rows: Rows) -> dict[str, tuple[float | None, Interval | None]]:
    """Return each row's paired difference in IoU from the baseline, once that is finished."""
    if plan.baseline not in rows:
        return {}
    base = load_scored(rows[plan.baseline][1])
    resamples = plan.rows[0].evaluate.resamples
    return {
        name: differences(load_scored(folder), base, resamples=resamples)[IOU]
        for name, (_, folder) in rows.items()
        if name != plan.baseline
    }


def rules_of(plan: Plan, rows: Rows) -> list[str]:
    """Say in words what the table rests on."""
    first = plan.rows[0]
    scored = first.evaluate
    facts = [one for one, _ in rows.values()]
    found = [
        f"data {first.config.data.name}, scored on {scored.split}"
        + (f", {scored.limit} evenly spaced frames" if scored.limit else ""),
        f"thresholds are chosen on {first.config.data.val}, never on {scored.split}",
        f"empty masks: {scored.empty}: {POLICIES[scored.empty]}",
        f"missed masks: {MISSED}",
        f"gains are paired: the same frames, resampled by the same draws, against {plan.baseline}",
        "one seed each: what changes from seed to seed is not in the intervals",
    ]
    budgets = {(one["steps"], one["crops"]) for one in facts}
    if len(budgets) == 1:
        steps, crops = next(iter(budgets))
        found.insert(1, f"every row saw {crops:,} crops in {steps:,} steps")
    elif budgets:
        found.insert(1, f"budgets differ (steps, crops): {sorted(budgets)}")
    if facts:
        groups = facts[0]["groups"]
        rough = "; so few make rough intervals" if groups < FEW_GROUPS else ""
        found.append(f"95 % intervals from {scored.resamples} resamples of {groups} groups{rough}")
    missing = [row.name for row in plan.rows if row.name not in rows]
    if missing:
        found.append(f"not finished: {', '.join(missing)}")
    return found


def write_comparison(folder: Path, plan: Plan, rows: Rows) -> None:
    """Write what is finished so far."""
    lines = table_of(plan, rows)
    rules = rules_of(plan, rows)
    plots = draw_plots(rows)
    for name, image in plots.items():
        durable.write_bytes(folder / f"{name}.png", image)
    text = [f"# {plan.title}", "", _markdown(HEADER), _markdown(["---"] * len(HEADER))]
    text += [*map(_markdown, lines), "", *(f"* {rule}" for rule in rules), ""]
    text += [f"![{name}]({name}.png)" for name in plots]
    durable.write_text(folder / MARKDOWN, "\n".join(text) + "\n")
    facts = {name: one for name, (one, _) in rows.items()}
    durable.write_text(folder / TABLE, json.dumps(facts, indent=1) + "\n")
    report = page.Report(
        title=plan.title,
        subtitle=f"{len(rows)} of {len(plan.rows)} rows",
        sections=[
            page.Table(title="Methods", columns=[page.Column(name=n) for n in HEADER], rows=lines),
            page.Plots(
                title="Score and cost",
                plots=[page.Plot(image=image, alt=name) for name, image in plots.items()],
            ),
            page.Notes(title="Rules", items=rules),
        ],
        footer=f"sam-crack {__version__}",
    )
    write_report(folder / PAGE, report)


def draw_plots(rows: Rows) -> dict[str, bytes]:
    """Return the two diagrams by name."""
    costs = {
        "iou-parameters": ("trainable", "trained parameters"),
        "iou-time": ("train_seconds", "training time, s"),
    }
    plots = {}
    for name, (key, label) in costs.items():
        dots = []
        for row, (facts, _) in rows.items():
            score = facts["scores"][IOU]
            if score["value"] is not None and facts[key] > 0:
                dots.append(
                    Dot(
                        name=row,
                        cost=facts[key],
                        score=score["value"],
                        low=score["low"],
                        high=score["high"],
                    )
                )
        if dots:
            plots[name] = tradeoff(dots, cost=label, score="IoU")
    return plots


def say_comparison(plan: Plan, rows: Rows, console: Console) -> None:
    """Print the table and its rules."""
    console.table(HEADER, table_of(plan, rows))
    for rule in rules_of(plan, rows):
        console.say(rule)


def _markdown(cells: Any) -> str:  # noqa: ANN401 - any sequence of cells
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
