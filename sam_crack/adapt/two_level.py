"""SACM's adapters: inside each block, around each block, and a fusion of what all blocks give."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sam_crack.config.schema import AdapterConfig
from sam_crack.errors import UsageError

from .bottleneck import Parallel, Serial, make_bottleneck
from .hooked import Part
from .plan import block_width
from .sites import Sites


class Levels:
    """Outputs of blocks that wait for the fusion within one forward pass."""

    def __init__(self) -> None:
        self.outputs: dict[int, Tensor] = {}

    def __deepcopy__(self, memo: dict[int, object]) -> Levels:
        """Copy nothing: outputs belong to a pass, not to a model."""
        copied = Levels()
        memo[id(self)] = copied
        return copied


class Remember(nn.Module):
    """Keeps what leaves a block, and passes it on unchanged."""

    def __init__(self, levels: Levels, index: int) -> None:
        super().__init__()
        self.levels, self.index = levels, index

    def forward(self, entry: Tensor, exit_: Tensor) -> Tensor:
        """Note the exit."""
        del entry
        self.levels.outputs[self.index] = exit_
        return exit_


class Fusion(nn.Module):
    """Adds a learned mixture of all levels to the last one; the weights start at zero."""

    def __init__(self, levels: Levels, num_levels: int, *, device: object = None) -> None:
        super().__init__()
        self.levels = levels
        self.weight = nn.Parameter(torch.zeros(num_levels, device=device))  # type: ignore[call-overload]

    def forward(self, entry: Tensor, exit_: Tensor) -> Tensor:
        """Mix the noted levels and this last one."""
        del entry
        noted, self.levels.outputs = self.levels.outputs, {}
        outputs = [*(noted[index] for index in sorted(noted)), exit_]
        if len(outputs) != len(self.weight):
            raise UsageError(
                f"two_level: {len(outputs)} block outputs at hand, {len(self.weight)} needed",
                "one plain forward pass at a time, all blocks in order",
                "switch activation checkpointing of whole blocks off, or use bottleneck",
            )
        mixture = sum(w * out.float() for w, out in zip(self.weight, outputs, strict=True))
        return exit_ + torch.as_tensor(mixture).to(exit_.dtype)


def two_level_parts(
    encoder: nn.Module, config: AdapterConfig, sites: Sites, blocks: Sequence[int]
) -> list[Part]:
    """Build inner and outer adapters for the chosen blocks, and the fusion over all like blocks."""
    parts = []
    for index in blocks:
        block = sites.blocks[index]
        inner = make_bottleneck(encoder, config, sites, index)
        outer = make_bottleneck(encoder, config, sites, index)
        parts += [
            Part(f"{block}.{sites.mlp}", "inner", Serial(inner)),
            Part(block, "outer", Parallel(outer, scale=1.0)),
        ]
    last = len(sites.blocks) - 1
    width = block_width(encoder, sites, last)
    alike = [i for i in range(last) if block_width(encoder, sites, i) == width]
    levels = Levels()
    device = next(encoder.get_submodule(sites.blocks[last]).parameters()).device
    parts += [Part(sites.blocks[i], "level", Remember(levels, i)) for i in alike]
    fusion = Fusion(levels, len(alike) + 1, device=device)
    return [*parts, Part(sites.blocks[last], "fusion", fusion)]
