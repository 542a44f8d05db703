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


def test_sgd_takes_nesterovs_steps() -> None:
    config = TrainConfig(optimiser="sgd", momentum=0.9, lr=0.1, weight_decay=0.0)
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = make_optimizer({"adapters": [weight]}, config)
    value, velocity = weight.detach().clone(), torch.zeros(2)
    for _ in range(3):
        weight.grad = weight.detach() * 3  # of 1.5 x squared
        optimizer.step()
        velocity = 0.9 * velocity + 3 * value
        value = value - 0.1 * (3 * value + 0.9 * velocity)
        torch.testing.assert_close(weight.detach(), value)


def test_adamw_is_the_default() -> None:
    weight = torch.nn.Parameter(torch.zeros(2))
    assert isinstance(make_optimizer({"adapters": [weight]}, CONFIG), torch.optim.AdamW)
