"""The files of a transfer: table, curve, what was forgotten, and what others have published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sam_crack import __version__, durable
from sam_crack.console import Console
from sam_crack.report import page
from sam_crack.report.html import write_report
from sam_crack.report.learning_curve import Reached, learning_curve
from sam_crack.studies.compare.means import Score
from sam_crack.studies.compare.table import DIGITS, mean_of, span_of
from sam_crack.studies.evaluation.tables import FEW_GROUPS, POLICIES
from sam_crack.studies.transfer.facts import PUBLISHED
from sam_crack.studies.transfer.forget import RULE
from sam_crack.studies.transfer.plan import TransferPlan
from sam_crack.studies.transfer.results import Found

MARKDOWN, PAGE, TABLE = "transfer.md", "report.html", "transfer.json"
Forgotten = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a transfer has come to so far."""

    found: Sequence[Found]
    forgotten: Forgotten = field(default_factory=dict)
    """Checkpoint or row to what SAM's own decoder lost by its adapters."""
    not_run: Mapping[str, str] = field(default_factory=dict)
    """Row to why it is missing."""


def write_transfer(folder: Path, plan: TransferPlan, outcome: Outcome) -> None:
    """Write what is finished so far."""
    plots = draw_curves(outcome.found)
    for name, image in plots.items():
        durable.write_bytes(folder / f"{name}.png", image)
    tables = [
        ("Rows", *rows_of(plan, outcome.found)),
        ("What SAM's own decoder lost", *forgotten_of(outcome.forgotten)),
        ("What others have published", *published_of(plan, outcome.found)),
    ]
    rules = rules_of(plan, outcome)
    text = [f"# {plan.compared.title}", ""]
    for title, header, lines in tables:
        if lines:
            text += [f"## {title}", "", *_markdown(header, lines), ""]
    text += [*(f"![{name}]({name}.png)" for name in plots), ""]
    text += ["## Rules", "", *(f"* {rule}" for rule in rules)]
    durable.write_text(folder / MARKDOWN, "\n".join(text) + "\n")
    facts = _facts(plan, outcome) | {"rules": rules}
    durable.write_text(folder / TABLE, json.dumps(facts, indent=1) + "\n")
    report = page.Report(
        title=plan.compared.title,
        subtitle=f"{len(outcome.found)} of {len(plan.compared.rows)} rows",
        sections=[
            *(
                page.Table(title=title, columns=[page.Column(name=n) for n in header], rows=lines)
                for title, header, lines in tables
                if lines
            ),
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


def rows_of(plan: TransferPlan, found: Sequence[Found]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table of rows."""
    if not found:
        return [], []
    names = found[0].headlines
    first = names[0]
    header = ["row", "method", "images", "steps", "start", first, "95 % interval", *names[1:]]
    header += [f"gain in {first}", "its interval", "threshold", "published", "config", "frames"]
    others = {one.score: one.value for one in PUBLISHED.get(plan.data.name, ())}
    lines = []
    for one in found:
        gain = one.gains.get(first)
        base = one.row.base == plan.compared.baseline
        before = one.trained.get("steps_before")
        lines.append(
            [
                one.row.name,
                str(one.trained["method"]),
                str(one.point.images),
                f"{one.trained['steps']:,}",
                f"checkpoint of {before:,} steps" if before else _start(one),
                mean_of(one.scores[first]),
                span_of(one.scores[first].within),
                *(mean_of(one.scores[name]) for name in names[1:]),
                "baseline" if base else _signed(gain),
                span_of(gain.within) if gain else "-",
                f"{one.metrics['model']['threshold']:.3f}",
                others.get(first, "-"),
                one.row.key[:10],
                one.metrics["data"]["frames_sha256"][:10],
            ]
        )
    return header, lines


def _start(one: Found) -> str:
    """Say with which weights a row begins."""
    recipe = one.row.recipes[0]
    if recipe.opponent is not None:
        given = recipe.opponent.imagenet or recipe.opponent.weights is not None
        return f"{'ImageNet' if given else 'random'} {recipe.opponent.encoder}"
    backbone = recipe.config.model.backbone
    return backbone.name if backbone.pretrained else f"random {backbone.name}"


def _signed(gain: Score | None) -> str:
    return "-" if gain is None or gain.value is None else f"{gain.value:+.{DIGITS}f}"


def forgotten_of(forgotten: Forgotten) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of what tuning cost point prompts."""
    header = ["adapters of", "steps", "objects", "groups", "median IoU, off", "95 % interval"]
    header += ["median IoU, on", "its interval", "median difference", "and its interval"]
    lines = []
    for name, facts in forgotten.items():
        cells = [name, f"{facts['steps']:,}", str(facts["objects"]), str(facts["groups"])]
        for part in ("base", "tuned", "difference"):
            one = facts[part]
            sign = "+" if part == "difference" else ""
            ends = [one["low"], one["high"]]
            cells.append(f"{one['median']:{sign}.{DIGITS}f}")
            cells.append(
                "-" if None in ends else " .. ".join(f"{end:{sign}.{DIGITS}f}" for end in ends)
            )
        lines.append(cells)
    return header, lines


def published_of(plan: TransferPlan, found: Sequence[Found]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of others' figures, each beside the best row here."""
    header = ["score", "published", "best here", "row", "their protocol", "ours", "source"]
    lines = []
    for one in PUBLISHED.get(plan.data.name, ()):
        known = [(each.scores[one.score].value, each) for each in found if one.score in each.scores]
        ranked = [(value, each) for value, each in known if value is not None]
        best = max(ranked, key=lambda pair: pair[0], default=None)
        ours = "not scored" if best is None else _protocol(best[1])
        here = ["-", "-"] if best is None else [f"{best[0]:.{DIGITS}f}", best[1].row.name]
        lines.append([one.score, one.value, *here, one.protocol, ours, one.source])
    return header, lines


def _protocol(one: Found) -> str:
    """Say in words what a figure of ours rests on."""
    train = one.row.config.train
    return (
        f"{one.metrics['data']['frames']} frames of {one.row.evaluate.split}; "
        f"{one.point.images} images, {one.trained['steps']:,} steps of "
        f"{train.batch_size * train.accumulate} crops"
    )


def rules_of(plan: TransferPlan, outcome: Outcome) -> list[str]:
    """Say in words what the figures rest on."""
    first, found, not_run = plan.compared.rows[0], outcome.found, outcome.not_run
    rules = [
        "thresholds and the step that is kept are chosen on held-out images "
        f"({len(plan.validated)}), which no row learns from or is scored on; they are not counted "
        "among the images",
        "few images are drawn by the seed, the smaller number out of the larger; transfer.json "
        "names them",
        "every row takes the same number of steps, however few its images",
        f"empty masks: {first.evaluate.empty}: {POLICIES[first.evaluate.empty]}",
        f"gains are paired: the same frames, resampled by the same draws, against "
        f"{plan.compared.baseline}",
        f"what SAM's own decoder lost: {RULE}",
        *plan.notes,
    ]
    if found:
        rules += found[0].metrics["policies"]["rules"]
        drawn = found[0].metrics["bootstrap"]
        rough = "; so few make rough intervals" if drawn["groups"] < FEW_GROUPS else ""
        rules.append(
            f"95 % intervals from {drawn['resamples']} resamples of {drawn['groups']} whole "
            f"{drawn['unit']}s{rough}"
        )
    if plan.data.name in PUBLISHED:
        rules.append(
            "published figures were taken by other protocols and are no rows of this table"
        )
    done = {one.row.name for one in found}
    rules += [f"not run: {name}: {reason}" for name, reason in not_run.items()]
    open_rows = [row.name for row in plan.compared.rows if row.name not in {*done, *not_run}]
    return rules + ([f"not finished: {', '.join(open_rows)}"] if open_rows else [])


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
    for header, lines in (rows_of(plan, outcome.found), forgotten_of(outcome.forgotten)):
        if lines:
            console.table(header, lines)
    for rule in rules_of(plan, outcome):
        console.say(rule)


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    rows = [header, ["---"] * len(header), *lines]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
