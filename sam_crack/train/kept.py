"""What a run keeps from step to step besides the model, and how it is saved and taken up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedType, PartialState

from sam_crack import durable
from sam_crack.config.load import config_hash
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.model.description import IN_RUN

from . import state
from .average import Average
from .run import Run
from .sharded import is_sharded
from .tracking import set_aside
from .watch import Watch

IDLE = frozenset(
    {"name", "data.num_workers", "train.recompute", "train.track"}
    | {"train.probe_batch", "train.save_every"}
)
"""Settings that change no result."""
SHARES = frozenset({"train.batch_size", "train.accumulate"})
"""How the crops of a step are shared out; only their number counts."""
PLACES = frozenset({"data.root", "data.lists", "data.also"})
"""Where the data lie; what they are has a hash of its own."""
_SPELLED = {
    "config": "configuration",
    "settings": "configuration",
    "crops": "number of crops per step (batch_size x accumulate x processes)",
    "samples": "set of samples",
}


class Kept:
    """What a run keeps from step to step besides the model: all of it is in a saved state."""

    def __init__(self, run: Run, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.average = Average(run.segmenter, run.config.train.ema)
        self.watch = Watch(run.config.train.patience)


def take_up(run: Run, kept: Kept) -> int:
    """Restore the newest valid state, and return the step it had reached."""
    if _moments_out_of_reach(run):
        raise UsageError(
            "--resume under DeepSpeed",
            "its optimiser keeps to itself what an exact resume needs",
            "launch with configs/accelerate/fsdp2.yaml, which shards as much and resumes",
        )
    main = run.accelerator.is_main_process
    saved = last_state(run.folder, run.accelerator, run.console)
    if saved is None:
        if main and (aside := set_aside(run.folder)):
            run.console.warn(f"steps are recorded, but no state is left: the record is now {aside}")
        run.accelerator.wait_for_everyone()
    else:
        _put_back(run, kept, saved)
        run.console.say(f"resumed at step {saved.step} of {run.config.train.steps}")
    if main:
        run.taken_up()
    return saved.step if saved else 0


def last_state(
    folder: Path, processes: Accelerator | PartialState, console: Console
) -> state.State | None:
    """Clear what a kill left in a run folder, and return the newest state that verifies."""
    with processes.main_process_first():  # the others find everything tidy
        if processes.is_main_process:
            durable.clear_leftovers(folder)
            durable.clear_leftovers(folder / state.STATES)
        return state.load_latest(folder / state.STATES, console)


def _put_back(run: Run, kept: Kept, saved: state.State) -> None:
    """Restore a state, unless it is of another run, or beyond the end of this one."""
    if saved.step > run.config.train.steps:
        raise UsageError(
            f"train.steps {run.config.train.steps}, and the state saved last is of step "
            f"{saved.step}",
            "as many steps as are done, or more",
            "raise --train.steps, or begin a new run",
        )
    # States of before there were the other three have the hash of the whole configuration.
    for what, mine in {"config": config_hash(run.config), **_identity(run)}.items():
        theirs = saved.facts.get(what, mine)
        if theirs == mine:
            continue
        if not run.allow_changes:
            told = f": {theirs}, not {mine}" if isinstance(mine, int) else ""
            raise UsageError(
                f"the saved state belongs to another {_SPELLED[what]}{told}",
                "a run goes on with the settings and the data it began with",
                "restore them, start a new run, or add --allow-changes",
            )
        run.console.warn(f"going on with another {_SPELLED[what]} than the run began with")
    if saved.facts.get("optimiser", run.config.train.optimiser) != run.config.train.optimiser:
        run.console.warn("another optimiser than before begins without its moments")
        saved = replace(saved, optimizer={})
    state.restore(saved, run.segmenter, kept.optimizer)
    run.segmenter.adapted.load_schedule_state(dict(saved.schedule))
    kept.average.load(saved.average)
    kept.watch.load(saved.facts)
    if kept.watch.best is not None and not (run.folder / IN_RUN).is_dir():
        run.console.warn(
            f"{run.folder / IN_RUN} is gone, and with it the best model, of step "
            f"{kept.watch.best.step}; step {saved.step} is validated and kept in its place"
        )
        kept.watch.forget_best()


def _identity(run: Run) -> dict[str, object]:
    """What a run must share with its saved state to go on from it."""
    train, world = run.config.train, run.accelerator.num_processes
    return {
        "settings": config_hash(run.config, without=IDLE | SHARES | PLACES),
        "crops": train.batch_size * train.accumulate * world,
        "samples": run.data_hash,
    }


def save(run: Run, kept: Kept, step: int) -> None:
    """Write the state of this step; one process writes for all."""
    main = run.accelerator.is_main_process
    if _moments_out_of_reach(run):
        if main:
            run.console.warn("no state is saved under DeepSpeed; only the best checkpoint is kept")
        return
    # Tensors in parts come together only when every process asks for them.
    if main or is_sharded(run.segmenter):
        facts = _identity(run) | kept.watch.facts()
        facts |= {"begun_from": run.begun_from, "optimiser": run.config.train.optimiser}
        now = state.capture(
            run.segmenter,
            kept.optimizer,
            step=step,
            facts=facts,
            schedule=run.segmenter.adapted.schedule_state(),
            average=kept.average.means,
        )
        if main:
            state.save_state(run.folder / state.STATES, now)


def _moments_out_of_reach(run: Run) -> bool:
    """Whether the optimiser's state is kept by an engine of its own."""
    return run.accelerator.distributed_type is DistributedType.DEEPSPEED
