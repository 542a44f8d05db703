"""The table of a comparison, as Markdown and on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import stdev

from sam_crack.console import Console
from sam_crack.measure.bootstrap import Interval
from sam_crack.studies.compare.means import Score
from sam_crack.studies.compare.plan import Plan
from sam_crack.studies.compare.results import BOUNDARY, CLDICE, IOU, Result, by_frames
from sam_crack.studies.compare.rules import costs_of, rules_of
from sam_crack.studies.evaluation.tables import FEW_GROUPS

DIGITS = 3
HEADER = (
    "row",
    "method",
    "IoU",
    "95 % interval",
    "gain in IoU",
    "clDice",
    "gain in clDice",
    "bf1@2px",
    "threshold",
    "trained M",
    "adapter MB",
    "peak MB",
    "train s",
)
GAINS = {HEADER.index("gain in IoU"): IOU, HEADER.index("gain in clDice"): CLDICE}
ORIGIN = ("row", "what it is", "steps", "crops", "spent before", "learnt", "scored", "key")


def table_of(plan: Plan, results: Sequence[Result]) -> list[list[str]]:
    """Return one line of text cells for each finished row."""
    lines = []
    for one in results:
        first = one.trained[0]
        base = one.row.base == plan.baseline
        lines.append(
            [
                one.row.name,
                str(first["method"]),
                mean_of(one.scores[IOU]),
                span_of(one.scores[IOU].within),
                "baseline" if base else _gain(one, IOU),
                mean_of(one.scores[CLDICE]),
                "baseline" if base else _gain(one, CLDICE),
                mean_of(one.scores[BOUNDARY]),
                f"{one.threshold:.3f}",
                f"{first['trainable'] / 1e6:.3f}",
                f"{first['adapter_mb']:.1f}",
                "-" if one.peak_mb is None else f"{one.peak_mb:.0f}",
                f"{one.train_seconds:.0f}",
            ]
        )
    return lines


def origins_of(results: Sequence[Result]) -> list[list[str]]:
    """Say of each row what it is and what its figures come from."""
    lines = []
    for one in results:
        first, row = one.trained[0], one.row
        lines.append(
            [
                row.name,
                row.differs or "as the base",
                f"{first['steps']:,}",
                f"{first['crops']:,}",
                costs_of(one),
                row.recipes[0].samples_sha256[:10],
                one.truth[-1][:10],
                row.key[:10],
            ]
        )
    return lines


def is_told_apart(result: Result, name: str) -> bool:
    """Whether a difference from the baseline is more than what frames draw by chance."""
    within = result.gains[name].within
    enough = result.metrics[0]["bootstrap"]["groups"] >= FEW_GROUPS
    return enough and within is not None and (within.low > 0 or within.high < 0)


def mean_of(score: Score) -> str:
    """Write a mean, and how far seeds lie apart where there are several."""
    if score.value is None:
        return "-"
    spread = f" ± {stdev(score.seeds):.{DIGITS}f}" if len(score.seeds) > 1 else ""
    return f"{score.value:.{DIGITS}f}{spread}"


def span_of(within: Interval | None) -> str:
    """Write an interval."""
    return "-" if within is None else f"{within.low:.{DIGITS}f} .. {within.high:.{DIGITS}f}"


def _gain(result: Result, name: str) -> str:
    gain = result.gains.get(name)
    if gain is None or gain.value is None:
        return "-"
    text = f"{gain.value:+.{DIGITS}f}"
    if gain.within is None:
        return text
    return f"{text} ({gain.within.low:+.{DIGITS}f} .. {gain.within.high:+.{DIGITS}f})"


def markdown(plan: Plan, results: Sequence[Result], plots: Sequence[str]) -> str:
    """Write everything as Markdown; what is bold, the rules say."""
    text = [f"# {plan.title}", ""]
    for where, rows in by_frames(results).items():
        lines = table_of(plan, rows)
        for line, one in zip(lines, rows, strict=True):
            for place, name in GAINS.items():
                if name in one.gains and is_told_apart(one, name):
                    line[place] = f"**{line[place]}**"
        text += [f"## {where}", "", *_markdown(HEADER, lines), ""]
    text += [f"![{name}]({name}.png)" for name in plots]
    text += ["", "## What each row is", "", *_markdown(ORIGIN, origins_of(results)), ""]
    bold = (
        "a gain is bold where its interval leaves out zero and there are at least "
        f"{FEW_GROUPS} groups; of many rows some would be by chance"
    )
    text += ["## Rules", "", *(f"* {rule}" for rule in (*rules_of(plan, results), bold))]
    return "\n".join(text) + "\n"


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    rows = [header, ["---"] * len(header), *lines]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def say_comparison(plan: Plan, results: Sequence[Result], console: Console) -> None:
    """Print the table and its rules."""
    for where, rows in by_frames(results).items():
        console.say(where)
        console.table(HEADER, table_of(plan, rows))
    for rule in rules_of(plan, results):
        console.say(rule)
