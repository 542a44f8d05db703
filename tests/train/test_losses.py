"""Losses against values computed by hand, finite differences and MONAI."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sam_crack.errors import UsageError
from sam_crack.train.losses import LOSSES, weighted_sum

ALL = torch.ones(1, 2, 2, dtype=torch.bool)


def logits_of(*probs: float) -> Tensor:
    return torch.logit(torch.tensor(probs, dtype=torch.float64)).reshape(1, 1, 2, 2)


TARGET = torch.tensor([[[1, 0], [0, 1]]], dtype=torch.uint8)
LOGITS = logits_of(0.8, 0.3, 0.4, 0.6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bce", -(math.log(0.8) + math.log(0.7) + math.log(0.6) + math.log(0.6)) / 4),
        ("dice", 1 - (1.4 + 1) / (1.4 + 0.5 * 0.7 + 0.5 * 0.6 + 1)),
        ("tversky", 1 - 2.4 / (1.4 + 0.3 * 0.7 + 0.7 * 0.6 + 1)),
        ("focal_tversky", (1 - 2.4 / (1.4 + 0.3 * 0.7 + 0.7 * 0.6 + 1)) ** 0.75),
        (
            "focal",
            -(
                0.04 * math.log(0.8)
                + 0.09 * math.log(0.7)
                + 0.16 * math.log(0.6)
                + 0.16 * math.log(0.6)
            )
            / 4,
        ),
    ],
)
def test_hand_computed(name: str, value: float) -> None:
    assert LOSSES[name](LOGITS, TARGET, ALL).item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_matches_finite_differences(name: str) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 1, 12, 12, dtype=torch.float64, requires_grad=True)
    target = torch.zeros(2, 12, 12, dtype=torch.uint8)
    target[:, 3:9, 4:7] = 1
    valid = torch.ones(2, 12, 12, dtype=torch.bool)
    assert torch.autograd.gradcheck(
        lambda x: LOSSES[name](x, target, valid), logits, eps=1e-6, atol=1e-5
    )


@pytest.mark.parametrize("name", LOSSES)
def test_invalid_pixels_do_not_count(name: str) -> None:
    torch.manual_seed(1)
    logits, valid = torch.randn(1, 1, 8, 8), torch.ones(1, 8, 8, dtype=torch.bool)
    target = torch.zeros(1, 8, 8, dtype=torch.uint8)
    target[:, 2:5] = 1
    valid[:, :, 6:] = False
    changed = target.clone()
    changed[:, :, 6:] = 1 - changed[:, :, 6:]
    before, after = (LOSSES[name](logits, truth, valid) for truth in (target, changed))
    assert torch.equal(before, after)


@pytest.mark.parametrize("name", LOSSES)
def test_batch_is_the_mean_of_its_crops(name: str) -> None:
    torch.manual_seed(2)
    logits, valid = torch.randn(2, 1, 8, 8), torch.ones(2, 8, 8, dtype=torch.bool)
    target = (torch.rand(2, 8, 8) > 0.7).to(torch.uint8)
    single = [LOSSES[name](logits[i : i + 1], target[i : i + 1], valid[i : i + 1]) for i in (0, 1)]
    torch.testing.assert_close(LOSSES[name](logits, target, valid), torch.stack(single).mean())


def test_dice_equals_monai() -> None:
    from monai.losses import DiceLoss

    torch.manual_seed(3)
    logits = torch.randn(3, 1, 16, 16)
    target = (torch.rand(3, 16, 16) > 0.5).to(torch.uint8)
    # MONAI smooths numerator and denominator of 2 I / (P + G); ours is the same with 2.
    reference = DiceLoss(sigmoid=True, smooth_nr=2, smooth_dr=2)(logits, target.unsqueeze(1))
    ours = LOSSES["dice"](logits, target, torch.ones(3, 16, 16, dtype=torch.bool))
    torch.testing.assert_close(ours, reference)


def test_multi_class_dice_counts_every_foreground_class() -> None:
    target = torch.tensor([[[0, 1], [2, 2]]], dtype=torch.uint8)
    right = torch.nn.functional.one_hot(target.long(), 3).permute(0, 3, 1, 2) * 40.0
    wrong = right.roll(1, dims=1)
    assert LOSSES["dice"](right, target, ALL).item() == pytest.approx(0, abs=1e-6)
    assert LOSSES["dice"](wrong, target, ALL).item() > 0.4


def test_weighted_sum_adds_its_terms() -> None:
    both = weighted_sum({"bce": 1.0, "dice": 0.5})(LOGITS, TARGET, ALL)
    parts = LOSSES["bce"](LOGITS.float(), TARGET, ALL) + 0.5 * LOSSES["dice"](
        LOGITS.float(), TARGET, ALL
    )
    torch.testing.assert_close(both, parts)


def test_unknown_loss_is_refused() -> None:
    with pytest.raises(UsageError, match=r"dise.*known are bce"):
        weighted_sum({"dise": 1.0})
