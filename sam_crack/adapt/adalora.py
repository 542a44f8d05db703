"""AdaLoRA's part in the training loop: ranks move to the layers in which they matter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_AVERAGES = ("exp_avg_ipt", "exp_avg_unc")


def schedule_settings(rank: int, total_steps: int) -> dict[str, int]:
    """Start at one and a half times the rank; give it away between 10 and 70 % of the training."""
    total_steps = max(2, total_steps)
    return {
        "target_r": rank,
        "init_r": math.ceil(1.5 * rank),
        "total_step": total_steps,
        "tinit": total_steps // 10,
        "tfinal": 3 * total_steps // 10,
        "deltaT": max(1, total_steps // 100),
    }


class RankSchedule:
    """peft's rank allocator, made to survive a resume."""

    def __init__(self, peft_model: Any) -> None:  # noqa: ANN401 - peft is untyped
        """Hold the model whose ranks are shared out."""
        self._model = peft_model.base_model
        self._config = peft_model.peft_config["default"]
        peft_model.register_forward_pre_hook(self._notice_masks)

    def after_step(self, step: int) -> None:
        """Weigh and mask ranks after optimiser step number `step`, counted from 1."""
        factors = self._factors()
        if any(factor.grad is None for factor in factors.values()):
            raise RuntimeError("call after_step between the optimiser's step and zero_grad")
        allocator, last = self._model.rankallocator, self._config.total_step - self._config.tfinal
        if step == last and not allocator.exp_avg_ipt:
            allocator.update_ipt(self._model.model)
        self._model.update_and_allocate(step)

    def penalty(self) -> Tensor:
        """Pull the factors towards orthogonality (Zhang 2023, equation 4)."""
        distances = []
        for name, factor in self._factors().items():
            if ".lora_E." not in name:
                gram = factor @ factor.T if ".lora_A." in name else factor.T @ factor
                distances.append(torch.linalg.norm(gram - torch.eye(len(gram)).to(gram)))
        weight: float = self._config.orth_reg_weight
        return weight * torch.stack(distances).mean()

    def state(self) -> dict[str, Tensor]:
        """Return the running averages by which ranks are weighed."""
        allocator = self._model.rankallocator
        return {
            f"{kind}/{name}": value
            for kind in _AVERAGES
            for name, value in getattr(allocator, kind).items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up running averages that `state` returned."""
        self._model.rankallocator.reset_ipt()
        factors = self._factors()
        for key, value in state.items():
            kind, name = key.split("/", 1)
            averages = getattr(self._model.rankallocator, kind)
            averages[name] = value.to(factors[name].device, copy=True)
            self._model.rankallocator.ipt.setdefault(name, torch.zeros_like(averages[name]))

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Let peft see all ranks: masked ones may come back, so a file has to hold them."""
        pattern, self._config.rank_pattern = self._config.rank_pattern, None
        try:
            yield
        finally:
            self._config.rank_pattern = pattern

    def forget_pattern(self) -> None:
        """Read off anew, when it is needed, which ranks were given away."""
        self._config.rank_pattern = None

    def _notice_masks(self, module: nn.Module, _: object) -> None:
        """After a resume, read off the ranks given away, before a step moves them off zero."""
        if not module.training or self._config.rank_pattern is not None:
            return
        kept = {name: factor != 0 for name, factor in self._factors().items() if ".lora_E." in name}
        every = torch.cat([mask.flatten() for mask in kept.values()])
        if every.any() and not every.all():  # all are zero before the first step
            self._config.rank_pattern = {
                name: mask.flatten().tolist() for name, mask in kept.items()
            }

    def _factors(self) -> dict[str, nn.Parameter]:
        named = self._model.model.named_parameters()
        return {name: factor for name, factor in named if ".lora_" in name}
