"""What an evaluation found, as tables: on the screen, as JSON, and image by image."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sam_crack import durable
from sam_crack.config.runs import write_run_header
from sam_crack.config.study_verbs import EvaluateOptions
from sam_crack.console import Console, counted
from sam_crack.infer.gate import say_gate
from sam_crack.infer.rows import write_csv
from sam_crack.measure.bootstrap import Interval
from sam_crack.measure.class_tally import table_of
from sam_crack.measure.tally import LOWER_IS_BETTER, Sums
from sam_crack.studies.scoring import SEED, Scored, differences, intervals, save_scored

METRICS, IMAGES = "metrics.json", "images.csv"
FORMAT = "sam-crack evaluation 1"
FEW_GROUPS = 10
"""Fewer groups than this make rough intervals, and that is said."""
POLICIES = {
    "skip": "a frame without foreground in truth and prediction is left out of means per image",
    "one": "a frame without foreground in truth and prediction scores 1 (an error 0)",
    "zero": "a frame without foreground in truth and prediction scores 0; distances leave it out",
}
MISSED = (
    "where only one side has foreground at the checkpoint's threshold every score at it is 0, and "
    "HD95 and ASSD cost the frame's diagonal; without truth, ods and ois are 0 if every threshold "
    "finds something"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Everything that an evaluation found out."""

    scored: Scored
    intervals: Mapping[str, Interval | None]
    baseline: Scored | None
    differences: Mapping[str, tuple[float | None, Interval | None]]
    facts: Mapping[str, Any]
    """Data, model, inference, policies and bootstrap, as in metrics.json."""


def evaluate(
    scored: Scored, baseline: Scored | None, options: EvaluateOptions, classes: tuple[str, ...]
) -> Evaluation:
    """Compute scores, intervals and differences, with all that must be known beside them."""
    groups = set(scored.groups)
    facts = {
        "data": {
            "name": options.data,
            "split": options.split,
            "classes": list(classes),
            "frames": len(scored.frames),
            "frames_with_truth": int(scored.total()["frames"][1]),
            "own_lists": options.lists is not None,
            "limited_to": options.limit,
            "frames_sha256": scored.fingerprint,
        },
        "model": dict(scored.model),
        "policies": {
            "empty": options.empty,
            "empty_means": POLICIES[options.empty],
            "missed": MISSED,
            "foreground": "any of the classes against everything else",
            "rules": scored.ruler.rules(),
        },
        "task": scored.ruler.facts(),
        "headlines": list(scored.ruler.headlines),
        "bootstrap": {
            "unit": "group" if any(frame.group for frame in scored.frames) else "frame",
            "groups": len(groups),
            "resamples": options.resamples,
            "level": 0.95,
            "seed": SEED,
        },
    }
    return Evaluation(
        scored=scored,
        intervals=intervals(scored, resamples=options.resamples),
        baseline=baseline,
        differences=differences(scored, baseline, resamples=options.resamples) if baseline else {},
        facts=facts,
    )


def metrics_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return what metrics.json holds: nothing of the machine, nothing of the time."""
    within = evaluation.intervals
    found: dict[str, Any] = {
        "format": FORMAT,
        **evaluation.facts,
        "scores": {
            name: {"value": value, **_bounds(within.get(name))}
            for name, value in evaluation.scored.scores().items()
        },
        **evaluation.scored.gate(),
    }
    if evaluation.baseline:
        found["baseline"] = {
            "model": dict(evaluation.baseline.model),
            "scores": evaluation.baseline.scores(),
            "differences": {
                name: {"value": gap, **_bounds(bounds)}
                for name, (gap, bounds) in evaluation.differences.items()
            },
        }
    return found


def write_evaluation(folder: Path, evaluation: Evaluation, options: EvaluateOptions) -> None:
    """Write the tables and the counts that they come from."""
    folder.mkdir(parents=True, exist_ok=True)
    write_run_header(folder, options, sys.argv)
    save_scored(evaluation.scored, folder)
    rows = [_row(evaluation, number) for number in range(len(evaluation.scored.frames))]
    write_csv(folder / IMAGES, list(rows[0]), rows)
    text = json.dumps(metrics_of(evaluation), indent=1, allow_nan=False)
    durable.write_text(folder / METRICS, text + "\n")


def _row(evaluation: Evaluation, number: int) -> dict[str, object]:
    """One line of the table of images."""
    frame = evaluation.scored.frames[number]
    row: dict[str, object] = {
        "id": frame.id,
        "group": frame.group,
        "height": frame.size[0],
        "width": frame.size[1],
        **_counted(frame.sums),
    }
    for name in evaluation.scored.ruler.per_image:
        total, known = frame.sums[name]
        row[name] = f"{total:.6g}" if known else ""
    return row


def _counted(sums: Sums) -> dict[str, object]:
    """Return what was counted in a frame: pixels, and objects where there are any."""
    if "table" in sums:
        table = table_of(sums)
        truth, found, hit = table[1:].sum(), table[:, 1:].sum(), np.diag(table)[1:].sum()
    else:
        tp, fp, fn, _ = sums["pixels"]
        truth, found, hit = tp + fn, tp + fp, tp
    row: dict[str, object] = {
        "truth_px": int(truth),
        "found_px": int(found),
        "hit_px": int(hit),
    }
    if "objects" in sums:
        tp, fp, fn, _ = sums["objects"]
        row |= {
            "truth_objects": int(tp + fn),
            "found_objects": int(tp + fp),
            "hit_objects": int(tp),
        }
    return row


def _bounds(interval: Interval | None) -> dict[str, float | None]:
    return dataclasses.asdict(interval) if interval else {"low": None, "high": None}


def say_table(evaluation: Evaluation, console: Console) -> None:
    """Print every score with its interval, and the rules they were computed by."""
    header = ["score", "value", "95 % interval"]
    if evaluation.baseline:
        header += ["baseline", "difference", "95 % interval"]
    others = evaluation.baseline.scores() if evaluation.baseline else {}
    rows = []
    for name, value in evaluation.scored.scores().items():
        row = [name, number(value), span(evaluation.intervals.get(name))]
        if evaluation.baseline:
            gap, within = evaluation.differences[name]
            row += [number(others[name]), number(gap, sign=True), span(within)]
        rows.append(row)
    console.table(header, rows)
    for line in rules_of(evaluation):
        console.say(line)


def rules_of(evaluation: Evaluation) -> list[str]:
    """Say in words what the figures rest on."""
    facts, model, ruler = evaluation.facts, evaluation.scored.model, evaluation.scored.ruler
    drawn, data = facts["bootstrap"], facts["data"]
    gate = evaluation.scored.gate()
    threshold = f"threshold {model['threshold']:.4f}, from {model['threshold_from']}"
    lines = [
        *([f"baseline: {told_of(evaluation.baseline)}"] if evaluation.baseline else []),
        *([threshold] if ruler.task != "classes" else []),
        *ruler.rules(),
        f"empty masks: {facts['policies']['empty']}: {facts['policies']['empty_means']}",
        *([f"missed masks: {MISSED}"] if ruler.task != "classes" else []),
        f"{counted(data['frames'], 'frame')}, {data['frames_with_truth']} with foreground; "
        f"{intervals_from(drawn)}",
    ]
    less = [name for name in evaluation.scored.scores() if name.startswith(LOWER_IS_BETTER)]
    if less:
        lines.append(f"less is better in {', '.join(less)}")
    if gate:
        lines.append(say_gate(model["road"], gate))
    if ruler.task != "classes":
        lines.append(
            "ods, ois and miou2_testmax choose thresholds on these very frames: never quote them "
            "as what the model does"
        )
    if data["split"] != "test":
        lines.append(
            f"split {data['split']} is not test: what was chosen or learnt on it flatters the model"
        )
    return lines


def intervals_from(drawn: Mapping[str, Any]) -> str:
    """Say in words what intervals were drawn from, given `bootstrap` of metrics.json."""
    groups = counted(int(drawn["groups"]), f"whole {drawn['unit']}")
    if not drawn["resamples"]:
        return "no intervals: no resamples were asked for"
    if drawn["groups"] < 2:
        return f"no intervals: they take two groups or more, here is {groups}"
    rough = "; so few make rough intervals" if drawn["groups"] < FEW_GROUPS else ""
    return f"95 % intervals from {drawn['resamples']} resamples of {groups}{rough}"


def told_of(scored: Scored) -> str:
    """Say in words which model it is, and where it works."""
    model = scored.model
    works = "" if scored.ruler.task == "classes" else f", threshold {model['threshold']:.4f}"
    return f"{model.get('name') or 'without a name'}{works}, hash {model_hash(scored) or 'unknown'}"


def model_hash(scored: Scored) -> str:
    """Return how the hash of the model begins."""
    return str(scored.model.get("sha256", ""))[:12]


def number(value: float | None, *, sign: bool = False) -> str:
    """Write a score with four digits that count."""
    if value is None:
        return "-"
    digits = 4 if abs(value) < 10 else 1
    return f"{value:{'+' if sign else ''}.{digits}f}"


def span(interval: Interval | None) -> str:
    """Write an interval."""
    return f"{number(interval.low)} .. {number(interval.high)}" if interval else "-"
