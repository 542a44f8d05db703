"""Losses by name. Each is a mean over the crops of a batch, so that ranks average exactly."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sam_crack.errors import UsageError

from .pixel_losses import Loss, cross_entropy, dice, focal, focal_tversky, lovasz, tversky
from .shape_losses import boundary, cldice, scnp, skeleton_recall

LOSSES: dict[str, Loss] = {
    "bce": cross_entropy,
    "focal": focal,
    "dice": dice,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "lovasz": lovasz,
    "cldice": cldice,
    "skeleton_recall": skeleton_recall,
    "scnp": scnp,
    "boundary": boundary,
}


def weighted_sum(weights: Mapping[str, float]) -> Loss:
    """Compose the loss of a run; unknown names are refused."""
    unknown = [name for name in weights if name not in LOSSES]
    if unknown or not weights:
        raise UsageError(
            f"train.losses: {', '.join(unknown) or 'nothing'}",
            f"known are {', '.join(LOSSES)}",
            "write for example bce=1,dice=1",
        )

    def total(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        # Sums over thin structures lose their small terms in half precision.
        with torch.autocast(logits.device.type, enabled=False):
            full = logits.float()
            terms = [weight * LOSSES[name](full, target, valid) for name, weight in weights.items()]
            return torch.stack(terms).sum()

    return total
