"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from sam_crack.config.load import config_hash
from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.data.crops import CropDrawer
from sam_crack.errors import Interrupted, SamCrackError, UsageError
from sam_crack.model.segmenter import Segmenter
from sam_crack.train import losses, optim, state, tracking
from sam_crack.train.validate import Validation

MAX_BAD_STEPS = 10
"""Steps in a row that may be skipped for a loss that is not finite."""

Batch = tuple[Tensor, Tensor, Tensor, list[str]]


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a run ended."""

    step: int
    best: Validation | None
    history: list[tracking.Row]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a training run is made of; `fit` sets it in motion."""

    config: RunConfig
    segmenter: Segmenter
    drawer: CropDrawer
    folder: Path
    accelerator: Accelerator
    console: Console
    validate: Callable[[int], Validation]
    save_best: Callable[[Validation], None]


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


def fit(run: Run, *, resume: bool = False) -> FitResult:
    """Train adapters and head for `train.steps` steps; everything goes to the run's folder."""
    settings, segmenter, accelerator = run.config.train, run.segmenter, run.accelerator
    loss_of = losses.weighted_sum(settings.losses)
    optimizer = optim.make_optimizer(segmenter.trainable(), settings)
    start, best = _take_up(run, optimizer) if resume else (0, None)
    log = tracking.Log(
        run.folder / "metrics.jsonl", keep_through=start, write=accelerator.is_main_process
    )
    batches = _batches(run, start)
    model, prepared = accelerator.prepare(segmenter, optimizer)
    bad_steps = 0

    bar = run.console.bar(range(start, settings.steps), "train", unit="step")
    with tracking.StopSignal() as stop:
        for step in bar:
            began = time.perf_counter()
            rate = optim.set_rate(optimizer, step, settings)
            loss, ids = _accumulate(model, batches, loss_of, run)
            if math.isfinite(loss):
                if settings.clip_norm > 0:
                    accelerator.clip_grad_norm_(model.parameters(), settings.clip_norm)
                prepared.step()
                # Methods that reallocate their ranks look at this step's gradients.
                segmenter.adapted.after_step(step + 1)
                bad_steps = 0
            else:
                bad_steps += 1
                log.skipped(step + 1, loss, ids)
            prepared.zero_grad(set_to_none=True)

            seconds = time.perf_counter() - began
            log.step(step + 1, loss=loss, lr=rate, seconds=seconds)
            bar.set_postfix_str(f"loss {loss:.3f}, {len(ids) / seconds:.1f} img/s", refresh=False)
            if _due(step + 1, settings.validate_every, settings.steps):
                found = run.validate(step + 1)
                log.validation(found)
                if best is None or found.f1 > best.f1:
                    best = found
                    run.save_best(found)
            stopped, diverged = _anyone(stop.asked, accelerator), bad_steps >= MAX_BAD_STEPS
            if stopped or diverged or _due(step + 1, settings.save_every, settings.steps):
                _save(run, optimizer, step + 1, best)
            if stopped or diverged:
                bar.close()
                raise _stopped(step + 1, run) if stopped else _diverged(step + 1, ids)
    return FitResult(step=settings.steps, best=best, history=log.rows)


def _batches(run: Run, start: int) -> Iterator[Batch]:
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
    return iter(loader)


def _accumulate(
    model: nn.Module, batches: Iterator[Batch], loss_of: losses.Loss, run: Run
) -> tuple[float, list[str]]:
    """Pass the crops of one step forward and backward: the loss and the samples seen."""
    parts, accelerator = run.config.train.accumulate, run.accelerator
    total, seen = torch.zeros((), device=accelerator.device), list[str]()
    model.train()
    for part in range(parts):
        pixels, target, valid, ids = _to(next(batches), accelerator.device)
        with nullcontext() if part == parts - 1 else accelerator.no_sync(model):
            # The loss is taken at full size, where inference thresholds too.
            size = (target.shape[-2], target.shape[-1])
            logits = F.interpolate(model(pixels), size, mode="bilinear", align_corners=False)
            loss = loss_of(logits, target, valid)
            penalty = run.segmenter.adapted.penalty()
            accelerator.backward((loss if penalty is None else loss + penalty) / parts)
        total += loss.detach() / parts
        seen += ids
    # Every process sees the mean, so that all of them skip a bad step, or none does.
    return float(accelerator.reduce(total, reduction="mean")), seen


def _take_up(run: Run, optimizer: torch.optim.Optimizer) -> tuple[int, Validation | None]:
    """Restore the newest valid state: the step it had reached and the best score so far."""
    saved = state.load_latest(run.folder / "state", run.console)
    if saved is None:
        return 0, None
    if saved.facts.get("config") != config_hash(run.config):
        raise UsageError(
            "the saved state belongs to another configuration",
            "a run goes on with the settings it began with",
            "restore the settings from config.yaml in its folder, or start a new run",
        )
    state.restore(saved, run.segmenter, optimizer)
    run.segmenter.adapted.load_schedule_state(dict(saved.schedule))
    run.console.say(f"resumed at step {saved.step} of {run.config.train.steps}")
    return saved.step, Validation.from_facts(saved.facts.get("best"))


def _save(run: Run, optimizer: torch.optim.Optimizer, step: int, best: Validation | None) -> None:
    """Write the state of this step; one process writes for all."""
    if run.accelerator.is_main_process:
        facts = {"config": config_hash(run.config), "best": best.facts() if best else None}
        schedule = run.segmenter.adapted.schedule_state()
        now = state.capture(run.segmenter, optimizer, step=step, facts=facts, schedule=schedule)
        state.save_state(run.folder / "state", now)


def _anyone(asked: bool, accelerator: Accelerator) -> bool:
    """Whether any process was asked to stop; all must leave the loop at the same step."""
    if accelerator.num_processes == 1:
        return asked
    flag = torch.tensor(float(asked), device=accelerator.device)
    return float(accelerator.reduce(flag, reduction="sum")) > 0


def _due(step: int, every: int, steps: int) -> bool:
    """Whether something done `every` steps is due; everything is due at the end."""
    return step == steps or (every > 0 and step % every == 0)


def _to(batch: Batch, device: torch.device) -> Batch:
    pixels, target, valid, ids = batch
    return pixels.to(device), target.to(device), valid.to(device), list(ids)


def _stopped(step: int, run: Run) -> Interrupted:
    return Interrupted(
        f"stopped after step {step} of {run.config.train.steps}",
        f"the state is saved in {run.folder}",
        "go on with --resume",
    )


def _diverged(step: int, ids: list[str]) -> SamCrackError:
    return SamCrackError(
        f"the loss was not finite for {MAX_BAD_STEPS} steps up to step {step}",
        f"last samples: {', '.join(dict.fromkeys(ids))}; all are in metrics.jsonl",
        "look at these images and masks, or lower train.lr",
    )
