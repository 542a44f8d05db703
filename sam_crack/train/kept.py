"""What a run keeps from step to step besides the model, and how it is saved and taken up."""

from __future__ import annotations

import torch
from accelerate import DistributedType

from sam_crack import durable
from sam_crack.config.load import config_hash
from sam_crack.errors import UsageError

from . import state
from .average import Average
from .run import Run
from .sharded import is_sharded
from .watch import Watch

_SPELLED = {"config": "configuration", "data": "set of samples"}


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
    folder = run.folder / state.STATES
    # One process tidies up before the others look.
    with run.accelerator.main_process_first():
        if run.accelerator.is_main_process:
            durable.clear_leftovers(run.folder)
            durable.clear_leftovers(folder)
        saved = state.load_latest(folder, run.console)
    if saved is None:
        return 0
    for what, mine in (("config", config_hash(run.config)), ("data", run.data_hash)):
        if saved.facts.get(what, mine) == mine:
            continue
        if not run.allow_changes:
            raise UsageError(
                f"the saved state belongs to another {_SPELLED[what]}",
                "a run goes on with the settings and the data it began with",
                "restore them, start a new run, or add --allow-changes",
            )
        run.console.warn(f"going on with another {_SPELLED[what]} than the run began with")
    state.restore(saved, run.segmenter, kept.optimizer)
    run.segmenter.adapted.load_schedule_state(dict(saved.schedule))
    kept.average.load(saved.average)
    kept.watch.load(saved.facts)
    run.console.say(f"resumed at step {saved.step} of {run.config.train.steps}")
    return saved.step


def save(run: Run, kept: Kept, step: int) -> None:
    """Write the state of this step; one process writes for all."""
    main = run.accelerator.is_main_process
    if _moments_out_of_reach(run):
        if main:
            run.console.warn("no state is saved under DeepSpeed; only the best checkpoint is kept")
        return
    # Tensors in parts come together only when every process asks for them.
    if main or is_sharded(run.segmenter):
        facts = {"config": config_hash(run.config), "data": run.data_hash, **kept.watch.facts()}
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
