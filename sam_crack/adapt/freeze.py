"""Freezing: no gradient, and no drift of batch statistics either."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def freeze(encoder: nn.Module) -> None:
    """Stop gradients into the encoder, and keep its batch norms in evaluation for good.

    Without the second half, `model.train()` would let running means follow the training crops:
    a frozen encoder that is no longer the published one.
    """
    encoder.requires_grad_(False)
    for module in encoder.modules():
        if isinstance(module, _BatchNorm) and _stay_still not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_stay_still)


def _stay_still(module: nn.Module, _: object) -> None:
    module.training = False
