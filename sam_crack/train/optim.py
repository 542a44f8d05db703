"""The optimiser and its learning rate, a plain function of the step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import assert_never

import torch
from torch import nn

from sam_crack.config.schema import TrainConfig

POLY_POWER = 0.9
"""The usual one since DeepLab (Chen 2016, section 4.1)."""


def make_optimizer(
    groups: Mapping[str, Sequence[nn.Parameter]], config: TrainConfig
) -> torch.optim.Optimizer:
    """Optimise adapters, head and norms: the head has its own rate, norms have no decay."""
    rates = {"adapters": config.lr, "head": config.head_lr, "norms": config.lr}
    decays = {"adapters": config.weight_decay, "head": config.weight_decay, "norms": 0.0}
    parts = [
        {
            "name": name,
            "params": list(params),
            "peak_lr": rates[name],
            "weight_decay": decays[name],
        }
        for name, params in groups.items()
        if params
    ]
    match config.optimiser:
        case "adamw":
            return torch.optim.AdamW(parts, lr=config.lr)
        case "sgd":
            return torch.optim.SGD(parts, lr=config.lr, momentum=config.momentum, nesterov=True)
        case never:
            assert_never(never)


def rate_factor(step: int, config: TrainConfig) -> float:
    """Share of the peak rate at a step: linear warm-up, then down along the schedule."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    rest = max(1, config.steps - config.warmup)
    done = min(1.0, (step - config.warmup) / rest)
    match config.schedule:
        case "cosine":
            return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))
        case "poly":
            return float((1 - done) ** POLY_POWER)
        case never:
            assert_never(never)


def set_rate(optimizer: torch.optim.Optimizer, step: int, config: TrainConfig) -> float:
    """Set the rate of every group for this step; returns the adapters' one."""
    factor = rate_factor(step, config)
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    return config.lr * factor
