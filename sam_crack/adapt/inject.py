"""Put an adapter into a frozen encoder, and say exactly what was put where."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from torch import Tensor, nn

from sam_crack.config.schema import AdapterConfig
from sam_crack.errors import UsageError

from .bottleneck import bottleneck_parts
from .conv_lora import conv_lora_parts
from .engine import Engine
from .freeze import freeze
from .hooked import CONTAINER, Hooked
from .lowrank import LowRank
from .methods import METHODS
from .plan import Plan, resolve
from .sites import Sites
from .two_level import two_level_parts
from .weights import Selected, chosen_weights

_HOW_BUILT = ("rank", "alpha", "width")


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """What was asked, what matched, and what it costs; printed once per run."""

    method: str
    """Name in `METHODS`."""
    asked: tuple[str, ...]
    """Targets by alias."""
    matched: tuple[str, ...]
    """Modules or parameters of the plain encoder that were adapted."""
    blocks: tuple[int, ...]
    """Blocks that were chosen."""
    trainable: int
    """Numbers that learn."""
    total: int
    """Numbers in the adapted encoder."""
    adapter_bytes: int
    """Size of the adapter's tensors on disk."""
    first_block: int | None
    """Shallowest block that needs gradients; None: all of the encoder; number of blocks: none."""
    num_blocks: int
    """Blocks of the encoder."""

    def lines(self) -> list[str]:
        """Say it to a person."""
        what = f" on {', '.join(self.asked)}" if self.asked else ""
        where = f" of {len(self.blocks)} of {self.num_blocks} blocks" if self.blocks else ""
        depth = {None: "everywhere", self.num_blocks: "nowhere in the encoder"}
        return [
            f"adapter {self.method}{what}{where}: {len(self.matched)} matched",
            f"trainable in the encoder {self.trainable:,} of {self.total:,} "
            f"({100 * self.trainable / max(1, self.total):.2f} %), "
            f"{self.adapter_bytes / 1e6:.2f} MB on disk",
            f"gradients {depth.get(self.first_block, f'from block {self.first_block} on')}",
        ]


class Adapted:
    """An encoder with an adapter in it: the same surface for every method."""

    def __init__(self, engine: Engine, adaptation: Adaptation) -> None:
        """Hold what `inject` built."""
        self._engine = engine
        self.adaptation = adaptation

    @property
    def encoder(self) -> nn.Module:
        """The module to call."""
        return self._engine.encoder

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return adapter parameters by a name that does not change between runs."""
        return self._engine.parameters()

    def disabled(self) -> AbstractContextManager[None]:
        """Give base behaviour inside, bit for bit."""
        return self._engine.disabled()

    def merged_state(self) -> dict[str, Tensor]:
        """Return the state of the plain encoder with the adapter folded in."""
        return self._engine.merged_state()

    def save(self, folder: Path) -> None:
        """Write the adapter: tensors as safetensors, what they belong to as JSON."""
        self._engine.save(folder)

    def load(self, folder: Path) -> None:
        """Read an adapter that was saved from an encoder adapted alike; anything else raises."""
        self._engine.load(folder)

    def after_step(self, step: int) -> None:
        """Tell the method that a step was made, counted from 1; gradients must still be there."""
        if self._engine.schedule:
            self._engine.schedule.after_step(step)

    def penalty(self) -> Tensor | None:
        """Return the term that the method adds to the loss, if it has one."""
        return self._engine.schedule.penalty() if self._engine.schedule else None

    def schedule_state(self) -> dict[str, Tensor]:
        """Return what an exact resume needs besides parameters; empty for most methods."""
        return self._engine.schedule.state() if self._engine.schedule else {}

    def load_schedule_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `schedule_state` returned."""
        if self._engine.schedule:
            self._engine.schedule.restore(state)


def inject(
    encoder: nn.Module, config: AdapterConfig, sites: Sites, *, total_steps: int = 1000
) -> Adapted:
    """Freeze an encoder and adapt it in place.

    Args:
        encoder: Plain; its module names are those that `sites` speaks of.
        config: Method, blocks, targets and sizes.
        sites: Where the encoder can be adapted.
        total_steps: Optimiser steps of the training, for methods with a schedule.
    """
    _refuse_adapted(encoder)
    plan = resolve(encoder, config, sites)
    freeze(encoder)
    engine = _build(encoder, config, sites, plan=plan, total_steps=total_steps)
    if hasattr(encoder, "grad_from"):
        setattr(encoder, "grad_from", engine.first_block)  # noqa: B010 - not a tensor or a module
    learned = engine.parameters().values()
    return Adapted(
        engine,
        Adaptation(
            method=config.method,
            asked=plan.asked,
            matched=engine.matched,
            blocks=plan.blocks,
            trainable=sum(weight.numel() for weight in learned),
            total=sum(weight.numel() for weight in engine.encoder.parameters()),
            adapter_bytes=sum(weight.numel() * weight.element_size() for weight in learned),
            first_block=engine.first_block,
            num_blocks=len(sites.blocks),
        ),
    )


def _build(
    encoder: nn.Module, config: AdapterConfig, sites: Sites, *, plan: Plan, total_steps: int
) -> Engine:
    shaping = sorted(METHODS[config.method].settings.intersection(_HOW_BUILT))
    facts: dict[str, object] = {
        "method": config.method,
        "blocks": list(plan.blocks),
        "targets": list(plan.asked),
    } | {name: getattr(config, name) for name in shaping}
    match config.method:
        case "lora" | "dora" | "adalora" | "loha" | "lokr":
            return LowRank(encoder, config, plan, total_steps)
        case "conv_lora":
            parts = conv_lora_parts(encoder, config, sites, plan)
        case "bottleneck":
            parts = bottleneck_parts(encoder, config, sites, plan.blocks)
        case "two_level":
            parts = two_level_parts(encoder, config, sites, plan.blocks)
        case "norm" | "bias" | "head_only" | "full":
            names, first = chosen_weights(encoder, config.method, sites, plan.blocks)
            return Selected(encoder, names, facts, first_block=first)
        case never:
            assert_never(never)
    return Hooked(encoder, parts, facts, first_block=min(plan.blocks))


def _refuse_adapted(encoder: nn.Module) -> None:
    wrapped = any(".base_layer." in name for name, _ in encoder.named_parameters())
    if wrapped or CONTAINER in dict(encoder.named_children()):
        raise UsageError(
            "the encoder carries an adapter already",
            "a plain encoder",
            "build a new one, or load merged weights into one",
        )
