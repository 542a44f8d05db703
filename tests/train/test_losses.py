"""Losses against values computed by hand, finite differences and MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sam_crack.errors import UsageError
from sam_crack.train.losses import LOSSES, weighted_sum
from sam_crack.train.shape_losses import _distances

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


def test_focal_and_tversky_equal_monai() -> None:
    from monai.losses import FocalLoss, TverskyLoss

    torch.manual_seed(8)
    logits, target = torch.randn(3, 1, 16, 16), (torch.rand(3, 16, 16) > 0.8).to(torch.uint8)
    everywhere = torch.ones(3, 16, 16, dtype=torch.bool)
    references = {
        "focal": FocalLoss(gamma=2.0),
        "tversky": TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, smooth_nr=1, smooth_dr=1),
    }
    for name, reference in references.items():
        expected = reference(logits, target.unsqueeze(1).float())
        torch.testing.assert_close(LOSSES[name](logits, target, everywhere), expected)


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


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_weights_that_teach_nothing_are_refused(weight: float) -> None:
    with pytest.raises(UsageError, match=r"dice=-?[01]; weights above 0"):
        weighted_sum({"bce": 1.0, "dice": weight})


def test_lovasz_by_hand() -> None:
    # Errors 1 - y f, worst first: 2.5 (truth), 1.2 (not), 0.4 (truth), then below zero.
    logits = torch.tensor([[[[0.6, 0.2], [-3.0, -1.5]]]], dtype=torch.float64)
    target = torch.tensor([[[1, 0], [0, 1]]], dtype=torch.uint8)
    # Jaccard loss of taking these as errors: 1 of 2 -> 1/2; 1 wrong more of 3 -> 2/3; all -> 1.
    value = 2.5 * (1 / 2) + 1.2 * (2 / 3 - 1 / 2) + 0.4 * (1 - 2 / 3)
    assert LOSSES["lovasz"](logits, target, ALL).item() == pytest.approx(value)


def test_lovasz_of_hard_classes_is_one_minus_their_mean_iou() -> None:
    torch.manual_seed(4)
    target, said = torch.randint(0, 3, (2, 1, 16, 16))
    logits = torch.nn.functional.one_hot(said, 3).permute(0, 3, 1, 2) * 1e4
    ious = [
        ((said == k) & (target == k)).sum() / ((said == k) | (target == k)).sum() for k in (0, 1, 2)
    ]
    loss = LOSSES["lovasz"](logits, target.to(torch.uint8), torch.ones(1, 16, 16, dtype=torch.bool))
    assert loss.item() == pytest.approx(1 - torch.stack(ious).mean().item(), rel=1e-5)


def bar_of_five() -> Tensor:
    target = torch.zeros(1, 15, 15, dtype=torch.uint8)
    target[:, 3:12, 5:10] = 1
    return target


EVERYWHERE = torch.ones(1, 15, 15, dtype=torch.bool)


def test_skeleton_recall_is_the_share_of_the_tube() -> None:
    from skimage.morphology import dilation, skeletonize

    target = bar_of_five()
    mask = target[0].numpy() > 0
    tube = dilation(dilation(skeletonize(mask))) & mask
    logits = torch.full((1, 1, 15, 15), -50.0)
    logits[:, :, :7] = 50.0
    expected = 1 - (tube[:7].sum() + 1) / (tube.sum() + 1)
    assert LOSSES["skeleton_recall"](logits, target, EVERYWHERE).item() == pytest.approx(expected)
    assert 0.2 < expected < 0.8
    # What is found beside the truth costs nothing here.
    logits[:, :, 13:] = 50.0
    assert LOSSES["skeleton_recall"](logits, target, EVERYWHERE).item() == pytest.approx(expected)


def test_scnp_sees_only_the_worst_neighbour_of_its_class() -> None:
    target = torch.tensor([[[1, 1, 1, 0, 0, 0]]], dtype=torch.uint8)
    logits = torch.tensor([[[[4.0, 3.0, 1.0, -1.0, -3.0, 2.0]]]])
    worst = torch.tensor([[[[3.0, 1.0, 1.0, -1.0, 2.0, 2.0]]]])
    valid = torch.ones(1, 1, 6, dtype=torch.bool)
    expected = LOSSES["bce"](worst, target, valid) + LOSSES["dice"](worst, target, valid)
    torch.testing.assert_close(LOSSES["scnp"](logits, target, valid), expected)


def test_boundary_weighs_by_distance() -> None:
    from scipy.ndimage import distance_transform_edt

    target = bar_of_five()
    mask = target[0].numpy() > 0
    signed = distance_transform_edt(~mask) - (distance_transform_edt(mask) - 1) * mask
    torch.manual_seed(5)
    logits = torch.randn(1, 1, 15, 15)
    expected = (logits.sigmoid()[0, 0].numpy() * signed / 15).mean()
    found = LOSSES["boundary"](logits, target, EVERYWHERE).item()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("fill", [0, 1])
def test_crops_of_one_class_only_are_finite(name: str, fill: int) -> None:
    logits = torch.randn(1, 1, 8, 8, requires_grad=True)
    target = torch.full((1, 8, 8), fill, dtype=torch.uint8)
    loss = LOSSES[name](logits, target, torch.ones(1, 8, 8, dtype=torch.bool))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_right_answer_is_the_best_one(name: str) -> None:
    target = bar_of_five()
    right = (target.float() * 2 - 1).unsqueeze(1) * 20
    wide = torch.nn.functional.max_pool2d(right, 3, 1, 1)
    none = torch.full_like(right, -20.0)
    perfect, fat, nothing = (LOSSES[name](x, target, EVERYWHERE) for x in (right, wide, none))
    assert perfect < nothing
    assert perfect <= fat + 1e-6


@pytest.mark.parametrize("name", LOSSES)
def test_several_classes_teach_each_its_own(name: str) -> None:
    torch.manual_seed(6)
    target = torch.zeros(2, 12, 12, dtype=torch.uint8)
    target[:, 2:5, 1:11], target[:, 7:10, 1:11] = 1, 2
    valid = torch.ones(2, 12, 12, dtype=torch.bool)
    right = torch.nn.functional.one_hot(target.long(), 3).permute(0, 3, 1, 2) * 12.0
    swapped = right[:, [0, 2, 1]]
    assert LOSSES[name](right, target, valid) < LOSSES[name](swapped, target, valid)


def test_distances_are_exact_wherever_the_mask_lies_in_memory() -> None:
    from scipy.ndimage import distance_transform_edt

    rng = np.random.default_rng(0)
    mask = (rng.random((301, 303)) > 0.0005).astype(np.uint8)
    expected = distance_transform_edt(mask).astype(np.float32)
    for start in range(0, 64, 5):
        room = np.zeros(mask.size + 64, np.uint8)
        elsewhere = room[start : start + mask.size].reshape(mask.shape)
        elsewhere[:] = mask
        assert np.array_equal(_distances(elsewhere), expected)
