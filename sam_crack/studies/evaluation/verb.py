"""`sam-crack evaluate`: a checkpoint scored on frames that had no say in how it was made."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sam_crack import durable
from sam_crack.config.runs import new_run_folder
from sam_crack.config.study_verbs import EvaluateOptions
from sam_crack.console import Console
from sam_crack.data.dataset import Dataset
from sam_crack.data.store import Store
from sam_crack.errors import BadInput, IntegrityError, UsageError
from sam_crack.infer.assemble import assemble
from sam_crack.infer.device import choose_device
from sam_crack.infer.predict import Predictor
from sam_crack.infer.road import parse_road
from sam_crack.infer.scale import parse_scale
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.model.description import DESCRIPTION, CheckpointMeta, find_checkpoint
from sam_crack.model.segmenter import Segmenter, fingerprint
from sam_crack.studies.evaluation.frames import chosen_frames, open_split, warn_of_unlearnt
from sam_crack.studies.evaluation.page import write_page
from sam_crack.studies.evaluation.scale import at_scale
from sam_crack.studies.evaluation.tables import (
    METRICS,
    evaluate,
    metrics_of,
    say_table,
    write_evaluation,
)
from sam_crack.studies.evaluation.tasks import Ruler, choose_ruler
from sam_crack.studies.opponents import Opponent, is_opponent, load_opponent
from sam_crack.studies.same_frames import Basis, check_same, read_basis
from sam_crack.studies.scoring import COUNTS, Scored, load_scored, score_frames
from sam_crack.studies.zero_shot import ZeroShot, is_zero_shot, load_zero_shot
from sam_crack.train.session import join_processes
from sam_crack.train.state import FolderLock

RUNS = Path("runs")


def run_evaluate(options: EvaluateOptions, console: Console) -> dict[str, object]:
    """Score a checkpoint on a split, with the threshold that it carries."""
    parse_road(options.road, alone=True)  # before anything takes long
    parse_scale(options.scale)
    processes = join_processes()
    is_main = processes.is_main_process
    voice = console if is_main else Console(quiet=True, no_progress=True)
    if is_main and options.out and not options.overwrite and (options.out / METRICS).exists():
        raise UsageError(
            f"{options.out} holds an evaluation already",
            "a new folder",
            "add --overwrite, or choose another --out",
        )
    predictor, model, classes = load_predictor(options.run, options, voice)
    samples = open_split(options, classes)
    warn_of_unlearnt(samples, classes, voice)
    indices = chosen_frames(len(samples), options.limit)
    ruler = choose_ruler(options.task, samples, classes)
    voice.say(_first_screen(options, samples, len(indices), predictor, task=ruler.task))
    looker, model = at_scale(predictor, model, samples, indices, options=options, console=voice)
    score_baseline = _open_baseline(options, samples, indices, voice, ruler=ruler)
    folder = (options.out or _new_folder(options.run)) if is_main else None
    with FolderLock(folder) if folder else nullcontext():  # before what takes long, not after
        scored = score_frames(
            looker, samples, indices, empty=options.empty, model=model, console=voice, ruler=ruler
        )
        baseline = score_baseline() if score_baseline else None
        if folder is None:
            return {}
        names = tuple(each.name for each in samples.classes)
        evaluation = evaluate(scored, baseline, options, names)
        write_evaluation(folder, evaluation, options)
        write_page(folder, evaluation, samples, looker)
    say_table(evaluation, voice)
    voice.say(f"page, tables and curves: {folder}")
    return {"out": folder, **metrics_of(evaluation)}


def load_predictor(
    run: Path, options: EvaluateOptions, console: Console
) -> tuple[Predictor, dict[str, Any], tuple[str, ...]]:
    """Load a checkpoint with the threshold chosen on its validation split, and no other."""
    processes = join_processes()
    alone = processes.num_processes == 1
    device = choose_device(options.device) if alone else processes.device
    segmenter, meta, model = _load(run, device)
    predictor = assemble(
        segmenter, options, threshold=meta.threshold, device=device, warn=console.warn
    )
    model |= {
        "name": run.resolve().name,
        "config_sha256": meta.config_hash,
        "steps": meta.steps,
        "threshold": meta.threshold,
        "threshold_from": "the validation split of its training, as stored in the checkpoint",
        "window": list(segmenter.config.window),
        "overlap": options.overlap,
        "road": options.road,
        "trained_scale": asdict(meta.scale) if meta.scale else None,
    }
    return predictor, model, meta.classes


def _load(
    run: Path, device: torch.device
) -> tuple[Segmenter | Opponent | ZeroShot, CheckpointMeta, dict[str, Any]]:
    """Load a checkpoint of this package, or what a comparison wrote, and say which it is."""
    if is_zero_shot(run):
        asked, meta = load_zero_shot(run, device=device)
        facts = {
            "sha256": asked.sam.base_sha256,
            "backbone": asked.config.backbone.name,
            "adapter": "none",
            "head": f"prompts: {asked.asked.prompts}",
        }
        return asked, meta, facts
    if is_opponent(run):
        opponent, meta = load_opponent(run, device=device)
        facts = {
            "sha256": fingerprint(opponent.net.state_dict()),
            "backbone": opponent.opponent.encoder,
            "adapter": "full",
            "head": opponent.opponent.arch,
        }
        return opponent, meta, facts
    segmenter, meta = load_checkpoint(run, device=device)
    facts = {
        "sha256": durable.sha256(find_checkpoint(run) / DESCRIPTION),
        "backbone": segmenter.config.backbone.name,
        "adapter": segmenter.config.adapter.method,
        "head": segmenter.config.head.kind,
        "base_sha256": meta.base_sha256,
    }
    return segmenter, meta, facts


def _open_baseline(
    options: EvaluateOptions,
    samples: Dataset | Store,
    indices: list[int],
    console: Console,
    *,
    ruler: Ruler,
) -> Callable[[], Scored] | None:
    """Refuse a baseline that cannot be compared, before anything is scored; return its scores."""
    if options.baseline is None:
        return None
    if (options.baseline / COUNTS).exists():
        kept = load_scored(options.baseline)
        records = [samples.records[index] for index in indices]
        known = Basis(
            ruler=ruler,
            empty=options.empty,
            truths=tuple((record.id, "") for record in records),
            groups=tuple(record.group for record in records),
        )
        check_same(known, kept.basis)
        shown = console.progress(indices, "labels", unit="frame")
        truth = read_basis((samples[index] for index in shown), ruler=ruler, empty=options.empty)
        check_same(truth, kept.basis)
        return lambda: kept
    if (options.baseline / METRICS).exists():
        raise BadInput(
            f"--baseline: {options.baseline} has no {COUNTS}",
            "the folder that `sam-crack evaluate` wrote, whole",
            "evaluate that model again, or name its checkpoint",
        )
    try:
        predictor, model, classes = load_predictor(options.baseline, options, console)
    except (BadInput, IntegrityError) as error:
        raise type(error)(f"--baseline: {error.given}", error.accepted, error.todo) from error
    if ruler.task != "foreground" and len(ruler.classes) > 1 and classes != ruler.classes:
        raise UsageError(
            f"the baseline tells {', '.join(classes)} apart",
            f"the same classes in the same order: {', '.join(ruler.classes)}",
            "add --task foreground, or name another baseline",
        )
    console.say(f"baseline: {model['name']}, threshold {predictor.threshold:.4f}")
    looker, model = at_scale(predictor, model, samples, indices, options=options, console=console)
    return partial(
        score_frames,
        looker,
        samples,
        indices,
        empty=options.empty,
        model=model,
        console=console,
        ruler=ruler,
    )


def _first_screen(
    options: EvaluateOptions,
    samples: Dataset | Store,
    number: int,
    predictor: Predictor,
    *,
    task: str,
) -> str:
    """Say what is about to happen."""
    height, width = predictor.window
    return (
        f"{options.data} {options.split}: {number} of {len(samples)} frames, {task} scored, "
        f"classes {', '.join(each.name for each in samples.classes)}; "
        f"windows {height} x {width}, overlap "
        f"{predictor.overlap:g}, road {predictor.road}, threshold {predictor.threshold:.4f} from "
        "the checkpoint"
    )


def _new_folder(run: Path) -> Path:
    name = re.sub(r"[^\w.+@=-]", "_", run.resolve().name).lstrip("_.+@=-") or "model"
    return new_run_folder(RUNS, "evaluate", name[:60])
