"""MobileSAM's encoder: timm's TinyViT with two changes and SAM's neck on top.

The last downsampling keeps its stride at 1. Batch norms always use their stored statistics and
are folded into the convolutions as they run, so the weights keep their published form.
"""

from __future__ import annotations

from collections.abc import Mapping

import timm
import torch
import torch.nn.functional as F
from timm.models import tiny_vit
from torch import Tensor, nn

from sam_crack.adapt.sites import Sites

from .features import BackboneSpec, Features
from .tokens import SplitProjection, crop_tokens, merge_heads, pad_tokens, split_heads
from .vit import (
    PIXEL_MEAN,
    PIXEL_STD,
    LayerNorm,
    check_pixels,
    grad_gate,
    make_neck,
)


class FoldedConv(nn.Module):
    """A convolution without bias and its batch norm, run as one convolution."""

    def __init__(self, conv: nn.Conv2d, bn: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv, self.bn = conv, bn

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the one convolution that does the work of both, in fp32."""
        mean, variance = self.bn.running_mean, self.bn.running_var
        assert mean is not None
        assert variance is not None
        gain = self.bn.weight * torch.rsqrt(variance + self.bn.eps)
        return self.conv.weight * gain.view(-1, 1, 1, 1), self.bn.bias - mean * gain

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (b, c, h, w)."""
        weight, bias = self.folded()
        weight = weight.to(x.dtype).contiguous(memory_format=torch.channels_last)
        conv = self.conv
        return F.conv2d(x, weight, bias.to(x.dtype), conv.stride, conv.padding, groups=conv.groups)


class PixelConv(FoldedConv):
    """The first convolution, which takes raw pixels."""

    def __init__(self, conv: nn.Conv2d, bn: nn.BatchNorm2d) -> None:
        super().__init__(conv, bn)
        self.register_buffer("mean", torch.tensor(PIXEL_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(PIXEL_STD).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (b, 3, h, w) levels of 0..255."""
        weight, bias = self.folded()
        # The border is padded with zeros after normalisation, so the mean cannot become a bias.
        x = (x - self.get_buffer("mean")).contiguous(memory_format=torch.channels_last)
        return F.conv2d(
            x, weight / self.get_buffer("std"), bias, self.conv.stride, self.conv.padding
        )


class WindowAttention(nn.Module):
    """TinyViT's attention within token windows, with a learned bias per offset and head."""

    def __init__(self, source: tiny_vit.Attention, token_window: int) -> None:
        """Take over the layers of timm's attention."""
        super().__init__()
        dim, self.num_heads = source.proj.in_features, source.num_heads
        self.token_window = token_window
        self.norm = LayerNorm(dim, eps=source.norm.eps)
        self.qkv = SplitProjection(dim, num_heads=self.num_heads, interleaved=True)
        self.proj = source.proj
        self.attention_biases = source.attention_biases
        self.register_buffer("offsets", source.attention_bias_idxs, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens of (b, h, w, c)."""
        height, width = x.shape[1:3]
        window = (self.token_window, self.token_window)
        pad = (-height % self.token_window, -width % self.token_window)
        grid = (height + pad[0], width + pad[1])
        parts = self.qkv.parts(self.norm(x))
        if any(pad):
            # Padding comes before the norm: blank tokens are the projected norm of zero.
            blanks = self.qkv.parts(self.norm(x.new_zeros(1, 1, 1, x.shape[-1])))
            padded = [
                pad_tokens(part, blank, pad) for part, blank in zip(parts, blanks, strict=True)
            ]
            parts = (padded[0], padded[1], padded[2])
        heads = (split_heads(part, self.num_heads, window) for part in parts)
        q, k, v = (part.view(-1, self.num_heads, *part.shape[1:]) for part in heads)
        bias = self.attention_biases[:, self.get_buffer("offsets")].to(q.dtype)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        out = merge_heads(out.flatten(0, 1), self.num_heads, window, grid)
        mixed: Tensor = self.proj(crop_tokens(out, height, width))
        return mixed


class TinyBlock(nn.Module):
    """Attention, a depthwise convolution and an MLP over (b, h, w, c)."""

    def __init__(self, source: tiny_vit.TinyVitBlock) -> None:
        """Take over the layers of timm's block."""
        super().__init__()
        self.attn = WindowAttention(source.attn, source.window_size)
        self.local_conv = source.local_conv
        self.mlp = source.mlp
        self.mlp.norm = LayerNorm(source.dim, eps=source.mlp.norm.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Pass tokens (b, h, w, c) on."""
        x = x + self.attn(x)
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out: Tensor = x + self.mlp(x)
        return out


def fold_modules(module: nn.Module) -> None:
    """Replace timm's convolutions and blocks, in place and under the same names."""
    for name, child in module.named_children():
        if isinstance(child, tiny_vit.ConvNorm):
            setattr(module, name, FoldedConv(child.conv, child.bn))
            continue
        fold_modules(child)
        if isinstance(child, tiny_vit.TinyVitBlock):
            setattr(module, name, TinyBlock(child))


class TinyViT(nn.Module):
    """MobileSAM's encoder for any window whose sides divide by 16."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        trunk = timm.create_model("tiny_vit_5m_224", num_classes=0)
        trunk.stages[3].downsample.conv2.conv.stride = (1, 1)
        fold_modules(trunk)
        self.patch_embed, self.stages = trunk.patch_embed, trunk.stages
        first = self.patch_embed.conv1
        self.patch_embed.conv1 = PixelConv(first.conv, first.bn)
        self.neck = make_neck(spec.width, spec.out_channels)
        self.level_channels: Mapping[int, int] = {
            2: first.conv.out_channels,
            **{info["reduction"]: info["num_chs"] for info in trunk.feature_info[:2]},
            16: spec.width,
        }
        self.tap_channels: tuple[int, ...] = ()
        self.grad_from: int | None = None
        # Tensors of a published file that the encoder has no use for, by their official names.
        self.unused: dict[str, Tensor] = {}
        qkv = tuple(f"attn.qkv.{name}" for name in "qkv")
        self.sites = Sites(
            blocks=tuple(
                f"stages.{stage}.blocks.{block}"
                for stage in (1, 2, 3)
                for block in range(len(self.stages[stage].blocks))
            ),
            targets={
                **{name: (f"attn.qkv.{name}",) for name in "qkv"},
                "qkv": qkv,
                "proj": ("attn.proj",),
                "mlp": ("mlp.fc1", "mlp.fc2"),
            },
            attention="attn",
            mlp="mlp",
        )

    def forward(self, pixels: Tensor) -> Features:
        """Encode (b, 3, h, w) RGB levels of 0..255, uint8 or float."""
        check_pixels(pixels)
        with grad_gate(self.grad_from, -1):
            stem = self.patch_embed.act(self.patch_embed.conv1(pixels)).to(self._dtype)
            x = self.stages[0](self.patch_embed.conv2(stem))
        levels = {2: stem, 4: x}
        index = 0
        for stage in self.stages[1:]:
            with grad_gate(self.grad_from, index):
                x = stage.downsample(x).permute(0, 2, 3, 1)
            for block in stage.blocks:
                with grad_gate(self.grad_from, index):
                    x = block(x)
                index += 1
            x = x.permute(0, 3, 1, 2)
            levels[pixels.shape[2] // x.shape[2]] = x
        embedding = self.neck(x).float()
        return Features(embedding, {stride: level.float() for stride, level in levels.items()}, ())

    @property
    def _dtype(self) -> torch.dtype:
        """The number format of the blocks."""
        weight = self.neck[0].weight
        assert isinstance(weight, Tensor)
        return weight.dtype
