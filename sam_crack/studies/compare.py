"""`sam-crack compare`: many methods, one budget, one table; what is finished is not done again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import torch

from sam_crack import durable
from sam_crack.config.load import config_hash, dump_config
from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig, RunConfig
from sam_crack.config.study_verbs import CompareOptions, EvaluateOptions
from sam_crack.console import Console
from sam_crack.data.opening import open_samples
from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.device import choose_device
from sam_crack.model.description import CheckpointMeta
from sam_crack.model.segmenter import Segmenter
from sam_crack.studies.compare_plan import Plan, Row, pick_rows, read_plan
from sam_crack.studies.compare_table import say_comparison, write_comparison
from sam_crack.studies.evaluation import run_evaluate
from sam_crack.studies.evaluation_tables import METRICS
from sam_crack.studies.imagenet import fetch_encoder
from sam_crack.studies.opponents import Opponent, save_opponent
from sam_crack.studies.scoring import COUNTS
from sam_crack.train.loop import FitResult
from sam_crack.train.session import CHECKPOINT, Session, join_processes, prepare
from sam_crack.train.state import FolderLock
from sam_crack.train.validate import Validation, Validator

RUNS = Path("runs") / "compare"
ROW, EVALUATION, PEAK, STATE = "row.json", "evaluation", "peak.json", "state"


def run_compare(options: CompareOptions, console: Console) -> dict[str, object]:
    """Train and score every row that is not finished, and write the table after each of them."""
    plan = read_plan(options.config, root=options.root)
    asked = pick_rows(plan, options.rows)
    choose_device(options.device)
    if join_processes().num_processes > 1:
        raise UsageError(
            "a comparison in several processes", "one process: its rows are timed", "start it alone"
        )
    folder = options.out or RUNS / options.config.stem
    open_rows = [row for row in asked if not (folder / row.folder / ROW).exists()]
    console.say(
        f"{plan.title}: {len(plan.rows)} rows, {len(asked)} asked, "
        f"{len(asked) - len(open_rows)} of these finished; baseline {plan.baseline}"
    )
    if options.dry_run:
        return {"out": folder, "rows": {row.name: row.key for row in asked}, "dry_run": True}
    with FolderLock(folder):
        for number, row in enumerate(open_rows, 1):
            console.say(f"row {number} of {len(open_rows)}: {row.name}")
            finish_row(row, folder / row.folder, options, console)
            write_comparison(folder, plan, finished(plan, folder))
        rows = finished(plan, folder)
        write_comparison(folder, plan, rows)
    say_comparison(plan, rows, console)
    console.say(f"table, plots and page: {folder}")
    return {"out": folder, "rows": {name: facts for name, (facts, _) in rows.items()}}


def finished(plan: Plan, folder: Path) -> dict[str, tuple[dict[str, Any], Path]]:
    """Return the facts of every finished row and the folder of its evaluation."""
    rows = {}
    for row in plan.rows:
        home = folder / row.folder
        with suppress(FileNotFoundError):
            facts = json.loads((home / ROW).read_text("utf-8"))
            rows[row.name] = (facts, home / EVALUATION)
    return rows


def finish_row(row: Row, home: Path, options: CompareOptions, console: Console) -> None:
    """Train and score one row, or go on where it was stopped; `row.json` is written last."""
    run = home / row.name
    if row.opponent is not None:
        # A saved state holds what learns, not the running means of batch norm: begin again.
        shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)
    durable.write_text(home / "config.yaml", dump_config(row.config))
    session, model = _session(row, run, console)
    result, peak_mb = _fit(session, home / PEAK, resumed=any((run / STATE).glob("*")))
    quiet = Console(quiet=True, no_progress=console.no_progress or console.quiet)
    settings = row.config
    assert settings.data.root is not None  # read_plan has seen to it
    run_evaluate(
        EvaluateOptions(
            run=run,
            data=settings.data.name,
            root=settings.data.root,
            split=row.evaluate.split,
            classes=settings.data.classes,
            out=home / EVALUATION,
            limit=row.evaluate.limit,
            empty=row.evaluate.empty,
            resamples=row.evaluate.resamples,
            overlap=settings.infer.overlap,
            batch_size=settings.infer.batch_size,
            road=settings.infer.road,
            device=options.device,
            overwrite=True,
        ),
        quiet,
    )
    metrics = json.loads((home / EVALUATION / METRICS).read_text("utf-8"))
    facts = _facts(row, model, result, metrics) | {
        "peak_memory_mb": peak_mb,
        "adapter_mb": _size_mb(run / CHECKPOINT),
        "counts_sha256": durable.sha256(home / EVALUATION / COUNTS),
    }
    durable.write_text(home / ROW, json.dumps(facts, indent=1) + "\n")


def _fit(session: Session, note: Path, *, resumed: bool) -> tuple[FitResult, float | None]:
    """Train, and return the largest memory over all its starts; None if one left no word."""
    before = json.loads(note.read_text("utf-8")) if resumed and note.exists() else None
    _reset_peak()
    try:
        result = session.fit(resume=True)
    finally:
        now = _peak_mb()
        unknown = now is None or (resumed and before is None)
        peak = None if unknown else max(now or 0.0, before or 0.0)
        durable.write_text(note, json.dumps(peak))
    return result, peak


def _session(row: Row, run: Path, console: Console) -> tuple[Session, Segmenter | Opponent]:
    """Prepare training as `sam-crack train` does; an opponent takes the segmenter's place."""
    data = row.config.data
    assert data.root is not None  # read_plan has seen to it
    train, val = (
        open_samples(data.name, data.root, split=split, classes=data.classes)
        for split in (data.train, data.val)
    )
    shared = {record.id for record in train.records} & {record.id for record in val.records}
    if shared:
        raise BadInput(
            f"{len(shared)} samples are in both {data.train} and {data.val}, first {min(shared)}",
            "splits that share nothing",
            "see `sam-crack data split`",
        )
    classes = tuple(each.name for each in train.classes)
    config = row.config if row.opponent is None else _stand_in(row.config)
    session = prepare(config, train, val, folder=run, classes=classes, console=console)
    if row.opponent is None:
        return session, session.segmenter
    opponent = row.opponent
    if opponent.imagenet and opponent.weights is None:
        opponent = dataclasses.replace(opponent, weights=fetch_encoder(console))
    torch.manual_seed(row.config.seed)
    model = Opponent(row.config.model, opponent).to(session.run.accelerator.device)
    face = cast(Segmenter, model)

    def save_best(found: Validation) -> None:
        meta = CheckpointMeta(
            classes=classes,
            threshold=found.threshold,
            config_hash=config_hash(row.config),
            metrics={f"val_{name}": value for name, value in found.facts().items()},
            steps=found.step,
        )
        save_opponent(model, run / CHECKPOINT, meta)

    validator = Validator(
        face,
        val,
        config=row.config.infer,
        accelerator=session.run.accelerator,
        console=session.run.console,
    )
    parts = {"segmenter": face, "validate": validator, "save_best": save_best}
    return session.with_run(config=row.config, **parts), model


def _stand_in(config: RunConfig) -> RunConfig:
    """Return the same run with a model that weighs nothing, where an opponent takes its place."""
    model = ModelConfig(
        backbone=BackboneConfig(name="tiny", pretrained=False),
        head=HeadConfig(num_classes=config.model.head.num_classes),
        window=config.model.window,
    )
    return dataclasses.replace(config, model=model)


def _facts(
    row: Row, model: Segmenter | Opponent, result: FitResult, metrics: dict[str, Any]
) -> dict[str, Any]:
    """Return what the table says about a row, apart from sizes."""
    trained = [parameter for group in model.trainable().values() for parameter in group]
    seconds = [float(str(step["seconds"])) for step in result.history if "seconds" in step]
    return {
        "name": row.name,
        "key": row.key,
        "method": row.opponent.arch if row.opponent else row.config.model.adapter.method,
        "trainable": sum(parameter.numel() for parameter in trained),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": result.step,
        "crops": result.step * row.config.train.batch_size * row.config.train.accumulate,
        "train_seconds": round(sum(seconds), 2),
        "threshold": metrics["model"]["threshold"],
        "scores": metrics["scores"],
        "frames": metrics["data"]["frames"],
        "frames_sha256": metrics["data"]["frames_sha256"],
        "groups": metrics["bootstrap"]["groups"],
    }


def _size_mb(folder: Path) -> float:
    return round(sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6, 3)


def _reset_peak() -> None:
    """Begin to watch memory anew, so that one row does not pay for the one before it."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    else:
        with suppress(OSError):  # Linux alone can forget a peak
            Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float | None:
    """Largest memory since the reset: of the GPU, else of this process; None if not known."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    with suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text()
        return round(int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6, 1)
    return None
