"""What a step takes, tried on a crop before training: how many crops fit at once, and how long."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import DistributedType

from sam_crack import durable
from sam_crack.console import Console
from sam_crack.errors import UsageError

from . import losses, memory
from .batches import collate, crop_set
from .cached import CachedBatches
from .levels import loss_at_size
from .run import Run

NOTE = "batch.json"
"""What a run decided, beside its configuration: a resumed run shares its steps out alike."""
FILLED = 0.9
"""Share of the memory that a pass may fill."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """How many crops pass at once."""

    crops: int
    peak: int
    """Bytes in use at the most, everything included."""
    room: int
    """Bytes that might have been used."""


def share_out(run: Run) -> Run:
    """Return the run with as many crops in a pass as fit; those of a step stay the same.

    What was decided is kept in the run's folder, where it is found on resuming.
    """
    note, total = run.folder / NOTE, _crops_of_a_step(run)
    crops, passes = _noted(note, run.console)
    if crops * passes == total:
        run.console.say(f"{crops} of {total} crops pass at once: as when the run began ({NOTE})")
        return _passing(run, crops)
    run = _passing(run, _try_out(run))
    if run.accelerator.is_main_process:
        train = run.config.train
        shares = {"batch_size": train.batch_size, "accumulate": train.accumulate}
        durable.write_text(note, json.dumps(shares) + "\n")
    return run


def _noted(note: Path, console: Console) -> tuple[int, int]:
    """Return the crops of a pass and the passes of a step that were decided; zeros for none."""
    try:
        noted = json.loads(note.read_bytes())
        return int(noted["batch_size"]), int(noted["accumulate"])
    except FileNotFoundError:
        pass
    except (ValueError, TypeError, KeyError) as error:
        console.warn(f"{note} cannot be read ({error}): tried anew how many crops pass at once")
    return 0, 0


def _crops_of_a_step(run: Run) -> int:
    return run.config.train.batch_size * run.config.train.accumulate


def _passing(run: Run, crops: int) -> Run:
    """The same run with so many crops in a pass, and as many in a step as before."""
    passes = _crops_of_a_step(run) // crops
    train = dataclasses.replace(run.config.train, batch_size=crops, accumulate=passes)
    return dataclasses.replace(run, config=dataclasses.replace(run.config, train=train))


def look_ahead(run: Run) -> dict[str, float]:
    """Say how long the run will take and how much memory, by passing a batch as it would."""
    if not _is_whole(run):
        return {}
    if run.config.train.probe_batch:
        run = _passing(run, _try_out(run))
    train, device = run.config.train, run.accelerator.device
    trial = Trial(run)
    try:
        trial(train.batch_size)  # the first opens files and chooses kernels
        cost = trial(train.batch_size)
    except RuntimeError as error:
        if not memory.ran_out(error):
            raise
        raise memory.too_small(run.config, device, at_rest=trial.at_rest) from error
    peak, step = cost.peak + _moments(run), cost.seconds * train.accumulate
    run.console.say(
        f"tried: {step:.2f} s a step, about {step * train.steps / 60:.1f} min for {train.steps} "
        f"steps, validations and reading not counted; peak memory {peak / memory.GB:.2f} GB"
    )
    return {"seconds_per_step": round(step, 4), "peak_gb": round(peak / memory.GB, 3)}


def _try_out(run: Run) -> int:
    """Find and say how many crops fit on the fullest of the processes' devices."""
    accelerator, total = run.accelerator, _crops_of_a_step(run)
    if not _is_whole(run):
        raise UsageError(
            f"train.probe_batch with {accelerator.distributed_type.value}",
            "a launcher with which every process holds the whole model",
            "set train.batch_size and train.accumulate by hand",
        )
    device = accelerator.device
    sharing = 1 if device.type == "cuda" else accelerator.num_processes
    room = round(memory.room_bytes(device) / sharing * FILLED) - _moments(run)
    trial = Trial(run)
    found = most_at_once(total, lambda crops: trial(crops).peak, at_rest=trial.at_rest, room=room)
    crops = int(accelerator.gather(torch.tensor([found.crops], device=device)).min())
    run.console.say(
        f"{crops} of {total} crops pass at once: peak memory {found.peak / memory.GB:.2f} of "
        f"{found.room / memory.GB:.2f} GB"
    )
    return crops


def most_at_once(total: int, peak_of: Callable[[int], int], *, at_rest: int, room: int) -> Probed:
    """Double the crops of a pass until the next ones would not fit; return a divisor of `total`.

    Args:
        total: Crops of a step.
        peak_of: Passes so many crops and returns the most bytes in use, or runs out of memory.
        at_rest: Bytes in use before.
        room: Bytes that may be used.
    """
    fits, before, peak, crops = 0, at_rest, at_rest, 1
    while fits < total:
        # What the last crops took, the next will take too: on a CPU nobody says stop in time.
        per_crop = (peak - before) / max(1, fits - fits // 2)
        if fits and peak + per_crop * (crops - fits) > room:
            break
        try:
            now = peak_of(crops)
        except RuntimeError as error:
            if memory.ran_out(error):
                break
            raise
        if now > room:
            break
        fits, before, peak = crops, peak, now
        crops = min(2 * crops, total)
    if not fits:
        raise UsageError(
            f"not one crop fits into {room / memory.GB:.2f} GB",
            "memory for at least one crop in a pass",
            "set train.recompute, a smaller data.crop, or a smaller backbone",
        )
    return Probed(crops=max(n for n in range(1, fits + 1) if total % n == 0), peak=peak, room=room)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a pass takes."""

    seconds: float
    peak: int
    """Bytes in use at the most, everything included."""


class Trial:
    """Passes that teach nothing: forward and backward, and then everything is as it was."""

    def __init__(self, run: Run) -> None:
        """Draw one crop, of which a pass takes copies."""
        self.device = run.accelerator.device
        cached = CachedBatches(run) if run.config.train.cache_crops else None
        self.model = cached.module if cached else run.segmenter
        self.crop = cached.crop(0) if cached else crop_set(run)[0]
        self.loss_of = losses.weighted_sum(run.config.train.losses)
        memory.forget_peak(self.device)
        self.at_rest = memory.peak_bytes(self.device)

    def __call__(self, crops: int) -> Cost:
        """Pass so many crops."""
        batch = collate([self.crop] * crops).to(self.device)
        buffers = {name: each.clone() for name, each in self.model.named_buffers()}
        memory.forget_peak(self.device)
        began = time.perf_counter()
        on_gpu = self.device.type == "cuda"
        with torch.random.fork_rng([self.device] if on_gpu else []):
            self.model.train()
            loss = loss_at_size(self.model(*batch.inputs), **batch.truth, loss_of=self.loss_of)
            loss.backward()  # type: ignore[no-untyped-call]
        if on_gpu:
            torch.cuda.synchronize(self.device)
        cost = Cost(seconds=time.perf_counter() - began, peak=memory.peak_bytes(self.device))
        self.model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, each in self.model.named_buffers():
                each.copy_(buffers[name])
        return cost


def _moments(run: Run) -> int:
    """Bytes that the optimiser will keep once it has taken a step."""
    trained = (each for group in run.segmenter.trainable().values() for each in group)
    return sum(2 * each.numel() * each.element_size() for each in trained)


def _is_whole(run: Run) -> bool:
    """Whether every process holds the whole model."""
    spread = (DistributedType.FSDP, DistributedType.DEEPSPEED)
    return run.accelerator.distributed_type not in spread
