"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import nn

from sam_crack.errors import Interrupted

from . import losses, memory, optim, tracking
from .bad_steps import BadSteps
from .batches import Batch, batches
from .cached import CachedBatches
from .kept import Kept, save, take_up
from .levels import loss_at_size
from .pace import Pace
from .run import Run
from .sharded import copy_whole, whole
from .stopping import Stopped
from .validate import Validation


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a run ended."""

    step: int
    best: Validation | None
    history: list[tracking.Row]


def fit(run: Run, *, resume: bool = False) -> FitResult:
    """Train adapters and head for `train.steps` steps; everything goes to the run's folder."""
    settings, segmenter, accelerator = run.config.train, run.segmenter, run.accelerator
    loss_of = losses.weighted_sum(settings.losses)
    optimizer = optim.make_optimizer(segmenter.trainable(), settings)
    cached = CachedBatches(run) if settings.cache_crops else None
    model, prepared = accelerator.prepare(cached.module if cached else segmenter, optimizer)
    kept = Kept(run, optimizer)  # after preparing, which may leave each process a part
    start = take_up(run, kept) if resume else 0
    write = accelerator.is_main_process
    log = tracking.Log(run.folder, keep_through=start, console=run.console, write=write)
    steps = cached.batches(start) if cached else batches(run, start)
    memory.forget_peak(accelerator.device)  # what was tried out before tells nothing of rest
    bad, at_rest, pace = BadSteps(run), memory.peak_bytes(accelerator.device), Pace(run, start)

    with run.stop:
        if kept.watch.owed:
            log.validation(_validate(run, kept, start))
            save(run, kept, start)
        last = start if kept.watch.lost_patience else settings.steps
        for step in (bar := run.console.bar(range(start, last), "train", unit="step")):
            began = time.perf_counter()
            rate = optim.set_rate(kept.optimizer, step, settings)
            loss, foreground, ids = _accumulate(model, steps, loss_of, run, at_rest)
            norm = _clip(model, settings.clip_norm, accelerator)
            if math.isfinite(loss) and math.isfinite(norm):
                prepared.step()
                # Methods that reallocate their ranks look at this step's gradients.
                segmenter.adapted.after_step(step + 1)
                kept.average.after_step(step + 1)
                bad.made_up()
            else:
                log.skipped(step + 1, *bad.after(step + 1, loss=loss, norm=norm, ids=ids))
            prepared.zero_grad(set_to_none=True)

            seconds = time.perf_counter() - began
            told = {"loss": loss, "lr": rate, "foreground": foreground, "seconds": seconds}
            _report(run, log, step + 1, told, doubt=kept.watch.batch(foreground))
            bar.set_postfix_str(pace.after(step + 1, loss=loss, seconds=seconds), refresh=False)
            if _due(step + 1, settings.validate_every, settings.steps):
                log.validation(_validate(run, kept, step + 1))
            stopped, diverged = run.stop.agreed(accelerator), bad.too_many
            ended = stopped or diverged or kept.watch.lost_patience
            if ended or _due(step + 1, settings.save_every, settings.steps):
                save(run, kept, step + 1)
            if ended:
                bar.close()
                if diverged:
                    raise bad.diverged(step + 1)
                last = _end(run, step + 1, stopped=stopped)
                break
    return FitResult(step=last, best=kept.watch.best, history=log.rows)


def _validate(run: Run, kept: Kept, step: int) -> Validation:
    """Score the weights that would be kept, keep them if they are the best, and say what is odd.

    Stopped before the end, it is owed: the state is saved, and a resumed run begins with it.
    """
    try:
        with kept.average.applied():
            if run.mirror is not None:
                copy_whole(run.segmenter, run.mirror)
            found = run.validate(step)
            best = kept.watch.improved(found)
            if best:
                run.save_best(found)
    except Stopped:
        kept.watch.owed = True
        save(run, kept, step)
        raise _interrupted(step, run) from None
    run.console.say(f"{found.line()}{', the best so far' if best else ''}")
    if run.accelerator.is_main_process:
        for doubt in kept.watch.doubts(found):
            run.console.warn(doubt)
        run.tracker.log(step, {f"val_{name}": value for name, value in found.facts().items()})
        run.show(found)
    return found


def _report(
    run: Run, log: tracking.Log, step: int, values: dict[str, float], *, doubt: str | None
) -> None:
    """Record a step, and tell the person when something is odd."""
    log.step(step, values)
    if run.accelerator.is_main_process:
        run.tracker.log(step, values)
        if doubt is not None:
            run.console.warn(doubt)


def _end(run: Run, step: int, *, stopped: bool) -> int:
    """Raise what made a run stop, or say that nothing got better; return the last step."""
    if stopped:
        raise _interrupted(step, run)
    run.console.say(
        f"ended after step {step} of {run.config.train.steps}: no better score in "
        f"{run.config.train.patience} validations"
    )
    return step


def _accumulate(
    model: nn.Module, steps: Iterator[Batch], loss_of: losses.RunLoss, run: Run, at_rest: int
) -> tuple[float, float, list[str]]:
    """Pass the crops of one step forward and backward: loss, share of foreground, samples seen."""
    parts, accelerator = run.config.train.accumulate, run.accelerator
    told, seen = torch.zeros(2, device=accelerator.device), list[str]()
    model.train()
    for part in range(parts):
        batch = next(steps).to(accelerator.device)
        target, valid = batch.truth["target"], batch.truth["valid"]
        try:
            with nullcontext() if part == parts - 1 else accelerator.no_sync(model):
                loss = loss_at_size(model(*batch.inputs), **batch.truth, loss_of=loss_of)
                penalty = run.segmenter.adapted.penalty()
                accelerator.backward((loss if penalty is None else loss + penalty) / parts)
        except RuntimeError as error:
            if not memory.ran_out(error):
                raise
            raise memory.too_small(run.config, accelerator.device, at_rest=at_rest) from error
        foreground = ((target > 0) & valid).float().mean()
        told += torch.stack((loss.detach(), foreground)) / parts
        seen += batch.ids
    # Every process sees the mean, so that all of them skip a bad step, or none does.
    mean, share = accelerator.reduce(told, reduction="mean").tolist()
    return mean, share, seen


def _clip(model: nn.Module, limit: float, accelerator: Accelerator) -> float:
    """Shorten the gradients to a norm, 0 for none, and return the norm that they had."""
    norm = accelerator.clip_grad_norm_(model.parameters(), limit or math.inf)
    # DeepSpeed clips by itself, and says nothing.
    return 0.0 if norm is None else float(whole(norm))


def _due(step: int, every: int, steps: int) -> bool:
    """Whether something done `every` steps is due; everything is due at the end."""
    return step == steps or (every > 0 and step % every == 0)


def _interrupted(step: int, run: Run) -> Interrupted:
    return Interrupted(
        f"stopped after step {step} of {run.config.train.steps}",
        f"the state is saved in {run.folder}",
        "start it again to go on; train wants --resume auto",
    )
