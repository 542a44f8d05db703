"""One recipe of a comparison trained, or gone on with where it was stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator

from sam_crack import durable
from sam_crack.config.load import config_hash, dump_config, leaves, load_config, value_at
from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig, RunConfig
from sam_crack.console import Console
from sam_crack.data.mixture import Mixture
from sam_crack.data.opening import open_splits
from sam_crack.errors import UsageError
from sam_crack.model.description import CheckpointMeta, read_description
from sam_crack.model.segmenter import Segmenter
from sam_crack.model.trained_scale import TrainedScale
from sam_crack.studies.compare.peak import watched
from sam_crack.studies.compare.rows import Recipe, placeless
from sam_crack.studies.imagenet import fetch_encoder
from sam_crack.studies.opponents import Opponent, save_opponent
from sam_crack.studies.training.start import start_from
from sam_crack.studies.zero_shot import ZeroShot, save_zero_shot
from sam_crack.train.loop import FitResult
from sam_crack.train.session import CHECKPOINT, Session, join_processes, prepare
from sam_crack.train.shown_scale import shown_scale
from sam_crack.train.validate import Validation, Validator

ROW, CONFIG, PEAK, STATE = "row.json", "config.yaml", "peak.json", "state"
TRIALS, TRIAL = "tune", "trial.json"
Model = Segmenter | Opponent | ZeroShot


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What came out of one training."""

    model: Model
    result: FitResult
    steps_before: int = 0
    """Steps of the checkpoint that it started from."""


def is_trained(recipe: Recipe, folder: Path) -> bool:
    """Whether a recipe is finished."""
    home = folder / recipe.folder
    need_same_defaults(recipe, home)
    return (home / ROW).exists()


def has_model(recipe: Recipe, folder: Path) -> bool:
    """Whether what a recipe has learnt is still there, to be looked at once more."""
    return (folder / recipe.folder / recipe.name / CHECKPOINT).is_dir()


def forget_training(recipe: Recipe, folder: Path) -> None:
    """Remove what is left of a training, so that it begins anew; scores that it gave stay."""
    home = folder / recipe.folder
    for path in (home / recipe.name, home / TRIALS):
        shutil.rmtree(path, ignore_errors=True)
    for name in (ROW, CONFIG, PEAK):
        (home / name).unlink(missing_ok=True)


def need_same_defaults(recipe: Recipe, home: Path) -> None:
    """Refuse to go on with what was begun when defaults were others."""
    if not (home / CONFIG).exists():
        return
    then = recipe.decisive(load_config(RunConfig, file=home / CONFIG))
    now = recipe.decisive(recipe.config)
    for name in leaves(RunConfig) if then != now else ():
        old, new = value_at(then, name), value_at(now, name)
        if old != new:
            raise UsageError(
                f"{home} was trained with {name} {old}, which was the default then; now it is "
                f"{new}",
                "a row whose settings are those of the file",
                f"write {name}: {old} into the file, or remove the folder to train it again",
            )


def train_recipe(recipe: Recipe, folder: Path, console: Console) -> dict[str, Any]:
    """Try what is to be tried, train, and write `row.json` last; what is done is not done again."""
    home = folder / recipe.folder
    home.mkdir(parents=True, exist_ok=True)
    durable.write_text(home / CONFIG, dump_config(recipe.config))
    chosen, tuning = _tuned(recipe, home, console)
    run = home / recipe.name
    trained, peak_mb = watched(lambda: _train(chosen, run, console), run / STATE, home / PEAK)
    facts = _facts(chosen, trained) | {
        "key": recipe.key,
        "samples_sha256": recipe.samples_sha256,
        "tuning": tuning,
        "peak_memory_mb": peak_mb,
        "adapter_mb": 0.0 if recipe.zero_shot else _size_mb(run / CHECKPOINT),
    }
    durable.write_text(home / ROW, json.dumps(facts, indent=1) + "\n")
    return facts


def _tuned(recipe: Recipe, home: Path, console: Console) -> tuple[Recipe, dict[str, Any] | None]:
    """Return the recipe with the values that did best on validation, and what finding them cost."""
    trials = recipe.trials()
    if not trials:
        return recipe, None
    found: list[dict[str, Any]] = []
    for number, (label, trial) in enumerate(trials, 1):
        note = home / TRIALS / str(number) / TRIAL
        if not note.exists():
            console.say(f"trial {number} of {len(trials)}: {label}")
            short = dataclasses.replace(trial, tuning=recipe.tuning).shortened()
            trained = _train(short, note.parent / recipe.name, console)
            assert trained.result.best is not None
            facts = _facts(short, trained) | {"label": label, "score": trained.result.best.score}
            durable.write_text(note, json.dumps(facts, indent=1) + "\n")
        found.append(json.loads(note.read_text("utf-8")))
    scores = [float(one["score"]) for one in found]
    best = scores.index(max(scores))
    console.say(f"best on validation: {trials[best][0]}, score {scores[best]:.4f}")
    cost = {name: sum(one[name] for one in found) for name in ("steps", "crops", "train_seconds")}
    tried = [{"label": one["label"], "score": one["score"]} for one in found]
    return trials[best][1], {"chosen": trials[best][0], "tried": tried, **cost}


def _train(recipe: Recipe, run: Path, console: Console) -> Trained:
    """Train one set of values, or ask base SAM, which learns nothing."""
    run.mkdir(parents=True, exist_ok=True)
    if recipe.zero_shot is not None:
        return _ask(recipe, run, console)
    session, model, steps_before = _session(recipe, run, console)
    result = session.fit(resume=True)
    return Trained(model=model, result=result, steps_before=steps_before)


def _ask(recipe: Recipe, run: Path, console: Console) -> Trained:
    """Choose the threshold of a way to ask base SAM."""
    assert recipe.zero_shot is not None
    config = recipe.config
    train, val = open_splits(config.data, seed=config.seed)
    join_processes()
    accelerator = Accelerator()
    model = ZeroShot(config.model, recipe.zero_shot).to(accelerator.device)
    found = Validator(
        cast(Segmenter, model), val, config=config, accelerator=accelerator, console=console
    )(0)
    classes = tuple(each.name for each in train.classes)
    save_zero_shot(model, run / CHECKPOINT, _meta(config, classes, found))
    return Trained(model=model, result=FitResult(step=0, best=found, history=[]))


def _session(recipe: Recipe, run: Path, console: Console) -> tuple[Session, Model, int]:
    """Prepare training as `sam-crack train` does; an opponent takes the segmenter's place."""
    config = recipe.config
    train, val = open_splits(config.data, seed=config.seed)
    classes = tuple(each.name for each in train.classes)
    built = config if recipe.opponent is None else _stand_in(config)
    session = prepare(built, train, val, folder=run, classes=classes, console=console)
    # Wherever the data lie now, a run goes on.
    session = session.with_run(config=placeless(config))
    if recipe.opponent is None:
        before = 0
        if recipe.init is not None:
            start_from(recipe.init, session.segmenter, console)
            before = int(read_description(recipe.init)["meta"]["steps"])
        return session, session.segmenter, before
    opponent = recipe.opponent
    if opponent.imagenet and opponent.weights is None:
        opponent = dataclasses.replace(opponent, weights=fetch_encoder(console))
    torch.manual_seed(config.seed)
    model = Opponent(config.model, opponent).to(session.run.accelerator.device)
    face = cast(Segmenter, model)

    scale = shown_scale(train.first if isinstance(train, Mixture) else train, config.data)

    def save_best(found: Validation) -> None:
        shown = dataclasses.replace(scale, factor=found.scale)
        meta = dataclasses.replace(_meta(config, classes, found), scale=shown)
        save_opponent(model, run / CHECKPOINT, meta)

    validator = Validator(
        face,
        val,
        config=config,
        accelerator=session.run.accelerator,
        console=session.run.console,
        stop=session.run.stop,
    )
    parts = {"segmenter": face, "validate": validator, "save_best": save_best}
    return session.with_run(**parts), model, 0


def _stand_in(config: RunConfig) -> RunConfig:
    """Return the same run with a model that weighs nothing, where another takes its place."""
    model = ModelConfig(
        backbone=BackboneConfig(name="tiny", pretrained=False),
        head=HeadConfig(
            num_classes=config.model.head.num_classes, boundary=config.model.head.boundary
        ),
        window=config.model.window,
    )
    return dataclasses.replace(config, model=model)


def _meta(config: RunConfig, classes: tuple[str, ...], found: Validation) -> CheckpointMeta:
    return CheckpointMeta(
        classes=classes,
        threshold=found.threshold,
        scale=TrainedScale(factor=found.scale),
        config_hash=config_hash(config),
        metrics={f"val_{name}": value for name, value in found.facts().items()},
        steps=found.step,
    )


def _facts(recipe: Recipe, trained: Trained) -> dict[str, Any]:
    """Return what the table says about a training, apart from sizes."""
    model, result, train = trained.model, trained.result, recipe.config.train
    learnt = [parameter for group in model.trainable().values() for parameter in group]
    seconds = [float(str(step["seconds"])) for step in result.history if "seconds" in step]
    return {
        "name": recipe.name,
        "method": recipe.method,
        "seed": recipe.config.seed,
        "trainable": sum(parameter.numel() for parameter in learnt),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": result.step,
        "crops": result.step * train.batch_size * train.accumulate,
        "train_seconds": round(sum(seconds), 2),
        "steps_before": trained.steps_before,
    }


def _size_mb(folder: Path) -> float:
    return round(sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6, 3)
