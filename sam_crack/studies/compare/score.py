"""What a recipe gave, scored on the frames of a row."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sam_crack.config.study_verbs import EvaluateOptions
from sam_crack.console import Console
from sam_crack.studies.compare.rows import Recipe, Row
from sam_crack.studies.compare.samples import classes_of, lists_of, open_scored
from sam_crack.studies.evaluation.frames import chosen_frames
from sam_crack.studies.evaluation.page import write_page
from sam_crack.studies.evaluation.scale import at_scale
from sam_crack.studies.evaluation.tables import METRICS, evaluate, write_evaluation
from sam_crack.studies.evaluation.tasks import choose_ruler
from sam_crack.studies.evaluation.verb import load_predictor
from sam_crack.studies.scoring import COUNTS, score_frames


def is_scored(row: Row, recipe: Recipe, folder: Path) -> bool:
    """Whether a row's frames have been scored."""
    home = folder / recipe.folder / row.evaluation
    return (home / METRICS).exists() and (home / COUNTS).exists()


def score_row(row: Row, recipe: Recipe, folder: Path, *, device: str, console: Console) -> None:
    """Score the frames of a row with what one recipe gave, and write all that `evaluate` writes."""
    options = _options(row, recipe, folder, device)
    assert options.out is not None
    predictor, model, classes = load_predictor(options.run, options, console)
    if row.infer.threshold is not None:
        predictor = dataclasses.replace(predictor, threshold=row.infer.threshold)
        told = {"threshold": row.infer.threshold, "threshold_from": "the file of the comparison"}
        model |= told
    samples = open_scored(row.evaluate, recipe.config.data, classes)
    indices = chosen_frames(len(samples), options.limit)
    looker, model = at_scale(predictor, model, samples, indices, options=options, console=console)
    scored = score_frames(
        looker,
        samples,
        indices,
        empty=options.empty,
        model=model,
        console=console,
        ruler=choose_ruler(options.task, samples, classes),
    )
    names = tuple(each.name for each in samples.classes)
    evaluation = evaluate(scored, None, options, names)
    options.out.mkdir(parents=True, exist_ok=True)
    write_page(options.out, evaluation, samples, looker)
    write_evaluation(options.out, evaluation, options)


def _options(row: Row, recipe: Recipe, folder: Path, device: str) -> EvaluateOptions:
    """Return what `sam-crack evaluate` would be told."""
    asked, data, home = row.evaluate, recipe.config.data, folder / recipe.folder
    return EvaluateOptions(
        run=home / recipe.name,
        data=asked.data or data.name,
        root=asked.root,
        split=asked.split,
        lists=lists_of(asked, data),
        classes=classes_of(asked, data),
        task=asked.task,
        out=home / row.evaluation,
        limit=asked.limit,
        empty=asked.empty,
        resamples=asked.resamples,
        overlap=row.infer.overlap,
        batch_size=row.infer.batch_size,
        road=row.infer.road,
        scale=asked.scale,
        device=device,
        overwrite=True,
    )
