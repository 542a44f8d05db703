"""Everything that a run needs, put together from its configuration and its samples."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedType, PartialState

from sam_crack.config.load import config_hash
from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.data.crops import CropDrawer
from sam_crack.data.mixture import Mixture
from sam_crack.data.rims import need_instances
from sam_crack.data.sample import Sample
from sam_crack.data.spread import spread
from sam_crack.errors import UsageError
from sam_crack.model.checkpoint import save_checkpoint
from sam_crack.model.description import IN_RUN, CheckpointMeta
from sam_crack.model.segmenter import Segmenter, build_segmenter
from sam_crack.train.blocks import set_up_blocks
from sam_crack.train.loop import FitResult, fit
from sam_crack.train.losses import RIM, weighted_sum
from sam_crack.train.probe import share_out
from sam_crack.train.run import Run
from sam_crack.train.shown_scale import shown_scale
from sam_crack.train.stopping import StopSignal
from sam_crack.train.trackers import Tracker
from sam_crack.train.validate import Validation, Validator

CHECKPOINT = IN_RUN
"""Folder of the best model so far, inside the run folder."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A model about to be trained, with its validation."""

    run: Run
    validator: Validator
    segmenter: Segmenter

    def with_run(self, **changes: Any) -> Session:  # noqa: ANN401 - fields of Run
        """The same session with parts of its run exchanged."""
        return dataclasses.replace(self, run=dataclasses.replace(self.run, **changes))

    def fit(self, *, resume: bool) -> FitResult:
        """Train, or go on where the last saved state stands."""
        run = share_out(self.run) if self.run.config.train.probe_batch else self.run
        run.tracker.open()
        try:
            return fit(run, resume=resume)
        finally:
            self.run.tracker.close(self.run.folder / CHECKPOINT)


def join_processes() -> PartialState:
    """Find the processes that a launcher started; without an accelerator they share the CPU.

    Left alone, Accelerate takes launched processes on a machine without a GPU for strangers.
    """
    wanted = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    return PartialState(cpu=wanted or not torch.accelerator.is_available())


def prepare(
    config: RunConfig,
    train: Sequence[Sample],
    val: Sequence[Sample],
    *,
    folder: Path,
    classes: tuple[str, ...],
    data_hash: str = "",
    console: Console,
) -> Session:
    """Seed everything, build the model and bind the pieces to a run folder."""
    join_processes()
    accelerator = Accelerator()
    _suit(accelerator, config, train)
    torch.manual_seed(config.seed)
    segmenter = build_segmenter(
        config.model, device=accelerator.device, total_steps=config.train.steps
    )
    # In parts, every forward pass needs all processes at once; validation shares out frames.
    sharded = accelerator.distributed_type is DistributedType.FSDP
    shown = build_segmenter(config.model, device=accelerator.device) if sharded else segmenter
    set_up_blocks(segmenter.encoder, config.train)
    voice = console if accelerator.is_main_process else Console(quiet=True, no_progress=True)
    stop = StopSignal(voice)
    validator = Validator(
        shown, val, config=config, accelerator=accelerator, console=voice, stop=stop
    )

    scale = shown_scale(train.first if isinstance(train, Mixture) else train, config.data)

    def save_best(found: Validation) -> None:
        if accelerator.is_main_process:
            meta = _describe(found, config, classes, data_hash=data_hash)
            known = dataclasses.replace(scale, factor=found.scale)
            save_checkpoint(shown, folder / CHECKPOINT, dataclasses.replace(meta, scale=known))

    run = Run(
        config=config,
        segmenter=segmenter,
        drawer=CropDrawer(train, config.crop, config=config.data, seed=config.seed),
        folder=folder,
        accelerator=accelerator,
        console=voice,
        validate=validator,
        stop=stop,
        save_best=save_best,
        tracker=Tracker(config, folder, console, write=accelerator.is_main_process),
        mirror=shown if sharded else None,
        data_hash=data_hash,
    )
    return Session(run=run, validator=validator, segmenter=segmenter)


def _suit(accelerator: Accelerator, config: RunConfig, train: Sequence[Sample]) -> None:
    """Refuse what cannot be trained or sharded; tell DeepSpeed what it wants to know beforehand."""
    need_losses(config, train)
    if accelerator.distributed_type is DistributedType.DEEPSPEED:
        told = accelerator.state.deepspeed_plugin.deepspeed_config
        told["train_micro_batch_size_per_gpu"] = config.train.batch_size
        told["gradient_accumulation_steps"] = config.train.accumulate
    mixed = config.model.backbone.precision != "fp32"
    if accelerator.distributed_type is DistributedType.FSDP and mixed:
        raise UsageError(
            "model.backbone.precision: bf16 with FSDP",
            "weights that are sharded together have one number format",
            "set --model.backbone.precision fp32, or launch with configs/accelerate/ddp.yaml",
        )


def need_losses(config: RunConfig, train: Sequence[Sample]) -> None:
    """Refuse losses that are unknown, or cannot be taken with this head and these samples."""
    weighted_sum(config.train.losses)
    if config.model.head.boundary != (RIM in config.train.losses):
        raise UsageError(
            f"model.head.boundary: {str(config.model.head.boundary).lower()} with train.losses "
            f"{', '.join(config.train.losses)}",
            f"the channel of head.boundary is taught by the loss {RIM}, and by no other",
            f"set both, such as --model.head.boundary true --train.losses bce=1,dice=1,{RIM}=1",
        )
    if config.model.head.boundary:
        first = train[0]
        need_instances(first.instances, first.id)


def _describe(
    found: Validation, config: RunConfig, classes: tuple[str, ...], *, data_hash: str
) -> CheckpointMeta:
    """What is to be known of the weights that a validation found to be the best."""
    return CheckpointMeta(
        classes=classes,
        threshold=found.threshold,
        config_hash=config_hash(config),
        data_hash=data_hash,
        metrics={f"val_{name}": value for name, value in found.facts().items()},
        steps=found.step,
    )


BALANCE_FRAMES = 32
"""Frames by which the balance of classes is told."""


def class_balance(samples: Sequence[Sample], *, at_most: int = BALANCE_FRAMES) -> dict[int, float]:
    """Share of the pixels that each class has, over evenly spaced samples."""
    counts = np.zeros(256, np.int64)
    for place in spread(len(samples), at_most):
        counts += np.bincount(samples[place].mask.ravel(), minlength=256)
    return {int(value): counts[value] / counts.sum() for value in np.flatnonzero(counts)}
