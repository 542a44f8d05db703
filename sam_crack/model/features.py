"""What an image encoder is made of in numbers, and what it hands to a decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """The sizes of one published encoder."""

    family: Literal["vit", "tinyvit"]
    """Plain transformer, or TinyViT with its convolutional stages."""
    width: int
    """Channels of the last block."""
    depth: int
    """Transformer blocks."""
    num_heads: int
    """Attention heads of the last block."""
    global_blocks: tuple[int, ...] = ()
    """Blocks that attend over the whole grid; the others attend in token windows."""
    token_window: int = 14
    """Side, in tokens, of a token window."""
    base_side: int = 1024
    """Side, in pixels, that the position tables of the published weights are made for."""
    out_channels: int = 256
    """Channels after the neck: what SAM's decoder takes."""


@dataclass(frozen=True)
class Features:
    """The outputs of one encoder pass over a batch of windows, all in fp32."""

    embedding: Tensor
    """(b, 256, h/16, w/16), after SAM's neck."""
    levels: dict[int, Tensor]
    """Stride to (b, c, h/stride, w/stride); a plain ViT has stride 16 only."""
    taps: tuple[Tensor, ...]
    """Four evenly spaced blocks of a plain ViT, (b, c, h/16, w/16); empty for TinyViT."""
