"""Losses that look at pixels and areas: cross-entropies, overlaps and Lovasz."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

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


def per_crop_mean(values: Tensor, valid: Tensor) -> Tensor:
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
    return per_crop_mean(values, valid)


def focal(logits: Tensor, target: Tensor, valid: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Cross-entropy that fades where the model is already right (Lin 2017, eq. 4, no alpha)."""
    if logits.shape[1] == 1:
        truth = (target > 0).to(logits.dtype)
        values = F.binary_cross_entropy_with_logits(logits[:, 0], truth, reduction="none")
    else:
        values = F.cross_entropy(logits, target.long(), reduction="none")
    return per_crop_mean(values * (1 - torch.exp(-values)) ** gamma, valid)


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


def lovasz(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Lovasz extension of one minus IoU per crop (Berman 2018): hinge of one logit, else softmax.

    Of several classes, those present in a crop count, background included.
    """
    if logits.shape[1] == 1:
        truth = (target > 0) & valid
        errors = 1 - logits[:, 0] * (2 * truth.to(logits.dtype) - 1)
        return _lovasz_extension(errors, truth, valid).mean()
    prob = logits.softmax(dim=1)
    total = present = torch.zeros(len(logits), dtype=logits.dtype, device=logits.device)
    for index in range(logits.shape[1]):
        truth = (target == index) & valid
        errors = (truth.to(prob.dtype) - prob[:, index]).abs()
        there = truth.flatten(1).any(dim=1).to(prob.dtype)
        total = total + there * _lovasz_extension(errors, truth, valid)
        present = present + there
    return (total / present.clamp(min=1)).mean()


def _lovasz_extension(errors: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Return, per crop, errors weighed by how much each adds to the Jaccard loss (algorithm 1)."""
    # Where nothing is known the error is below every other, and the clamp makes it zero.
    hidden = errors.masked_fill(~valid, -torch.inf).flatten(1)
    order = hidden.argsort(dim=1, descending=True)
    worst = hidden.gather(1, order).clamp(min=0)
    hits = truth.flatten(1).gather(1, order).to(errors.dtype)
    inside = hits.sum(dim=1, keepdim=True)
    jaccard = 1 - (inside - hits.cumsum(1)) / (inside + (1 - hits).cumsum(1)).clamp(min=1)
    steps = torch.cat((jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]), dim=1)
    return (worst * steps).sum(dim=1)
