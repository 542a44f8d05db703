"""`sam-crack train`: a configuration becomes a run folder with a checkpoint in it."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path

from sam_crack.config.schema import RunConfig, TrainConfig
from sam_crack.config.verbs import TrainOptions
from sam_crack.console import Console, counted
from sam_crack.data.dataset import Dataset
from sam_crack.data.mixture import Mixture
from sam_crack.data.opening import open_splits
from sam_crack.data.store import Store
from sam_crack.errors import BadInput
from sam_crack.studies.training.folder import Beginning, agreed_folder, begin
from sam_crack.studies.training.record import data_hash, show_samples, write_record
from sam_crack.studies.training.start import look_at, start_from
from sam_crack.train.probe import look_ahead
from sam_crack.train.session import (
    BALANCE_FRAMES,
    CHECKPOINT,
    Session,
    class_balance,
    join_processes,
    need_losses,
    prepare,
)
from sam_crack.train.state import STATES, FolderLock, saved_steps


def run_train(options: TrainOptions, console: Console, run_config: RunConfig) -> dict[str, object]:
    """Train adapters and head on a data set, and keep the best checkpoint by validation."""
    train, val = open_splits(run_config.data, seed=run_config.seed)
    model = run_config.model
    # What is refused here leaves no folder behind.
    need_losses(run_config, train)
    init = None if options.init is None or options.resume else look_at(options.init, model)
    processes = join_processes()
    folder = Path()
    if not options.dry_run:
        folder = agreed_folder(options, run_config, processes, console)
    if options.init is not None and options.resume and not saved_steps(folder / STATES):
        init = look_at(options.init, model)  # with a state, where it began is of no use any more
    alone = processes.is_main_process and not options.dry_run
    with FolderLock(folder) if alone else nullcontext():
        start = (
            Beginning(begun_from=init)
            if options.dry_run
            else begin(
                folder, options, run_config, given=init, processes=processes, console=console
            )
        )
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
            show=partial(show_samples, session, train.classes),
            allow_changes=options.allow_changes,
            begun_from=start.begun_from,
            taken_up=start.write_header,
        )
        if start.afresh and start.begun_from is not None:
            start_from(Path(start.begun_from["checkpoint"]), session.segmenter, console)
        for line in first_screen(run_config, session, train, val):
            session.run.console.say(line)
        for line in without_effect(run_config.train) if processes.is_main_process else ():
            console.warn(line)
        if options.dry_run:
            return {"dry_run": True, **look_ahead(session.run)}
        if start.afresh and not run_config.train.probe_batch:
            look_ahead(session.run)
        result = session.fit(resume=options.resume is not None)
        summary = (
            write_record(run_config, session, train, val, result=result)
            if processes.is_main_process
            else {}
        )
    session.run.console.say(f"checkpoint: {folder / CHECKPOINT}")
    return {"run": folder, **summary}


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
