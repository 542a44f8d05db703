"""Methods that train weights of the encoder itself: norms, biases, all of them, or none."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from sam_crack.errors import UsageError

from .adalora import RankSchedule
from .sites import Sites
from .store import read_into, write_facts, write_tensors


class Selected:
    """An encoder of which some weights learn; a copy of their base values is kept aside."""

    def __init__(
        self,
        encoder: nn.Module,
        names: Sequence[str],
        facts: Mapping[str, object],
        *,
        first_block: int | None,
    ) -> None:
        """Let the named parameters learn.

        Args:
            encoder: Frozen so far.
            names: Parameters by their names in the encoder.
            facts: What a saved adapter must agree on, method first.
            first_block: Shallowest block that needs gradients; None for the whole encoder.
        """
        self.encoder = encoder
        self.matched = tuple(names)
        self.facts = dict(facts)
        self.first_block = first_block
        self.schedule: RankSchedule | None = None
        chosen = self.parameters()
        halves = sorted({str(p.dtype) for p in chosen.values() if p.dtype != torch.float32})
        if halves:
            warnings.warn(
                f"{facts['method']} trains weights held in {', '.join(halves)}, in which small "
                "updates vanish; use backbone.precision fp32",
                UserWarning,
                stacklevel=4,
            )
        self.base = {name: _aside(weight) for name, weight in chosen.items()}
        for weight in chosen.values():
            weight.requires_grad_(True)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return the weights that learn, named as in the plain encoder."""
        return {name: self.encoder.get_parameter(name) for name in self.matched}

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Put the base values in place, and the learned ones back afterwards."""
        learned = {name: weight.data for name, weight in self.parameters().items()}
        try:
            self._assign(self.base)
            yield
        finally:
            self._assign(learned)

    def merged_state(self) -> dict[str, Tensor]:
        """Return the encoder's state as it is: nothing has to be folded."""
        return {name: tensor.detach() for name, tensor in self.encoder.state_dict().items()}

    def save(self, folder: Path) -> None:
        """Write the learned weights and what they belong to."""
        write_tensors(folder / "adapter.safetensors", self.parameters())
        write_facts(folder / "adapter.json", self.facts)

    def load(self, folder: Path) -> None:
        """Read weights that `save` wrote."""
        read_into(folder, self.facts, self.parameters())
        self._forget_caches()

    def _assign(self, values: Mapping[str, Tensor]) -> None:
        # `.data`, because an in-place copy would invalidate a graph that still needs the weights
        for name, weight in self.parameters().items():
            weight.data = values[name].to(weight)
        self._forget_caches()

    def _forget_caches(self) -> None:
        # timm's attention gathers its biases once per evaluation and drops them in `train`
        for owner in {name.rpartition(".")[0] for name in self.matched}:
            module = self.encoder.get_submodule(owner)
            module.train(module.training)


def _aside(weight: Tensor) -> Tensor:
    kept = weight.detach().clone()
    return kept if kept.is_meta else kept.cpu()


def chosen_weights(
    encoder: nn.Module, method: str, sites: Sites, blocks: Sequence[int]
) -> tuple[list[str], int | None]:
    """Name the weights a method trains, and the shallowest block that needs gradients for them.

    Weights outside all blocks are placed by the order in which the encoder registers them: a neck
    comes after the last block, a patch embedding before the first. Of those, a choice of blocks
    keeps what lies behind its shallowest block.
    """
    if method == "full":
        return [name for name, _ in encoder.named_parameters()], None
    num_blocks = len(sites.blocks)
    if method == "head_only":
        return [], num_blocks
    wanted = set(norm_weights(encoder) if method == "norm" else bias_weights(encoder))
    everywhere = len(blocks) == num_blocks
    names: list[str] = []
    depths: list[int] = []
    reached = -1  # deepest block met so far in registration order
    for name, _ in encoder.named_parameters():
        inside = [i for i, block in enumerate(sites.blocks) if name.startswith(f"{block}.")]
        reached = max([reached, *inside])
        if name not in wanted:
            continue
        after_last = reached == num_blocks - 1
        depth = inside[0] if inside else num_blocks if after_last else reached
        if depth in blocks or (not inside and (everywhere or depth >= min(blocks))):
            names.append(name)
            depths.append(depth)
    if not names:
        raise UsageError(
            f"adapter.method: {method}",
            f"this encoder has no {method} weights in the chosen blocks",
            "use lora, which needs linear layers only",
        )
    first = min(depths)
    return names, None if first < 0 else first


def norm_weights(encoder: nn.Module) -> list[str]:
    """Name the scales and shifts of every LayerNorm, channel-first ones included."""
    return [
        f"{owner}.{name}"
        for owner, module in encoder.named_modules()
        if isinstance(module, nn.LayerNorm) or type(module).__name__.startswith("LayerNorm")
        for name, _ in module.named_parameters(recurse=False)
    ]


def bias_weights(encoder: nn.Module) -> list[str]:
    """Name every parameter called bias."""
    return [name for name, _ in encoder.named_parameters() if name.rpartition(".")[2] == "bias"]
