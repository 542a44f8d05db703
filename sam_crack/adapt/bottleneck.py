"""CrackSAM's adapters: a small MLP after the attention and another beside the MLP of each block."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from sam_crack.config.schema import AdapterConfig

from .hooked import Part
from .plan import block_width
from .sites import Sites

PARALLEL_SCALE = 0.2


class Bottleneck(nn.Module):
    """Down, ReLU, up; `up` starts at zero, so that the host starts unchanged."""

    def __init__(self, channels: int, width: int, *, dropout: float, device: object = None) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(channels, width, device=device)
        self.up = nn.Linear(width, channels, device=device)
        nn.init.kaiming_uniform_(self.down.weight, nonlinearity="relu")
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the update in the adapter's number format and give it in that of `x`."""
        hidden = F.relu(self.down(self.dropout(x.to(self.down.weight.dtype))))
        update: Tensor = self.up(hidden)
        return update.to(x.dtype)


class Serial(nn.Module):
    """The update is computed from what leaves the host: y + B(y)."""

    def __init__(self, bottleneck: Bottleneck) -> None:
        super().__init__()
        self.bottleneck = bottleneck

    def forward(self, entry: Tensor, exit_: Tensor) -> Tensor:
        """Add to the exit."""
        del entry
        update: Tensor = self.bottleneck(exit_)
        return exit_ + update


class Parallel(nn.Module):
    """The update is computed from what enters the host: y + scale B(x)."""

    def __init__(self, bottleneck: Bottleneck, *, scale: float) -> None:
        super().__init__()
        self.bottleneck, self.scale = bottleneck, scale

    def forward(self, entry: Tensor, exit_: Tensor) -> Tensor:
        """Add to the exit."""
        update: Tensor = self.scale * self.bottleneck(entry)
        return exit_ + update.to(exit_.dtype)


def bottleneck_parts(
    encoder: nn.Module, config: AdapterConfig, sites: Sites, blocks: Sequence[int]
) -> list[Part]:
    """Build both adapters for every chosen block."""
    parts = []
    for index in blocks:
        block = sites.blocks[index]
        after = make_bottleneck(encoder, config, sites, index)
        beside = make_bottleneck(encoder, config, sites, index)
        parts += [
            Part(f"{block}.{sites.attention}", "after", Serial(after)),
            Part(f"{block}.{sites.mlp}", "beside", Parallel(beside, scale=PARALLEL_SCALE)),
        ]
    return parts


def make_bottleneck(
    encoder: nn.Module, config: AdapterConfig, sites: Sites, index: int
) -> Bottleneck:
    """Build a bottleneck as wide as the block asks for, where the block lies."""
    channels = block_width(encoder, sites, index)
    device = next(encoder.get_submodule(sites.blocks[index]).parameters()).device
    return Bottleneck(channels, config.width, dropout=config.dropout, device=device)
