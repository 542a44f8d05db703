"""Losses by name. Each is a mean over the crops of a batch, so that ranks average exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from sam_crack.errors import UsageError

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits (b, k, h, w), target (b, h, w) class index, valid (b, h, w) bool) -> scalar."""


def probabilities(logits: Tensor) -> Tensor:
    """Foreground probabilities (b, classes, h, w): sigmoid of one logit, softmax of several."""
    if logits.shape[1] == 1:
        return logits.sigmoid()
    return logits.softmax(dim=1)[:, 1:]


def one_hot(target: Tensor, num_foreground: int) -> Tensor:
    """Class indices to (b, classes, h, w) zeros and ones, without the background."""
    if num_foreground == 1:
        return (target > 0).unsqueeze(1).float()
    classes = torch.arange(1, num_foreground + 1, device=target.device)
    return (target.unsqueeze(1) == classes[:, None, None]).float()


def _per_crop_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid pixels of each crop, then over crops; a crop without any gives 0."""
    weight = valid.to(values.dtype)
    return ((values * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1)).mean()


def cross_entropy(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Binary cross-entropy for one logit, categorical for several."""
    if logits.shape[1] == 1:
        truth = (target > 0).to(logits.dtype)
        values = F.binary_cross_entropy_with_logits(logits[:, 0], truth, reduction="none")
    else:
        values = F.cross_entropy(logits, target.long(), reduction="none")
    return _per_crop_mean(values, valid)


def focal(logits: Tensor, target: Tensor, valid: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Cross-entropy that fades where the model is already right (Lin 2017, eq. 4, no alpha)."""
    if logits.shape[1] == 1:
        truth = (target > 0).to(logits.dtype)
        values = F.binary_cross_entropy_with_logits(logits[:, 0], truth, reduction="none")
    else:
        values = F.cross_entropy(logits, target.long(), reduction="none")
    return _per_crop_mean(values * (1 - torch.exp(-values)) ** gamma, valid)


def _overlaps(logits: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Soft true positives, false positives and false negatives: each (b, classes)."""
    prob = probabilities(logits)
    truth = one_hot(target, prob.shape[1])
    weight = valid.unsqueeze(1).to(prob.dtype)
    tp = (prob * truth * weight).sum(dim=(2, 3))
    return tp, (prob * weight).sum(dim=(2, 3)) - tp, (truth * weight).sum(dim=(2, 3)) - tp


def tversky(
    logits: Tensor,
    target: Tensor,
    valid: Tensor,
    *,
    fp_weight: float = 0.3,
    fn_weight: float = 0.7,
) -> Tensor:
    """One minus the Tversky index per crop and class (Salehi 2017, eq. 3); 1 smooths."""
    tp, fp, fn = _overlaps(logits, target, valid)
    return (1 - (tp + 1) / (tp + fp_weight * fp + fn_weight * fn + 1)).mean()


def dice(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """One minus soft Dice per crop and class."""
    return tversky(logits, target, valid, fp_weight=0.5, fn_weight=0.5)


def focal_tversky(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Tversky .3/.7 per crop to the power 3/4 (Abraham 2019, eq. 4 with gamma 4/3)."""
    tp, fp, fn = _overlaps(logits, target, valid)
    index = (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)
    # The power has no finite slope at 0, where a perfect crop lies.
    return ((1 - index).clamp(min=1e-6) ** 0.75).mean()


def _soft_skeleton(image: Tensor, num_iterations: int = 5) -> Tensor:
    """Differentiable skeleton by repeated min and max pooling (Shit 2021, algorithm 1)."""

    def erode(x: Tensor) -> Tensor:
        return torch.minimum(
            -F.max_pool2d(-x, (3, 1), 1, (1, 0)), -F.max_pool2d(-x, (1, 3), 1, (0, 1))
        )

    def opened(x: Tensor) -> Tensor:
        return F.max_pool2d(erode(x), 3, 1, 1)

    skeleton = F.relu(image - opened(image))
    for _ in range(num_iterations):
        image = erode(image)
        delta = F.relu(image - opened(image))
        skeleton = skeleton + F.relu(delta - skeleton * delta)
    return skeleton


def cldice(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """One minus soft centre-line Dice (Shit 2021, eq. 3); crops without foreground give 0."""
    prob = probabilities(logits) * valid.unsqueeze(1)
    truth = one_hot(target, prob.shape[1]) * valid.unsqueeze(1)
    skeleton_prob, skeleton_truth = _soft_skeleton(prob), _soft_skeleton(truth)
    precision = ((skeleton_prob * truth).sum((2, 3)) + 1) / (skeleton_prob.sum((2, 3)) + 1)
    recall = ((skeleton_truth * prob).sum((2, 3)) + 1) / (skeleton_truth.sum((2, 3)) + 1)
    present = (truth.sum((2, 3)) > 0).to(prob.dtype)
    return ((1 - 2 * precision * recall / (precision + recall)) * present).mean()


LOSSES: dict[str, Loss] = {
    "bce": cross_entropy,
    "focal": focal,
    "dice": dice,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "cldice": cldice,
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
