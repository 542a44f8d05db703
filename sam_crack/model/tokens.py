"""Tokens on a grid: how they are projected, windowed, split into heads and padded."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SplitProjection(nn.Module):
    """SAM's fused qkv projection as three layers, so that each can be adapted alone."""

    def __init__(self, dim: int, *, num_heads: int, interleaved: bool = False) -> None:
        """Make the three layers.

        Args:
            dim: Channels in, and channels of each of q, k and v.
            num_heads: Attention heads.
            interleaved: Fused rows run q, k, v per head (TinyViT) instead of all q, all k, all v.
        """
        super().__init__()
        self.num_heads, self.interleaved = num_heads, interleaved
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Project to queries, keys and values, heads outermost in the channels of each."""
        return self.q(x), self.k(x), self.v(x)

    def forward(self, x: Tensor) -> Tensor:
        """Project to the layout of the fused layer."""
        return self.fuse(self.parts(x), dim=-1)

    def fuse(self, parts: tuple[Tensor, Tensor, Tensor], *, dim: int = 0) -> Tensor:
        """Join three tensors along `dim` in the order of the fused layer's rows."""
        if not self.interleaved:
            return torch.cat(parts, dim=dim)
        dim %= parts[0].ndim
        shape = parts[0].shape
        per_head = [
            part.reshape(*shape[:dim], self.num_heads, -1, *shape[dim + 1 :]) for part in parts
        ]
        return torch.cat(per_head, dim=dim + 1).flatten(dim, dim + 1)

    def split(self, fused: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cut a fused weight or bias into those of q, k and v."""
        if not self.interleaved:
            q, k, v = fused.chunk(3, dim=0)
            return q, k, v
        q, k, v = fused.reshape(self.num_heads, -1, *fused.shape[1:]).chunk(3, dim=1)
        return q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)


def split_heads(x: Tensor, num_heads: int, window: tuple[int, int]) -> Tensor:
    """Cut (b, h, w, c) into (b * windows * heads, tokens of a window, c / heads)."""
    batch, height, width, _ = x.shape
    rows, columns = height // window[0], width // window[1]
    x = x.view(batch, rows, window[0], columns, window[1], num_heads, -1)
    return x.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, window[0] * window[1], x.shape[-1])


def merge_heads(
    x: Tensor, num_heads: int, window: tuple[int, int], grid: tuple[int, int]
) -> Tensor:
    """Undo `split_heads` on a grid of (height, width) tokens."""
    rows, columns = grid[0] // window[0], grid[1] // window[1]
    x = x.view(-1, rows, columns, num_heads, *window, x.shape[-1])
    return x.permute(0, 1, 4, 2, 5, 3, 6).reshape(-1, *grid, num_heads * x.shape[-1])


def pad_tokens(x: Tensor, value: Tensor, pad: tuple[int, int]) -> Tensor:
    """Append rows and columns of one token value below and right of (b, h, w, c)."""
    batch, height, width, channels = x.shape
    if pad[1]:
        x = torch.cat([x, value.expand(batch, height, pad[1], channels)], dim=2)
    if pad[0]:
        x = torch.cat([x, value.expand(batch, pad[0], width + pad[1], channels)], dim=1)
    return x


def crop_tokens(x: Tensor, height: int, width: int) -> Tensor:
    """Undo `pad_tokens`, in memory of its own.

    On a mere view a frozen and a trained projection are multiplied by different kernels of torch,
    whose last bits differ on some processors.
    """
    return x[:, :height, :width].contiguous()


def relative_table(table: Tensor, size: int) -> Tensor:
    """Look up (size, size, d) vectors by query minus key, resized linearly as SAM does."""
    length = 2 * size - 1
    if table.shape[0] != length:
        table = F.interpolate(table.float().T[None], size=length, mode="linear")[0].T
    position = torch.arange(size, device=table.device)
    return table[position[:, None] - position[None, :] + size - 1]
