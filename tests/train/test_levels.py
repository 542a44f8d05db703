"""One answer, or several of growing detail."""

import pytest
import torch
import torch.nn.functional as F

from sam_crack.train.levels import loss_at_size
from sam_crack.train.losses import weighted_sum


@pytest.fixture
def crops():
    torch.manual_seed(0)
    target = (torch.rand(2, 16, 16) > 0.7).long()
    return target, torch.rand(2, 16, 16) > 0.1


def test_one_answer_is_compared_at_the_size_of_the_target(crops):
    target, valid = crops
    logits = torch.randn(2, 1, 8, 8)
    large = F.interpolate(logits, (16, 16), mode="bilinear", align_corners=False)
    wanted = F.binary_cross_entropy_with_logits(large[:, 0], target.float(), reduction="none")
    found = loss_at_size(logits, target, valid, loss_of=weighted_sum({"bce": 1.0}))
    means = [(each * seen).sum() / seen.sum() for each, seen in zip(wanted, valid, strict=True)]
    torch.testing.assert_close(found, torch.stack(means).mean())


def test_each_level_weighs_half_of_the_one_before(crops):
    levels = tuple(torch.full((2, 1, side, side), float(side)) for side in (16, 8, 4))
    found = loss_at_size(levels, *crops, loss_of=lambda logits, *_: logits.mean())
    assert float(found) == pytest.approx((16 * 4 + 8 * 2 + 4) / 7)
