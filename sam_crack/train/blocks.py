"""What can be done to the encoder's blocks without changing what they compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from sam_crack.adapt.sites import Sites
from sam_crack.config.schema import TrainConfig


def set_up_blocks(encoder: nn.Module, config: TrainConfig) -> None:
    """Compile blocks, or have them recompute their activations, as the configuration asks."""
    sites = encoder.sites
    assert isinstance(sites, Sites)
    for name in sites.blocks:
        block = encoder.get_submodule(name)
        if config.recompute:
            # On the instance: parameter names, and with them every saved file, stay as they are.
            block.forward = _recomputed(block, block.forward)
        if config.compile:
            block.compile()


def _recomputed(block: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:  # noqa: ANN401 - whatever the block takes and gives
        if not (block.training and torch.is_grad_enabled()):
            return forward(*args)
        return checkpoint(forward, *args, use_reentrant=False)

    return run
