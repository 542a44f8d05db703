"""SAM's plain ViT image encoder, under the module names of the published weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam_crack.adapt.sites import Sites
from sam_crack.errors import BadInput

from .attention import attend
from .features import BackboneSpec, Features
from .tokens import (
    SplitProjection,
    crop_tokens,
    merge_heads,
    pad_tokens,
    relative_table,
    split_heads,
)

# Mean and spread of ImageNet's RGB levels, as SAM normalises.
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
PATCH = 16


class LayerNorm(nn.LayerNorm):
    """Layer norm whose fp32 weights serve bf16 tokens too, so that they can be trained."""

    def __init__(self, channels: int, *, eps: float = 1e-6) -> None:
        super().__init__(channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis in the number format of `x`."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps)


class LayerNorm2d(LayerNorm):
    """Layer norm over the channels of (b, c, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the channel axis."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def grad_gate(first: int | None, index: int) -> AbstractContextManager[None]:
    """Switch gradients off for a block below the first that needs them; -1 is the stem."""
    wanted = first is None or index >= first
    return torch.set_grad_enabled(torch.is_grad_enabled() and wanted)


def check_pixels(pixels: Tensor) -> None:
    """Refuse a batch that the patch grid cannot tile."""
    if pixels.ndim != 4 or pixels.shape[1] != 3 or any(side % PATCH for side in pixels.shape[2:]):
        raise BadInput(
            f"a batch of pixels of shape {tuple(pixels.shape)}",
            f"an encoder takes (b, 3, h, w) with sides that are multiples of {PATCH}",
            "pad or resize the windows",
        )


def make_neck(channels: int, out_channels: int) -> nn.Sequential:
    """Build SAM's neck, which brings tokens to the decoder's channels."""
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    )


class Attention(nn.Module):
    """Attention with decomposed relative position, over token windows or the whole grid."""

    def __init__(self, dim: int, *, num_heads: int, token_window: int, base_tokens: int) -> None:
        """Make the layers.

        Args:
            dim: Channels of a token.
            num_heads: Attention heads.
            token_window: Side of a token window; 0 attends over the whole grid.
            base_tokens: Side of the grid that whole-grid tables are made for.
        """
        super().__init__()
        self.num_heads, self.token_window = num_heads, token_window
        self.qkv = SplitProjection(dim, num_heads=num_heads)
        self.proj = nn.Linear(dim, dim)
        side = token_window or base_tokens
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, dim // num_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, dim // num_heads))
        nn.init.trunc_normal_(self.rel_pos_h, std=0.02)
        nn.init.trunc_normal_(self.rel_pos_w, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens of (b, h, w, c)."""
        height, width = x.shape[1:3]
        side = self.token_window
        window = (side, side) if side else (height, width)
        pad = (-height % window[0], -width % window[1])
        grid = (height + pad[0], width + pad[1])
        q, k, v = self.qkv.parts(x)
        if any(pad):
            # SAM pads before the projection: there, its blank tokens have the biases as keys.
            blank_q, blank_k, blank_v = self.qkv.parts(x.new_zeros(1, 1, 1, x.shape[-1]))
            q, k, v = (
                pad_tokens(q, blank_q, pad),
                pad_tokens(k, blank_k, pad),
                pad_tokens(v, blank_v, pad),
            )
        q, k, v = (split_heads(part, self.num_heads, window) for part in (q, k, v))
        rel_h = relative_table(self.rel_pos_h, window[0]).to(q.dtype)
        rel_w = relative_table(self.rel_pos_w, window[1]).to(q.dtype)
        out = merge_heads(attend(q, k, v, rel_h, rel_w), self.num_heads, window, grid)
        mixed: Tensor = self.proj(crop_tokens(out, height, width))
        return mixed


class Mlp(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(dim, hidden)
        self.lin2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token alone."""
        out: Tensor = self.lin2(F.gelu(self.lin1(x)))
        return out


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside a shortcut, over (b, h, w, c)."""

    def __init__(self, spec: BackboneSpec, index: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(spec.width)
        self.attn = Attention(
            spec.width,
            num_heads=spec.num_heads,
            token_window=0 if index in spec.global_blocks else spec.token_window,
            base_tokens=spec.base_side // PATCH,
        )
        self.norm2 = LayerNorm(spec.width)
        self.mlp = Mlp(spec.width, 4 * spec.width)

    def forward(self, x: Tensor) -> Tensor:
        """Pass tokens (b, h, w, c) on."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchEmbed(nn.Module):
    """The first layer, which takes raw pixels: normalisation is folded into its weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, stride=PATCH)
        self.register_buffer("mean", torch.tensor(PIXEL_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(PIXEL_STD).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn (b, 3, h, w) levels of 0..255 into (b, h/16, w/16, c) tokens."""
        assert self.proj.bias is not None
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        weight = self.proj.weight / std
        bias = self.proj.bias - (weight * mean).sum(dim=(1, 2, 3))
        tokens = F.conv2d(pixels.to(weight.dtype), weight, bias, stride=PATCH)
        return tokens.permute(0, 2, 3, 1)


class PlainViT(nn.Module):
    """SAM's ViT-B, L or H encoder for any window whose sides divide by 16."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        side = spec.base_side // PATCH
        self.patch_embed = PatchEmbed(spec.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, spec.width))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.blocks = nn.ModuleList(Block(spec, index) for index in range(spec.depth))
        self.neck = make_neck(spec.width, spec.out_channels)
        self.level_channels: Mapping[int, int] = {PATCH: spec.width}
        self.tap_blocks = tuple((quarter * spec.depth + 3) // 4 - 1 for quarter in (1, 2, 3, 4))
        self.tap_channels: tuple[int, ...] = (spec.width,) * 4
        self.grad_from: int | None = None
        qkv = tuple(f"attn.qkv.{name}" for name in "qkv")
        self.sites = Sites(
            blocks=tuple(f"blocks.{index}" for index in range(spec.depth)),
            targets={
                **{name: (f"attn.qkv.{name}",) for name in "qkv"},
                "qkv": qkv,
                "proj": ("attn.proj",),
                "mlp": ("mlp.lin1", "mlp.lin2"),
            },
            attention="attn",
            mlp="mlp",
        )

    def forward(self, pixels: Tensor) -> Features:
        """Encode (b, 3, h, w) RGB levels of 0..255, uint8 or float."""
        check_pixels(pixels)
        with grad_gate(self.grad_from, -1):
            x = self.patch_embed(pixels)
            x = (x + self._position(x.shape[1], x.shape[2])).to(self._dtype).contiguous()
        taps: dict[int, Tensor] = {}
        for index, block in enumerate(self.blocks):
            with grad_gate(self.grad_from, index):
                x = block(x)
            if index in self.tap_blocks:
                taps[index] = x.permute(0, 3, 1, 2).float()
        last = taps[self.tap_blocks[-1]]
        embedding = self.neck(x.permute(0, 3, 1, 2)).float()
        return Features(embedding, {PATCH: last}, tuple(taps[index] for index in self.tap_blocks))

    @property
    def _dtype(self) -> torch.dtype:
        """The number format of the blocks."""
        weight = self.neck[0].weight
        assert isinstance(weight, Tensor)
        return weight.dtype

    def _position(self, height: int, width: int) -> Tensor:
        """Return the absolute position table, resized when the grid is another."""
        if self.pos_embed.shape[1:3] == (height, width):
            return self.pos_embed
        table = self.pos_embed.permute(0, 3, 1, 2)
        table = F.interpolate(table, size=(height, width), mode="bilinear", align_corners=False)
        return table.permute(0, 2, 3, 1)
