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
from sam_crack.infer.predict import Predictor
from sam_crack.measure.calibration import FLOOR, reliability
from sam_crack.measure.metrics import to_level
from sam_crack.measure.tally import levels_of
from sam_crack.report import page
from sam_crack.report.curves import precision_recall, reliability_diagram
from sam_crack.report.html import write_report
from sam_crack.report.overlay import KEY, draw_overlay, thumbnail
from sam_crack.studies.evaluation_tables import Evaluation, number, rules_of, span
from sam_crack.studies.scoring import Scored, ScoredFrame

PAGE = "report.html"
SHOWN = 3
"""Frames of each kind: best, median, worst."""
RANKED_BY = "iou"
FULL_PX, SMALL_PX = 1600, 480
HEADLINES = ("iou_pooled", "f1_pooled", "cldice_pooled", "bf1@2px_pooled", f"ece@{FLOOR}")


def write_page(
    folder: Path, evaluation: Evaluation, samples: Dataset | Store, predictor: Predictor
) -> None:
    """Draw the curves, look at the shown frames once more, and write the page."""
    curves = draw_curves(evaluation)
    for name, image in curves.items():
        durable.write_bytes(folder / f"{name}.png", image)
    facts = evaluation.facts
    title = f"{facts['model'].get('name', 'model')} on {facts['data']['name']}"
    report = page.Report(
        title=title,
        subtitle=f"split {facts['data']['split']}, {facts['data']['frames']} frames",
        facts=_headlines(evaluation),
        sections=[
            _scores(evaluation),
            page.Plots(
                title="Curves",
                plots=[page.Plot(image=image, alt=name) for name, image in curves.items()],
                note="Both use every threshold; the dots are where the checkpoints work.",
            ),
            *_galleries(evaluation, samples, predictor),
            page.Notes(title="Rules", items=rules_of(evaluation)),
            page.Command(title="Again", lines=[shlex.join(["sam-crack", *sys.argv[1:]])]),
        ],
        footer=f"sam-crack {__version__}; model {str(facts['model'].get('sha256', ''))[:12]}; "
        f"frames {facts['data']['frames_sha256'][:12]}",
    )
    write_report(folder / PAGE, report)


def draw_curves(evaluation: Evaluation) -> dict[str, bytes]:
    """Return the two diagrams by name."""
    models = {"model": evaluation.scored}
    if evaluation.baseline:
        models["baseline"] = evaluation.baseline
    curves, points = {}, {}
    for name, scored in models.items():
        curves[name], points[name] = _curve(scored)
    total = evaluation.scored.total()
    bins = reliability(levels_of(total))
    scores = evaluation.scored.scores()
    return {
        "precision-recall": precision_recall(curves, points, note=f"area {number(scores['ap'])}"),
        "reliability": reliability_diagram(
            bins.said, bins.true, bins.pixels, note=f"ECE {number(scores['ece'])}"
        ),
    }


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
        for name in HEADLINES
    ]
    threshold = float(evaluation.scored.model["threshold"])
    return [*found, page.Fact(label="threshold", value=f"{threshold:.4f}", note="from validation")]


def _scores(evaluation: Evaluation) -> page.Table:
    """Tabulate every score, and beside it the baseline's."""
    columns = [page.Column(name="Score")]
    columns += [page.Column(name=name, digits=4) for name in ("Value", "Low", "High")]
    others: Mapping[str, Any] = evaluation.baseline.scores() if evaluation.baseline else {}
    if evaluation.baseline:
        names = ("Baseline", "Gain", "Gain low", "Gain high")
        columns += [page.Column(name=name, digits=4) for name in names]
    rows: list[list[page.Cell]] = []
    for name, value in evaluation.scored.scores().items():
        within = evaluation.intervals.get(name)
        row: list[page.Cell] = [name, value, *_ends(within)]
        if evaluation.baseline:
            gap, bounds = evaluation.differences[name]
            row += [others[name], gap, *_ends(bounds)]
        rows.append(row)
    return page.Table(title="Scores", columns=columns, rows=rows, note="95 % intervals by group.")


def _ends(interval: Any) -> tuple[float | None, float | None]:  # noqa: ANN401 - Interval or None
    return (interval.low, interval.high) if interval else (None, None)


def pick_frames(scored: Scored) -> dict[str, list[ScoredFrame]]:
    """Return the worst, middle and best frames by IoU, none of them twice."""
    known = [frame for frame in scored.frames if frame.sums[RANKED_BY][1]]
    ranked = sorted(known, key=lambda frame: (frame.sums[RANKED_BY][0], frame.index))
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
    evaluation: Evaluation, samples: Dataset | Store, predictor: Predictor
) -> list[page.Gallery]:
    galleries = []
    for name, frames in pick_frames(evaluation.scored).items():
        pictures = [_picture(frame, samples, predictor) for frame in frames]
        galleries.append(page.Gallery(title=f"{name} frames by IoU", pictures=pictures, key=KEY))
    return galleries


def _picture(frame: ScoredFrame, samples: Dataset | Store, predictor: Predictor) -> page.Picture:
    """Look at a frame again and draw what was found, missed and false."""
    sample = samples[frame.index]
    mask = predictor.frame(sample.image).mask
    drawn = draw_overlay(sample.image, mask, truth=sample.mask > 0, legend=False)
    scores = ", ".join(
        f"{name} {frame.sums[name][0]:.3f}" for name in ("iou", "cldice") if frame.sums[name][1]
    )
    return page.Picture(
        image=thumbnail(drawn, FULL_PX, quality=85),
        thumbnail=thumbnail(drawn, SMALL_PX),
        title=sample.id,
        caption=f" {scores}",
    )
