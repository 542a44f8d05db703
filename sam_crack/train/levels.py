"""The loss of a model that answers at several levels of detail."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .losses import RunLoss


def loss_at_size(
    answer: Tensor | tuple[Tensor, ...],
    target: Tensor,
    valid: Tensor,
    rim: Tensor | None = None,
    *,
    loss_of: RunLoss,
) -> Tensor:
    """Compare logits with the target at its own size, where inference thresholds too.

    Of several logits, finest first, each weighs half as much as the one before it, and all weights
    sum to one (deep supervision as in nnU-Net, Isensee 2021).
    """
    levels = answer if isinstance(answer, tuple) else (answer,)
    size = (target.shape[-2], target.shape[-1])
    whole = [F.interpolate(each, size, mode="bilinear", align_corners=False) for each in levels]
    losses = [loss_of(logits, target, valid, rim) for logits in whole]
    if len(losses) == 1:
        return losses[0]
    weights = torch.tensor([0.5**place for place in range(len(losses))])
    return (torch.stack(losses) * (weights / weights.sum()).to(losses[0])).sum()
