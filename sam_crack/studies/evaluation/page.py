"""The page of an evaluation: figures, curves, and the frames behind them, best and worst."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sam_crack import __version__, durable
from sam_crack.data.dataset import Dataset
from sam_crack.data.store import Store
from sam_crack.infer.scaled import Looker
from sam_crack.measure.calibration import FLOOR, reliability
from sam_crack.measure.class_tally import table_of
from sam_crack.measure.metrics import to_level
from sam_crack.measure.tally import LOWER_IS_BETTER, levels_of
from sam_crack.report import page
from sam_crack.report.confusion_plot import confusion_matrix
from sam_crack.report.curves import precision_recall, reliability_diagram
from sam_crack.report.html import write_report
from sam_crack.report.overlay import KEY, draw_overlay, thumbnail
from sam_crack.studies.evaluation.tables import (
    Evaluation,
    model_hash,
    number,
    rules_of,
    span,
    told_of,
)
from sam_crack.studies.evaluation.tasks import ECE, Ruler, Task
from sam_crack.studies.scoring import Scored, ScoredFrame

PAGE = "report.html"
SHOWN = 3
"""Frames of each kind: best, median, worst."""
NAMES = {"iou": "IoU", "miou": "mean IoU", "pq": "panoptic quality"}
CAPTION = ("iou", "aji", "cldice")
FULL_PX, SMALL_PX = 1600, 480
LONGEST_NAME = 28


def write_page(
    folder: Path, evaluation: Evaluation, samples: Dataset | Store, predictor: Looker
) -> None:
    """Draw the curves, look at the shown frames once more, and write the page."""
    curves = draw_curves(evaluation)
    for name, image in curves.items():
        durable.write_bytes(folder / f"{name}.png", image)
    facts = evaluation.facts
    title = f"{facts['model'].get('name', 'model')} on {facts['data']['name']}"
    report = page.Report(
        title=title,
        subtitle=f"split {facts['data']['split']}, {facts['data']['frames']} frames"
        + (f", compared with {_name(evaluation.baseline)}" if evaluation.baseline else ""),
        facts=_headlines(evaluation),
        sections=[
            _scores(evaluation),
            page.Plots(
                title="Curves",
                plots=[page.Plot(image=image, alt=name) for name, image in curves.items()],
                note=_curves_note(evaluation.scored.ruler.task),
            ),
            *_galleries(evaluation, samples, predictor),
            page.Notes(title="Rules", items=rules_of(evaluation)),
            page.Command(title="Again", lines=[shlex.join(["sam-crack", *sys.argv[1:]])]),
        ],
        footer=f"sam-crack {__version__}; model {model_hash(evaluation.scored)}; "
        + (f"baseline {model_hash(evaluation.baseline)}; " if evaluation.baseline else "")
        + f"frames {facts['data']['frames_sha256'][:12]}",
    )
    write_report(folder / PAGE, report)


def draw_curves(evaluation: Evaluation) -> dict[str, bytes]:
    """Return the diagrams by name: two of thresholds, or the table of classes."""
    ruler = evaluation.scored.ruler
    if ruler.task == "classes":
        table = table_of(evaluation.scored.total())
        return {"confusion": confusion_matrix(table, ("background", *ruler.classes))}
    models = {f"model {_name(evaluation.scored)}": evaluation.scored}
    if evaluation.baseline:
        models[f"baseline {_name(evaluation.baseline)}"] = evaluation.baseline
    curves, points = {}, {}
    for name, scored in models.items():
        curves[name], points[name] = _curve(scored)
    total = evaluation.scored.total()
    bins = reliability(levels_of(total))
    scores = evaluation.scored.scores()
    areas = ", baseline ".join(number(one.scores()["ap"]) for one in models.values())
    return {
        "precision-recall": precision_recall(curves, points, note=f"area {areas}"),
        "reliability": reliability_diagram(
            bins.said, bins.true, bins.pixels, note=f"{ECE} {number(scores[ECE])}"
        ),
    }


def _curves_note(task: Task) -> str:
    if task == "classes":
        return "Of the pixels of a true class, the share that was given each class."
    return (
        "Both use every threshold; the dots are where the checkpoints work. ECE is of the pixels "
        f"from probability {FLOOR:g} on: nearly all others are background that nobody doubts."
    )


def _name(scored: Scored) -> str:
    """Return a model's name, short enough for a legend."""
    name = str(scored.model.get("name", "")).replace("$", "")  # no formula in a diagram
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _curve(
    scored: Scored,
) -> tuple[tuple[list[float], list[float]], tuple[float, float]]:
    """Return recall and precision at every level, and at the model's own."""
    tp, fp, truth = levels_of(scored.total()).curve()
    found = tp + fp
    kept = (np.arange(len(tp)) > 0) & (found > 0)
    recall, precision = tp / max(truth, 1), tp / np.maximum(found, 1)
    level = to_level(float(scored.model["threshold"]))
    own = float(recall[level]), float(precision[level])
    return (recall[kept].tolist(), precision[kept].tolist()), own


def _headlines(evaluation: Evaluation) -> list[page.Fact]:
    scores = evaluation.scored.scores()
    found = [
        page.Fact(label=name, value=number(scores[name]), note=span(evaluation.intervals.get(name)))
        for name in evaluation.scored.ruler.headlines
    ]
    if evaluation.scored.ruler.task == "classes":
        return found
    model = evaluation.scored.model
    origin = f"from {str(model['threshold_from']).partition(',')[0]}"
    value = f"{float(model['threshold']):.4f}"
    return [*found, page.Fact(label="threshold", value=value, note=origin)]


def _scores(evaluation: Evaluation) -> page.Table:
    """Tabulate every score, and beside it the baseline's."""
    columns = [page.Column(name="Score")]
    columns += [page.Column(name=name, digits=4) for name in ("Value", "Low", "High")]
    others: Mapping[str, Any] = evaluation.baseline.scores() if evaluation.baseline else {}
    if evaluation.baseline:
        names = ("Baseline", "Difference", "Difference low", "Difference high")
        columns += [page.Column(name=name, digits=4) for name in names]
    rows: list[list[page.Cell]] = []
    for name, value in evaluation.scored.scores().items():
        within = evaluation.intervals.get(name)
        told = f"{name} (less is better)" if name.startswith(LOWER_IS_BETTER) else name
        row: list[page.Cell] = [told, value, *_ends(within)]
        if evaluation.baseline:
            gap, bounds = evaluation.differences[name]
            row += [others[name], gap, *_ends(bounds)]
        rows.append(row)
    return page.Table(title="Scores", columns=columns, rows=rows, note=_scores_note(evaluation))


def _scores_note(evaluation: Evaluation) -> str:
    within = "95 % intervals by group."
    if evaluation.baseline is None:
        return within
    return f"{within} Differences are the model less the baseline, {told_of(evaluation.baseline)}."


def _ends(interval: Any) -> tuple[float | None, float | None]:  # noqa: ANN401 - Interval or None
    return (interval.low, interval.high) if interval else (None, None)


def pick_frames(scored: Scored) -> dict[str, list[ScoredFrame]]:
    """Return the worst, middle and best frames by the task's score, none of them twice."""
    by = scored.ruler.ranked_by
    known = [frame for frame in scored.frames if frame.sums[by][1]]
    ranked = sorted(known, key=lambda frame: (frame.sums[by][0], frame.index))
    middle = max(0, (len(ranked) - SHOWN) // 2)
    slots = {
        "Worst": ranked[:SHOWN],
        "Best": ranked[::-1][:SHOWN],
        "Median": ranked[middle : middle + SHOWN],
    }
    taken: set[int] = set()
    found: dict[str, list[ScoredFrame]] = {}
    for name, frames in slots.items():
        found[name] = [frame for frame in frames if frame.index not in taken]
        taken |= {frame.index for frame in frames}
    return {name: found[name] for name in ("Worst", "Median", "Best") if found[name]}


def _galleries(
    evaluation: Evaluation, samples: Dataset | Store, predictor: Looker
) -> list[page.Gallery]:
    galleries = []
    ruler = evaluation.scored.ruler
    for name, frames in pick_frames(evaluation.scored).items():
        pictures = [_picture(frame, samples, predictor, ruler) for frame in frames]
        title = f"{name} frames by {NAMES[ruler.ranked_by]}"
        galleries.append(page.Gallery(title=title, pictures=pictures, key=KEY))
    return galleries


def _picture(
    frame: ScoredFrame, samples: Dataset | Store, predictor: Looker, ruler: Ruler
) -> page.Picture:
    """Look at a frame again and draw what was found, missed and false."""
    sample = samples[frame.index]
    said = predictor.frame(sample.image)
    mask, truth = ruler.shown(said, sample, threshold=predictor.threshold)
    # Objects and classes are right or wrong as a whole; only a thin line may be off by a hair.
    tolerance = None if ruler.task == "foreground" else 0
    drawn = draw_overlay(sample.image, mask, truth=truth, tolerance_px=tolerance, legend=False)
    scores = ", ".join(
        f"{name} {frame.sums[name][0]:.3f}"
        for name in dict.fromkeys((ruler.ranked_by, *CAPTION))
        if name in frame.sums and frame.sums[name][1]
    )
    return page.Picture(
        image=thumbnail(drawn, FULL_PX, quality=85),
        thumbnail=thumbnail(drawn, SMALL_PX),
        title=sample.id,
        caption=f" {scores}",
    )
