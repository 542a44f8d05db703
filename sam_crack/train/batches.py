"""The crops of every step, the same for any number of workers, processes and restarts."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sam_crack.config.schema import RunConfig
from sam_crack.data.crops import CropDrawer
from sam_crack.data.rims import need_instances, rims

from .run import Run


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some crops, as tensors."""

    inputs: tuple[Tensor, ...]
    """What the model takes."""
    truth: dict[str, Tensor]
    """What the loss takes: `target` (b, h, w) class index, `valid` pixels that count, and `rim`,
    the borders of instances, where the head has a channel for them."""
    ids: list[str]
    """Samples from which they were cut."""

    def to(self, device: torch.device) -> Batch:
        """Move the tensors."""
        return Batch(
            inputs=tuple(each.to(device) for each in self.inputs),
            truth={name: each.to(device) for name, each in self.truth.items()},
            ids=self.ids,
        )


def collate(batches: Sequence[Batch]) -> Batch:
    """Put batches one after the other."""
    columns = zip(*(batch.inputs for batch in batches), strict=True)
    names = batches[0].truth
    return Batch(
        inputs=tuple(torch.cat(column) for column in columns),
        truth={name: torch.cat([batch.truth[name] for batch in batches]) for name in names},
        ids=[each for batch in batches for each in batch.ids],
    )


class CropSet(Dataset[Batch]):
    """Crop number n, as a batch of one."""

    def __init__(self, drawer: CropDrawer, *, rim: bool) -> None:
        self.drawer, self.rim = drawer, rim

    def __getitem__(self, number: int) -> Batch:
        """Draw the crop, and its borders where they are learnt."""
        crop = self.drawer.draw(number)
        arrays = {"target": crop.target, "valid": crop.valid}
        if self.rim:
            instances = need_instances(crop.instances, crop.sample_id)
            arrays["rim"] = rims(instances, ignore=~crop.valid)
        pixels = np.ascontiguousarray(crop.pixels.transpose(2, 0, 1))
        return Batch(
            inputs=(torch.from_numpy(pixels)[None],),
            truth={name: torch.from_numpy(array)[None] for name, array in arrays.items()},
            ids=[crop.sample_id],
        )


def crop_set(run: Run) -> CropSet:
    """Return the crops that a run learns from."""
    return CropSet(run.drawer, rim=run.config.model.head.boundary)


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


def _leave_stopping_to_the_run(_: int) -> None:
    """Let a worker outlive Ctrl-C, which a terminal sends to all: the last step needs its crops."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


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
        crop_set(run),
        batch_sampler=numbers,
        collate_fn=collate,
        num_workers=run.config.data.num_workers,
        worker_init_fn=_leave_stopping_to_the_run,
        # Without one of its own, opening a loader draws from the generator that dropout uses.
        generator=torch.Generator(),
    )
    return iter(loader)
