"""A predictor from a model and from settings, put together in one way for every verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from sam_crack.config.schema import ModelConfig
from sam_crack.infer.predict import Predictor
from sam_crack.model.heads import count_logits


class Trained(Protocol):
    """A model as training leaves it behind, with SAM inside or without."""

    config: ModelConfig

    @property
    def stride(self) -> int:
        """Pixels per logit."""

    @property
    def num_logits(self) -> int:
        """Logits per place."""

    def __call__(self, pixels: Tensor, /) -> Tensor:
        """Return the logits of windows."""


class Looking(Protocol):
    """The settings that every verb has that looks at frames."""

    @property
    def overlap(self) -> float:
        """Smallest share of a window that its neighbour sees too."""

    @property
    def batch_size(self) -> int:
        """Windows per pass."""

    @property
    def road(self) -> str:
        """Where to look."""


def assemble(
    model: Trained,
    how: Looking,
    *,
    threshold: float = 0.5,
    device: torch.device | str = "cpu",
    deep: bool = False,
    warn: Callable[[str], None] = lambda text: None,
) -> Predictor:
    """Return what looks with a model, at its own window, in the way that settings say."""
    head = model.config.head
    return Predictor(
        model,
        window=model.config.window,
        stride=model.stride,
        threshold=threshold,
        overlap=how.overlap,
        batch_size=how.batch_size,
        road=how.road,
        device=device,
        deep=deep,
        rim=head.boundary and model.num_logits == count_logits(head),
        warn=warn,
    )
