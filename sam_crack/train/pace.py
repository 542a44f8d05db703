"""How fast a run goes, and when it will be done."""

from __future__ import annotations

import time

from . import memory
from .run import Run

SETTLED = 5
"""Steps after which the pace is known."""
SILENCE = 300.0
"""Seconds after which a run without a terminal says how far it is."""


class Pace:
    """Images per second, and how long the rest will take."""

    def __init__(self, run: Run, start: int) -> None:
        """Measure from here."""
        self.run, self.start = run, start
        train = run.config.train
        self.crops = train.batch_size * train.accumulate * run.accelerator.num_processes
        self.seconds: list[float] = []
        self.spoke = time.monotonic()

    def after(self, step: int, *, loss: float, seconds: float) -> str:
        """Take in a step; return what the bar shows, and once say what is to be expected."""
        self.seconds.append(seconds)
        if len(self.seconds) == SETTLED:
            # The first steps open files and choose kernels.
            typical, rest = sorted(self.seconds)[SETTLED // 2], self.run.config.train.steps - step
            peak = memory.peak_bytes(self.run.accelerator.device)
            self.run.console.say(
                f"about {rest * typical / 60:.1f} min for the other {rest} steps at "
                f"{self.crops / typical:.1f} img/s, validations not counted; "
                f"peak memory {peak / memory.GB:.2f} GB"
            )
        told = f"loss {loss:.3f}, {self.crops / seconds:.1f} img/s"
        if self.run.console.logs and time.monotonic() - self.spoke >= SILENCE:
            self.spoke = time.monotonic()
            rest = self.run.config.train.steps - step
            left = rest * sum(self.seconds) / len(self.seconds) / 60
            self.run.console.say(f"step {step:,}: {told}, about {left:.0f} min to go")
        return told
