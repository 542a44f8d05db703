"""Ctrl-C and SIGTERM as a request, which every process of a run follows at the same place."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator

from sam_crack.console import Console


class Stopped(Exception):
    """What was begun is not finished: the run was asked to stop."""


class StopSignal:
    """Turns the first Ctrl-C or SIGTERM into a request; the second one acts as usual."""

    def __init__(self, console: Console) -> None:
        """Say through the console that the request was heard."""
        self.asked, self._console = False, console
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._ask)
            except ValueError:  # not the main thread, such as in a notebook server
                return self
        return self

    def _ask(self, number: int, _: FrameType | None) -> None:
        self.asked = True
        signal.signal(number, self._before[number])
        self._console.warn(
            "stopping after this step, or this frame of a validation; once more stops at once"
        )

    def agreed(self, accelerator: Accelerator) -> bool:
        """Whether any process was asked; all must stop at the same place."""
        if accelerator.num_processes == 1:
            return self.asked
        flag = torch.tensor(float(self.asked), device=accelerator.device)
        return float(accelerator.reduce(flag, reduction="sum")) > 0

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
