"""What each way of adapting has to offer; `inject.Adapted` puts one face on all of them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from .adalora import RankSchedule


class Engine(Protocol):
    """One encoder with one method in place."""

    encoder: nn.Module
    """The module to call."""
    matched: tuple[str, ...]
    """Names of the modules or parameters, in the plain encoder, that were adapted."""
    first_block: int | None
    """Shallowest block that needs gradients; None for the whole encoder."""
    schedule: RankSchedule | None
    """What the method does during training beyond gradients, if anything."""

    def parameters(self) -> dict[str, nn.Parameter]:
        """Adapter parameters by a name that does not change between runs."""
        ...

    def disabled(self) -> AbstractContextManager[None]:
        """Give base behaviour inside."""
        ...

    def merged_state(self) -> dict[str, Tensor]:
        """State of the plain encoder with the adapters folded in."""
        ...

    def save(self, folder: Path) -> None:
        """Write the adapter."""
        ...

    def load(self, folder: Path) -> None:
        """Read an adapter of the same shape."""
        ...
