"""The crops of every step, the same for any number of workers, processes and restarts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sam_crack.config.schema import RunConfig
from sam_crack.data.crops import CropDrawer

from .run import Run

Batch = tuple[tuple[Tensor, ...], Tensor, Tensor, list[str]]
"""What the model takes, target, valid, and the ids of the samples."""


class CropSet(Dataset[tuple[Tensor, Tensor, Tensor, str]]):
    """Crop number n as tensors."""

    def __init__(self, drawer: CropDrawer) -> None:
        self.drawer = drawer

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor, str]:
        """Return pixels (3, h, w), target (h, w), valid (h, w) and the sample's id."""
        crop = self.drawer.draw(number)
        pixels = np.ascontiguousarray(crop.pixels.transpose(2, 0, 1))
        tensors = (torch.from_numpy(array) for array in (pixels, crop.target, crop.valid))
        first, second, third = tensors
        return first, second, third, crop.sample_id


def crop_numbers(
    config: RunConfig, *, start: int, rank: int = 0, world: int = 1
) -> Iterator[list[int]]:
    """Yield, batch by batch, the crops this process takes from step `start` on.

    Ranks take neighbouring slices of one sequence, so the crops of a step are the same for any
    number of processes with the same global batch.
    """
    size = config.train.batch_size
    for batch in range(
        start * config.train.accumulate, config.train.steps * config.train.accumulate
    ):
        first = (batch * world + rank) * size
        yield list(range(first, first + size))


class _Numbers:
    """A batch sampler over `crop_numbers`; DataLoader wants an object, not a generator."""

    def __init__(self, numbers: Callable[[], Iterator[list[int]]]) -> None:
        self.numbers = numbers

    def __iter__(self) -> Iterator[list[int]]:
        return self.numbers()


def batches(run: Run, start: int) -> Iterator[Batch]:
    """Batches of this process from step `start` on."""
    numbers = _Numbers(
        lambda: crop_numbers(
            run.config,
            start=start,
            rank=run.accelerator.process_index,
            world=run.accelerator.num_processes,
        )
    )
    loader = DataLoader(
        CropSet(run.drawer),
        batch_sampler=numbers,
        num_workers=run.config.data.num_workers,
        # Without one of its own, opening a loader draws from the generator that dropout uses.
        generator=torch.Generator(),
    )
    return (((pixels,), target, valid, ids) for pixels, target, valid, ids in loader)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move the tensors of a batch."""
    inputs, target, valid, ids = batch
    moved = tuple(each.to(device) for each in inputs)
    return moved, target.to(device), valid.to(device), list(ids)
