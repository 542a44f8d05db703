"""LoRA and its relatives, through peft and in peft's own format."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sam_crack.config.schema import AdapterConfig
from sam_crack.errors import UsageError

from .adalora import RankSchedule, schedule_settings
from .plan import Plan, check_rank
from .store import compare_facts, read_facts, read_tensors, write_facts, write_tensors

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PREFIX = "base_model.model."
_SHAPING = ("peft_type", "use_dora", "r", "init_r", "lora_alpha", "alpha", "target_modules")


class LowRank:
    """A peft model around an encoder."""

    def __init__(
        self, encoder: nn.Module, config: AdapterConfig, plan: Plan, total_steps: int
    ) -> None:
        """Wrap the layers of the plan; a layer that peft passes over in silence raises.

        Args:
            encoder: Frozen so far; its layers are replaced in place.
            config: Method, rank, scale and dropout.
            plan: Layers by full name.
            total_steps: Optimiser steps of the whole training, for the rank schedule of adalora.
        """
        from peft import get_peft_model
        from peft.tuners.tuners_utils import BaseTunerLayer

        check_rank(encoder, config, plan.layers)
        names = {name for name, _ in encoder.named_parameters()}
        self.encoder: nn.Module = get_peft_model(encoder, peft_config(config, plan, total_steps))
        self._peft: Any = self.encoder
        self.schedule = RankSchedule(self._peft) if config.method == "adalora" else None
        self.matched = tuple(
            name.removeprefix(PREFIX)
            for name, module in self.encoder.named_modules()
            if isinstance(module, BaseTunerLayer)
        )
        if set(self.matched) != set(plan.layers):
            missing = sorted(set(plan.layers) - set(self.matched))
            extra = sorted(set(self.matched) - set(plan.layers))
            raise UsageError(
                f"{config.method}: peft left out {missing} and added {extra}",
                "the layers asked for, and no others",
                "rename modules whose names end in one another",
            )
        self.first_block: int | None = min(plan.blocks)
        for name, weight in self.encoder.named_parameters():
            if (
                ".ranknum." in name
            ):  # adalora's count of ranks; on the meta device peft lets it learn
                weight.requires_grad_(False)
        if config.method == "dora":
            self._set_magnitudes()
        raw = [name for name, weight in self.encoder.named_parameters() if weight.requires_grad]
        self.names = {_stable(name): name for name in raw}
        assert not names & {name.removeprefix(PREFIX) for name in raw}

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return peft's parameters without its wrapping in the names."""
        return {stable: self.encoder.get_parameter(raw) for stable, raw in self.names.items()}

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Switch the adapter off."""
        with self._peft.disable_adapter():
            yield

    def merged_state(self) -> dict[str, Tensor]:
        """Fold a copy: unfolding in place would not give the base back bit for bit."""
        folded = copy.deepcopy(self._peft)
        for layer in map(folded.base_model.model.get_submodule, self.matched):
            layer.get_base_layer().float()  # updates are small: bf16 would round them away
        merged: nn.Module = folded.merge_and_unload()
        return {name: tensor.detach() for name, tensor in merged.state_dict().items()}

    def save(self, folder: Path) -> None:
        """Write peft's two files; `peft.PeftModel.from_pretrained` reads them."""
        write_tensors(folder / WEIGHTS, self._state())
        write_facts(folder / CONFIG, self._facts())

    def load(self, folder: Path) -> None:
        """Read peft's two files into this adapter, which must be shaped alike."""
        from peft import set_peft_model_state_dict

        own, found = self._facts(), read_facts(folder / CONFIG)
        layers = found.get("target_modules")
        found["target_modules"] = sorted(layers) if isinstance(layers, list) else layers
        compare_facts(folder / CONFIG, found, {key: own[key] for key in _SHAPING if key in own})
        tensors = read_tensors(folder / WEIGHTS, self._state())
        if self.schedule:
            self.schedule.forget_pattern()
        set_peft_model_state_dict(self._peft, tensors)

    def _set_magnitudes(self) -> None:
        """Start dora at the base also where that is bf16: peft takes its first norms in bf16."""
        for layer in map(self._peft.base_model.model.get_submodule, self.matched):
            weight = layer.get_base_layer().weight.detach().float()
            layer.lora_magnitude_vector["default"].weight.data = torch.linalg.norm(weight, dim=1)

    @property
    def _own(self) -> Any:  # noqa: ANN401 - peft is untyped
        return self._peft.peft_config["default"]

    def _state(self) -> dict[str, Tensor]:
        from peft import get_peft_model_state_dict

        with self.schedule.whole() if self.schedule else nullcontext():
            state: dict[str, Tensor] = get_peft_model_state_dict(
                self._peft, save_embedding_layers=False
            )
        return state

    def _facts(self) -> dict[str, object]:
        with self.schedule.whole() if self.schedule else nullcontext():
            facts = self._own.to_dict()
        listed = {key: sorted(v) if isinstance(v, set) else v for key, v in facts.items()}
        peft_type = listed["peft_type"]
        return listed | {
            "peft_type": getattr(peft_type, "value", peft_type),
            "inference_mode": True,
        }


def peft_config(config: AdapterConfig, plan: Plan, total_steps: int) -> Any:  # noqa: ANN401 - peft is untyped
    """Translate to the configuration class of the method."""
    from peft import AdaLoraConfig, LoHaConfig, LoKrConfig, LoraConfig

    where: dict[str, Any] = {"task_type": None, "target_modules": list(plan.layers)}
    lora = where | {"lora_alpha": config.alpha, "lora_dropout": config.dropout, "bias": "none"}
    match config.method:
        case "lora" | "dora":
            return LoraConfig(r=config.rank, use_dora=config.method == "dora", **lora)
        case "adalora":
            return AdaLoraConfig(**schedule_settings(config.rank, total_steps), **lora)
        case "loha":
            return LoHaConfig(r=config.rank, alpha=config.alpha, **where)
        case "lokr":
            return LoKrConfig(r=config.rank, alpha=config.alpha, **where)
    raise AssertionError(config.method)


def _stable(name: str) -> str:
    parts: Sequence[str] = name.removeprefix(PREFIX).split(".")
    return ".".join(part for part in parts if part not in {"default", "base_layer"})
