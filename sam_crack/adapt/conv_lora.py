"""Conv-LoRA: a low-rank update that looks at neighbouring tokens at several scales.

    y = W x + alpha / r * B (z + sum_s g_s(z) D_s(conv_s(U_s(z)))),   z = A x

U_s enlarges the token grid s times, D_s brings it back, the shares g are a softmax over the
scales of a linear map of the mean of z. Zhong 2024 picks one of eight such experts per image and
needs a balancing loss for it; here all of three scales take part, which needs none.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam_crack.config.schema import AdapterConfig
from sam_crack.errors import UsageError

from .hooked import Part
from .plan import Plan, check_rank
from .sites import Sites

SCALES = (1, 2, 4)


class TokenGrid:
    """Notes the batch and grid of the tokens that enter a block, for layers that see them flat."""

    def __init__(self) -> None:
        self.block: tuple[int, int, int] | None = None

    def __call__(self, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        """Note (batch, height, width); registered as a forward pre-hook of the block."""
        tokens = args[0]
        batch, height, width = tokens.shape[:3] if tokens.ndim == 4 else (0, 0, 0)
        self.block = (batch, height, width) if batch else None

    def of(self, tokens: Tensor) -> tuple[int, int, int]:
        """Tell (batch, height, width) of (b, h, w, c), of (b, h * w, c) or of square windows."""
        if tokens.ndim == 4:
            return tokens.shape[0], tokens.shape[1], tokens.shape[2]
        batch, count = tokens.shape[0], tokens.shape[-2]
        if self.block and (batch, count) == (self.block[0], self.block[1] * self.block[2]):
            return self.block
        side = math.isqrt(count)
        if tokens.ndim == 3 and side * side == count:
            return batch, side, side
        raise UsageError(
            f"conv_lora: tokens of shape {tuple(tokens.shape)} have no known grid",
            "(b, h, w, c), all tokens of a block, or square windows",
            "use lora for this encoder",
        )


class ConvLora(nn.Module):
    """The update of one linear layer."""

    def __init__(self, layer: nn.Linear, config: AdapterConfig, grid: TokenGrid) -> None:
        super().__init__()
        device, rank = layer.weight.device, config.rank
        self.scale, self.grid = config.alpha / rank, grid
        self.dropout = nn.Dropout(config.dropout)
        self.down = nn.Linear(layer.in_features, rank, bias=False, device=device)
        self.experts = nn.ModuleList(
            nn.Conv2d(rank, rank, 3, padding=1, bias=False, device=device) for _ in SCALES
        )
        self.gate = nn.Linear(rank, len(SCALES), bias=False, device=device)
        self.up = nn.Linear(rank, layer.out_features, bias=False, device=device)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)

    def forward(self, entry: Tensor, exit_: Tensor) -> Tensor:
        """Add the update to what leaves the layer."""
        batch, height, width = self.grid.of(entry)
        z = self.down(self.dropout(entry.to(self.down.weight.dtype)))
        planes = z.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
        shares = torch.softmax(self.gate(planes.mean(dim=(2, 3))), dim=-1)
        near = torch.zeros_like(planes)
        for index, (scale, expert) in enumerate(zip(SCALES, self.experts, strict=True)):
            near = near + shares[:, index, None, None, None] * _look(planes, expert, scale)
        z = z + near.permute(0, 2, 3, 1).reshape(z.shape)
        update: Tensor = self.scale * self.up(z)
        return exit_ + update.to(exit_.dtype)


def _look(planes: Tensor, expert: nn.Module, scale: int) -> Tensor:
    if scale == 1:
        seen: Tensor = expert(planes)
        return seen
    fine = F.interpolate(planes, scale_factor=scale, mode="bilinear", align_corners=False)
    size = (planes.shape[2], planes.shape[3])
    return F.interpolate(expert(fine), size=size, mode="bilinear", align_corners=False)


def conv_lora_parts(
    encoder: nn.Module, config: AdapterConfig, sites: Sites, plan: Plan
) -> list[Part]:
    """Build an update for every layer of the plan."""
    check_rank(encoder, config, plan.layers)
    parts = []
    for index in plan.blocks:
        block, grid = sites.blocks[index], TokenGrid()
        encoder.get_submodule(block).register_forward_pre_hook(grid)
        for name in (layer for layer in plan.layers if layer.startswith(f"{block}.")):
            layer = encoder.get_submodule(name)
            assert isinstance(layer, nn.Linear)
            parts.append(Part(name, "conv_lora", ConvLora(layer, config, grid)))
    return parts
