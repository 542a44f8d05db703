"""A running mean of the trained weights, which is steadier than any single step's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .sharded import like


class Average:
    """Exponential moving average of what learns; with decay 0 it is the weights themselves."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start at the weights as they are."""
        self.decay = decay
        self._live = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.means: dict[str, Tensor] = (
            {name: p.detach().clone() for name, p in self._live.items()} if decay else {}
        )

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Take in the weights after optimiser step `step`, counted from 1."""
        # Early means would otherwise remember where training began, for as long as 1 / (1 - decay).
        decay = min(self.decay, step / (step + 9))
        for name, mean in self.means.items():
            mean.lerp_(self._live[name], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the means in place of the weights inside the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, mean in self.means.items():
            live = self._live[name]
            kept = live.detach().clone()
            live.copy_(mean)
            mean.copy_(kept)

    @torch.no_grad()
    def load(self, means: Mapping[str, Tensor]) -> None:
        """Go on with saved means; without any, start at the weights as they are now."""
        for name, mean in self.means.items():
            mean.copy_(like(means[name], mean) if name in means else self._live[name])
