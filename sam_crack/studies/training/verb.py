"""`sam-crack train`: a configuration becomes a run folder with a checkpoint in it."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from sam_crack.config.load import leaves, load_config, value_at
from sam_crack.config.runs import CONFIG, new_run_folder, write_run_header
from sam_crack.config.schema import RunConfig, TrainConfig
from sam_crack.config.verbs import TrainOptions
from sam_crack.console import Console, counted
from sam_crack.data.dataset import Dataset
from sam_crack.data.mixture import Mixture
from sam_crack.data.opening import open_splits
from sam_crack.data.store import Store
from sam_crack.errors import BadInput, UsageError
from sam_crack.model.checkpoint import ADAPTER, load_checkpoint
from sam_crack.model.description import find_checkpoint
from sam_crack.model.segmenter import Segmenter
from sam_crack.studies.training.record import data_hash, show_samples, write_record
from sam_crack.train.probe import look_ahead
from sam_crack.train.session import (
    BALANCE_FRAMES,
    CHECKPOINT,
    Session,
    class_balance,
    join_processes,
    prepare,
)
from sam_crack.train.state import FolderLock
from sam_crack.train.tracking import METRICS

RUNS = Path("runs")


def run_train(options: TrainOptions, console: Console, run_config: RunConfig) -> dict[str, object]:
    """Train adapters and head on a data set, and keep the best checkpoint by validation."""
    train, val = open_splits(run_config.data, seed=run_config.seed)
    processes = join_processes()
    folder = _agreed_folder(options, run_config, processes) if not options.dry_run else Path()
    alone = processes.is_main_process and not options.dry_run
    with FolderLock(folder) if alone else nullcontext():
        if alone:
            _describe_run(folder, options, run_config)
        session = prepare(
            run_config,
            train,
            val,
            folder=folder,
            classes=tuple(each.name for each in train.classes),
            data_hash=data_hash(train, val),
            console=console,
        )
        session = session.with_run(
            show=partial(show_samples, session, train.classes), allow_changes=options.allow_changes
        )
        if options.init is not None:
            start_from(options.init, session.segmenter, console)
        for line in first_screen(run_config, session, train, val):
            session.run.console.say(line)
        for line in without_effect(run_config.train) if processes.is_main_process else ():
            console.warn(line)
        if options.dry_run:
            return {"dry_run": True, **look_ahead(session.run)}
        if options.resume is None and not run_config.train.probe_batch:
            look_ahead(session.run)
        result = session.fit(resume=options.resume is not None)
        summary = (
            write_record(run_config, session, train, val, result=result)
            if processes.is_main_process
            else {}
        )
    session.run.console.say(f"checkpoint: {folder / CHECKPOINT}")
    return {"run": folder, **summary}


def start_from(folder: Path, segmenter: Segmenter, console: Console) -> None:
    """Take over the adapters of another run, and of its head whatever fits.

    The window may be another, and so may the classes: what tells those apart then starts afresh.
    """
    other, meta = load_checkpoint(folder)
    own, theirs = _kind(segmenter), _kind(other)
    if own != theirs:
        differing = [name for name in own if own[name] != theirs[name]]
        raise UsageError(
            f"{folder} holds another model: {_listed(theirs, differing)}, not "
            f"{_listed(own, differing)}",
            "trained weights fit only the encoder, adapters and head that they were trained in",
            "set the same --model options, or leave --init out",
        )
    segmenter.adapted.load(find_checkpoint(folder) / ADAPTER)
    head = segmenter.head.state_dict()
    fitting = {
        name: tensor
        for name, tensor in other.head.state_dict().items()
        if name in head and head[name].shape == tensor.shape
    }
    segmenter.head.load_state_dict(head | fitting)
    console.say(
        f"starting from {folder}, trained for {meta.steps} steps: its adapters and "
        f"{len(fitting)} of {len(head)} head tensors"
    )


def _kind(segmenter: Segmenter) -> dict[str, object]:
    """What two models must share for the weights of one to mean anything in the other."""
    config = segmenter.config
    backbone, adapter = asdict(config.backbone), asdict(config.adapter)
    found = {f"backbone.{name}": value for name, value in backbone.items()}
    found |= {f"adapter.{name}": value for name, value in adapter.items()}
    return found | {"head.kind": config.head.kind, "base weights": segmenter.base_sha256[:12]}


def _listed(facts: dict[str, object], names: list[str]) -> str:
    return ", ".join(f"{name} {facts[name]}" for name in names)


def _agreed_folder(options: TrainOptions, config: RunConfig, processes: PartialState) -> Path:
    """Let one process choose the run folder, and tell the others."""
    chosen = [_folder(options, config) if processes.is_main_process else None]
    folder = broadcast_object_list(chosen)[0] if processes.num_processes > 1 else chosen[0]
    assert isinstance(folder, Path)
    return folder


def _folder(options: TrainOptions, config: RunConfig) -> Path:
    """Make the run folder, or find the one to go on with."""
    match options.resume:
        case None:
            return options.out or new_run_folder(RUNS, "train", config.name)
        case "auto":
            return options.out or _newest(config.name)
        case path if not (Path(path) / CONFIG).is_file():
            raise BadInput(
                f"{path}: no such run",
                f"`auto`, or the folder of a run, in which its {CONFIG} lies",
                f"check the path; runs of this name are in {RUNS / 'train' / config.name}-*",
            )
        case path if options.out not in (None, Path(path)):
            raise UsageError(
                f"--out {options.out} with --resume {path}",
                "a run goes on in its own folder",
                "leave --out out, or --resume to begin another run",
            )
        case path:
            return Path(path)


def _describe_run(folder: Path, options: TrainOptions, config: RunConfig) -> None:
    """Write what a new run is; one that goes on keeps to what was written when it began."""
    if options.resume is None and (folder / METRICS).exists():
        raise UsageError(
            f"{folder} holds a run already",
            "a new folder, or the same run continued",
            f"add --resume {folder}, or choose another --out",
        )
    if options.resume is not None and (folder / CONFIG).is_file():
        began = load_config(RunConfig, file=folder / CONFIG)
        changed = [
            f"{name} {value_at(began, name)}, not {value_at(config, name)}"
            for name in leaves(RunConfig)
            if value_at(began, name) != value_at(config, name)
        ]
        if not changed:
            return
        if not options.allow_changes:
            raise UsageError(
                f"{folder} began with another configuration: {'; '.join(changed)}",
                "a run goes on with the settings it began with",
                f"start it with --config {folder / CONFIG}, begin a new run, or add "
                "--allow-changes",
            )
    write_run_header(folder, config, sys.argv)


def _newest(name: str) -> Path:
    """The run of this name with the highest number; a new one where there is none."""
    runs = [path for path in (RUNS / "train").glob(f"{name}-*") if path.is_dir()]
    numbered = [path for path in runs if path.name.removeprefix(f"{name}-").isdigit()]
    if not numbered:
        return new_run_folder(RUNS, "train", name)
    return max(numbered, key=lambda path: int(path.name.removeprefix(f"{name}-")))


def first_screen(
    config: RunConfig, session: Session, train: Dataset | Store | Mixture, val: Dataset | Store
) -> list[str]:
    """Say what is about to happen, before anything takes long."""
    balance = class_balance(train)
    names = ["background", *(each.name for each in train.classes)]
    shares = [f"{names[value]} {share:.2%}" for value, share in balance.items()]
    if len(names) == 2 and balance.get(1, 0.0) > 0.5:
        session.run.console.warn(
            f"{balance[1]:.0%} of the pixels are {names[1]}: are the masks inverted? "
            "look with `sam-crack data check` and `data sheet`"
        )
    looked_at = counted(min(len(train), BALANCE_FRAMES), "frame")
    settings = config.train
    size = settings.batch_size * settings.accumulate * session.run.accelerator.num_processes
    lines = [
        f"data {config.data.name}: {len(train)} to learn from, {len(val)} to validate on, "
        f"classes {', '.join(each.name for each in train.classes)}",
        *(
            f"of them {len(part.samples)} of {part.name}, resized by {part.scale:g} first"
            for part in (train.parts[1:] if isinstance(train, Mixture) else ())
        ),
        f"of the pixels of {looked_at}: {', '.join(shares)}",
        *session.segmenter.summary(),
        f"{settings.steps} steps of {size} crops of {config.crop[0]} x {config.crop[1]} px = "
        f"{settings.steps * size / len(train):.1f} passes over the data; "
        f"loss {' + '.join(f'{w:g} {n}' for n, w in settings.losses.items())}",
        f"validation every {settings.validate_every or settings.steps} steps, on whole frames "
        f"resized by {' and by '.join(f'{factor:g}' for factor in config.infer.scale)}",
    ]
    if config.model.adapter.method == "head_only" and not settings.cache_crops:
        lines.append(
            "the frozen encoder passes every crop anew: --train.cache_crops N keeps the features "
            "of N crops, and a step costs the head alone"
        )
    for split, samples in ((config.data.train, train), (config.data.val, val)):
        if not any(sample.mask.any() for sample in samples):
            raise BadInput(
                f"{config.data.name}: no foreground in any of the {len(samples)} frames of {split}",
                "masks in which some pixels are of a foreground class",
                "check the encoding with `sam-crack data check`, or set --data.classes",
            )
    return lines


def without_effect(settings: TrainConfig) -> list[str]:
    """Say which settings do nothing beside the others."""
    said, steps, every = [], settings.steps, settings.validate_every
    if settings.warmup > steps:
        said.append(
            f"train.warmup {settings.warmup} of {steps} steps: the rate stays below its peak"
        )
    if settings.patience and (every == 0 or (settings.patience + 1) * every >= steps):
        said.append(
            f"train.patience {settings.patience} has no effect: it needs "
            f"{settings.patience + 1} validations before step {steps}, one is done every {every}"
        )
    return said
