"""A data set of bright bars that the tiny SAM can learn in seconds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from sam_crack.config.schema import (
    BackboneConfig,
    DataConfig,
    HeadConfig,
    InferConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
)
from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.train.session import Session, prepare

TINY = RunConfig(
    model=ModelConfig(
        backbone=BackboneConfig(name="tiny", pretrained=False),
        head=HeadConfig(width=8),
        window=(64, 64),
    ),
    data=DataConfig(foreground_share=1.0),
    train=TrainConfig(steps=6, batch_size=2, warmup=1, validate_every=3, save_every=2),
    infer=InferConfig(batch_size=2),
    name="tiny",
)


def bars(count: int, seed: int = 0) -> list[Sample]:
    """Grey frames with one bright bar each, which is the foreground."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        image = rng.integers(60, 90, (80, 96, 3), dtype=np.uint8)
        mask = np.zeros((80, 96), np.uint8)
        row = int(rng.integers(10, 60))
        mask[row : row + 6] = 1
        image[mask == 1] += 120
        samples.append(Sample(id=f"bar-{number}", image=image, mask=mask))
    return samples


def session(folder: Path, config: RunConfig = TINY) -> Session:
    """A fresh run on these bars, as a new process would build it."""
    folder.mkdir(parents=True, exist_ok=True)
    return prepare(
        config,
        bars(4),
        bars(2, seed=1),
        folder=folder,
        classes=("bar",),
        console=Console(quiet=True, no_progress=True),
    )


def with_train(**changes: object) -> RunConfig:
    """The tiny configuration with other training settings."""
    return dataclasses.replace(TINY, train=dataclasses.replace(TINY.train, **changes))
