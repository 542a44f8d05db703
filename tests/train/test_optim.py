"""The learning rate as a function of the step, and who gets which."""

from __future__ import annotations

import pytest
import torch

from sam_crack.config.schema import TrainConfig
from sam_crack.train.optim import make_optimizer, rate_factor, set_rate

CONFIG = TrainConfig(steps=100, warmup=10, lr=1e-3, head_lr=1e-2, weight_decay=0.1)


def test_warms_up_then_falls() -> None:
    factors = [rate_factor(step, CONFIG) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] == pytest.approx(0.01, abs=1e-3)


def test_groups_have_their_own_rate_and_decay() -> None:
    params = {name: [torch.nn.Parameter(torch.zeros(2))] for name in ("adapters", "head", "norms")}
    optimizer = make_optimizer(params, CONFIG)
    assert set_rate(optimizer, 9, CONFIG) == 1e-3
    rates = {
        group["name"]: (group["lr"], group["weight_decay"]) for group in optimizer.param_groups
    }
    assert rates == {"adapters": (1e-3, 0.1), "head": (1e-2, 0.1), "norms": (1e-3, 0.0)}
