"""Losses by name. Each is a mean over the crops of a batch, so that ranks average exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

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
RIM = "rim"
"""The loss of the channel for borders, which has a truth of its own."""


class RunLoss(Protocol):
    """What a run's logits are measured by."""

    def __call__(
        self, logits: Tensor, target: Tensor, valid: Tensor, rim: Tensor | None = None
    ) -> Tensor:
        """Return a scalar; with `rim` (b, h, w) the last logit is the one for borders."""


def weighted_sum(weights: Mapping[str, float]) -> RunLoss:
    """Compose the loss of a run; unknown names, and weights that teach nothing, are refused."""
    unknown = [name for name in weights if name not in (*LOSSES, RIM)]
    of_classes = {name: weight for name, weight in weights.items() if name != RIM}
    if unknown or not of_classes:
        raise UsageError(
            f"train.losses: {', '.join(unknown or weights) or 'nothing'}",
            f"known are {', '.join(LOSSES)}, and {RIM} beside them for head.boundary",
            "write for example bce=1,dice=1",
        )

    idle = [f"{name}={weight:g}" for name, weight in weights.items() if weight <= 0]
    if idle:
        raise UsageError(
            f"train.losses: {', '.join(idle)}",
            "weights above 0: at 0 a loss teaches nothing, below it what is wrong",
            "leave these out",
        )

    def total(logits: Tensor, target: Tensor, valid: Tensor, rim: Tensor | None = None) -> Tensor:
        # Sums over thin structures lose their small terms in half precision.
        with torch.autocast(logits.device.type, enabled=False):
            full = logits.float()
            classes = full if rim is None else full[:, :-1]
            terms = [w * LOSSES[name](classes, target, valid) for name, w in of_classes.items()]
            if rim is not None:
                border = full[:, -1:]
                learnt = cross_entropy(border, rim, valid) + dice(border, rim, valid)
                terms.append(weights[RIM] * learnt)
            return torch.stack(terms).sum()

    return total
