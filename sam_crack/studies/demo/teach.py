"""The training part of the demo: adapters and head learn on the first frames of the road."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import ConcatDataset

from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.data.dataset import open_dataset
from sam_crack.data.sample import Sample
from sam_crack.studies.training.start import start_from
from sam_crack.train.loop import FitResult
from sam_crack.train.session import prepare
from sam_crack.train.validate import Validation

FROM_BASE = "base"
"""What `--start` is called when no trained checkpoint is taken."""
TRAIN_FRAMES, VAL_FRAMES = 6, 2
"""Frames of the road itself, before the held-back ones."""


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What the training part of the demo leaves behind."""

    start: str
    """Checkpoint that training began with, or `base`."""
    before: Validation
    result: FitResult


def teach(
    config: RunConfig, start: str, roads: Sequence[Path], folder: Path, console: Console
) -> Taught:
    """Fine-tune adapters and head, or go on where a stopped demo was; validate before and after."""
    road, *others = (open_dataset("synth", root) for root in roads)
    train: ConcatDataset[Sample] = ConcatDataset([road[:TRAIN_FRAMES], *others])  # type: ignore[list-item]
    session = prepare(
        config,
        train,  # type: ignore[arg-type] # a sequence in all but name
        road[TRAIN_FRAMES : TRAIN_FRAMES + VAL_FRAMES],
        folder=folder,
        classes=("crack",),
        console=console,
    )
    for line in session.segmenter.summary():
        console.say(f"      {line}")
    if start != FROM_BASE:
        start_from(Path(start), session.segmenter, console)
    before = session.validator(0)
    result = session.fit(resume=True)
    after = result.best or before
    console.say(
        f"      validation IoU {before.iou:.3f} before, {after.iou:.3f} after "
        f"(threshold {after.threshold:.2f}, chosen there)"
    )
    return Taught(start=start, before=before, result=result)
