"""What a configuration asks of one encoder, resolved to module names before anything changes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields

from torch import nn

from sam_crack.config.schema import AdapterConfig
from sam_crack.errors import UsageError

from .methods import METHODS
from .sites import Sites


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Blocks and layers that exist in the encoder and were asked for."""

    asked: tuple[str, ...]
    """Targets by alias, the method's own ones where the configuration names none."""
    blocks: tuple[int, ...]
    """Indices of the chosen blocks, ascending."""
    layers: tuple[str, ...]
    """Full names of the linear layers, shallow to deep; empty for methods without targets."""


def resolve(encoder: nn.Module, config: AdapterConfig, sites: Sites) -> Plan:
    """Find what the configuration asks for, or say what there is instead."""
    _warn_without_effect(config)
    spec = METHODS[config.method]
    if not spec.settings:
        every = tuple(range(len(sites.blocks))) if config.method == "full" else ()
        return Plan(asked=(), blocks=every, layers=())
    blocks = chosen_blocks(config.blocks, sites)
    asked: tuple[str, ...] = (config.targets or spec.targets) if "targets" in spec.settings else ()
    return Plan(asked=asked, blocks=blocks, layers=linear_layers(encoder, sites, blocks, asked))


def chosen_blocks(blocks: str | Sequence[int], sites: Sites) -> tuple[int, ...]:
    """Turn `all`, `late_half` or a list into indices of blocks that exist."""
    num_blocks = len(sites.blocks)
    if blocks == "all":
        return tuple(range(num_blocks))
    if blocks == "late_half":
        return tuple(range(num_blocks // 2, num_blocks))
    unknown = [index for index in blocks if index not in range(num_blocks)]
    if unknown or not blocks:
        raise UsageError(
            f"adapter.blocks: {', '.join(map(str, unknown)) or 'empty'}",
            f"this encoder has blocks 0 to {num_blocks - 1}",
            "name some of those, or use all or late_half",
        )
    return tuple(sorted({int(index) for index in blocks}))


def linear_layers(
    encoder: nn.Module, sites: Sites, blocks: Sequence[int], aliases: Sequence[str]
) -> tuple[str, ...]:
    """Name every linear layer behind the aliases; one that is missing is an error."""
    unknown = [alias for alias in aliases if alias not in sites.targets]
    if unknown:
        raise UsageError(
            f"adapter.targets: {', '.join(unknown)}",
            f"this encoder has {', '.join(sites.targets)}",
            "choose among those",
        )
    modules = dict(encoder.named_modules())
    found: dict[str, None] = {}
    for index in blocks:
        inner = [layer for alias in aliases for layer in sites.targets[alias]]
        for name in (f"{sites.blocks[index]}.{layer}" for layer in inner):
            if not isinstance(modules.get(name), nn.Linear):
                raise UsageError(
                    f"adapter.targets: no linear layer {name}",
                    f"the block has {', '.join(_linears_of(modules, sites.blocks[index]))}",
                    "describe the encoder's sites by those names",
                )
            found[name] = None
    return tuple(found)


def block_width(encoder: nn.Module, sites: Sites, index: int) -> int:
    """Channels that a block passes on, read off the layer that ends its attention."""
    name = linear_layers(encoder, sites, [index], ["proj"])[-1]
    layer = encoder.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer.out_features


def check_rank(encoder: nn.Module, config: AdapterConfig, layers: Sequence[str]) -> None:
    """Refuse a rank that is no longer low: as large as the smallest side of a layer, or larger."""
    sides = {name: min(_weight(encoder, name).shape) for name in layers}
    name = min(sides, key=sides.__getitem__)
    if config.rank > sides[name]:
        raise UsageError(
            f"adapter.rank: {config.rank}",
            f"the smallest side of {name} is {sides[name]}",
            f"use at most {sides[name]}",
        )


def _weight(encoder: nn.Module, name: str) -> nn.Parameter:
    return encoder.get_parameter(f"{name}.weight")


def _linears_of(modules: dict[str, nn.Module], block: str) -> list[str]:
    inside = (name for name, module in modules.items() if isinstance(module, nn.Linear))
    return [name.removeprefix(f"{block}.") for name in inside if name.startswith(f"{block}.")]


def _warn_without_effect(config: AdapterConfig) -> None:
    listens = METHODS[config.method].settings
    default = AdapterConfig()
    for name in (field.name for field in fields(config) if field.name != "method"):
        if name not in listens and getattr(config, name) != getattr(default, name):
            warnings.warn(
                f"adapter.{name} has no effect with {config.method}; "
                f"it listens to {', '.join(sorted(listens)) or 'no setting'}",
                UserWarning,
                stacklevel=4,
            )
