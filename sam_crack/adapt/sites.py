"""Where a network can be adapted, as the network itself tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sites:
    """The places of one encoder that adapters may ask for, by plain module names."""

    blocks: tuple[str, ...]
    """Dotted names of the blocks, shallow to deep: `("blocks.0", "blocks.1", ...)`."""
    targets: Mapping[str, tuple[str, ...]]
    """Alias to linear layers, relative to a block: `{"q": ("attn.qkv.q",), "mlp": (...)}`."""
    attention: str
    """Name of the attention module, relative to a block."""
    mlp: str
    """Name of the MLP module, relative to a block."""
