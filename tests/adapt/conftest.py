"""Real encoders with random weights, and the few moves that every adapter test makes."""

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from sam_crack.adapt.inject import Adapted, inject
from sam_crack.config.schema import AdapterConfig
from sam_crack.model.backbones import BACKBONES, new_encoder


@functools.cache
def template(backbone):
    encoder = new_encoder(BACKBONES[backbone]).requires_grad_(False).eval()
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):  # timm starts some at zero: a dead branch
            module.weight.fill_(0.7)
    return encoder


@dataclass
class Bench:
    """One method on one encoder, with its untouched twin and an input."""

    config: AdapterConfig
    backbone: str
    plain: nn.Module = field(init=False)
    adapted: Adapted = field(init=False)
    pixels: Tensor = field(init=False)
    base: dict[str, Tensor] = field(init=False)

    def __post_init__(self):
        self.plain = self.fresh()
        encoder = self.fresh()
        # every tensor of the encoder before anything is added: the objects, not their names
        self.base = dict(encoder.named_parameters()) | dict(encoder.named_buffers())
        self.adapted = inject(encoder, self.config, encoder.sites, total_steps=10)
        batch = 2 if self.backbone == "tiny" else 1
        self.pixels = torch.rand(batch, 3, 64, 96, generator=torch.Generator().manual_seed(3)) * 255

    def fresh(self):
        return copy.deepcopy(template(self.backbone))

    def again(self):
        encoder = self.fresh()
        return inject(encoder, self.config, encoder.sites, total_steps=10)

    def train(self, steps=2, *, lr=0.01):
        model, learned = self.adapted.encoder.train(), self.adapted.parameters()
        if not learned:
            return self
        torch.manual_seed(0)
        optimizer = torch.optim.AdamW(learned.values(), lr=lr)
        for step in range(steps):
            optimizer.zero_grad()
            self.backward()
            optimizer.step()
            self.adapted.after_step(step + 1)
        model.eval()
        return self

    def backward(self):
        """Fill gradients from a loss that reaches every feature."""
        features = self.adapted.encoder(self.pixels)
        loss = (features.embedding - torch.randn_like(features.embedding)).square().mean()
        loss = loss + sum(level.square().mean() for level in features.levels.values())
        loss.backward()

    def outputs(self, module=None):
        return outputs(self.adapted.encoder if module is None else module, self.pixels)


@torch.no_grad()
def outputs(module, pixels):
    features = module(pixels)
    return [features.embedding, *features.levels.values(), *features.taps]


def equal(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


@pytest.fixture
def bench() -> Callable[..., Bench]:
    def make(method, backbone="tiny", **settings):
        return Bench(AdapterConfig(method=method, **settings), backbone)

    return make


@pytest.fixture
def same() -> Callable[..., bool]:
    """Whether two lists of tensors are equal bit for bit."""
    return equal


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
