"""Own adapter modules, hung onto an encoder by forward hooks: no base module is replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from sam_crack.errors import UsageError

from .adalora import RankSchedule
from .methods import METHODS
from .store import read_into, write_facts, write_tensors

CONTAINER = "adapters"


@dataclass(frozen=True)
class Part:
    """One adapter module and its place; called with what enters and what leaves the host."""

    host: str
    """Name of the module whose output it changes."""
    role: str
    """Name of the part at that host, as in its parameters' names."""
    module: nn.Module
    """`forward(entry, exit)` returns the new exit."""


@dataclass
class Switch:
    """Whether the adapters of an encoder act."""

    on: bool = True


@dataclass
class Attachment:
    """A forward hook; an object rather than a closure, so that a deep copy uses its own parts."""

    module: nn.Module
    switch: Switch

    def __call__(self, _: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        """Change the host's output, or leave it."""
        return self.module(args[0], output) if self.switch.on else None


class Hooked:
    """An encoder with own adapter modules kept in one container under its root."""

    def __init__(
        self,
        encoder: nn.Module,
        parts: Sequence[Part],
        facts: Mapping[str, object],
        *,
        first_block: int,
    ) -> None:
        """Attach the parts; at one host they act in the order given.

        Args:
            encoder: Frozen so far.
            parts: Modules and their hosts.
            facts: What a saved adapter must agree on, method first.
            first_block: Shallowest block that is adapted.
        """
        self.encoder = encoder
        self.matched = tuple(dict.fromkeys(part.host for part in parts))
        self.first_block: int | None = first_block
        self.schedule: RankSchedule | None = None
        self.facts = dict(facts)
        self.switch = Switch()
        self.names: dict[str, str] = {}
        container = nn.ModuleDict()
        for part in parts:
            key = f"{part.host}.{part.role}".replace(".", "_")
            container[key] = part.module
            for name, _ in part.module.named_parameters():
                raw = f"{CONTAINER}.{key}.{name}"
                self.names[f"{part.host}.{part.role}.{name}"] = raw
            host = encoder.get_submodule(part.host)
            host.register_forward_hook(Attachment(part.module, self.switch))
        encoder.add_module(CONTAINER, container)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return adapter parameters by host, role and own name."""
        return {name: self.encoder.get_parameter(raw) for name, raw in self.names.items()}

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Let the hooks pass outputs through."""
        before, self.switch.on = self.switch.on, False
        try:
            yield
        finally:
            self.switch.on = before

    def merged_state(self) -> dict[str, Tensor]:
        """Refuse: what these methods compute is no linear layer."""
        able = ", ".join(name for name, spec in METHODS.items() if spec.mergeable)
        raise UsageError(
            f"{self.facts['method']} cannot be folded into the base weights",
            f"{able} can",
            "keep base weights and adapter apart, or train one of those",
        )

    def save(self, folder: Path) -> None:
        """Write the adapter's tensors and what they belong to."""
        write_tensors(folder / "adapter.safetensors", self.parameters())
        write_facts(folder / "adapter.json", self.facts)

    def load(self, folder: Path) -> None:
        """Read tensors that `save` wrote."""
        read_into(folder, self.facts, self.parameters())
