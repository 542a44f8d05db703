"""The multi-scale decoder: coarse features come down a pyramid and meet finer ones on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam_crack.model.features import Features

PRIOR = 0.02
"""Foreground probability of an untrained head: thin structures cover about this much."""

STRIDES = (16, 8, 4, 2)
STEM_STRIDES = (2, 4, 8)
DEPTH = {16: 2, 8: 2, 4: 2, 2: 1}
"""Convolutions per level; one at stride 2, where a convolution costs most."""


def prior_bias(num_classes: int, *, boundary: bool) -> Tensor:
    """Return the logit biases with which foreground as a whole starts at `PRIOR`.

    Args:
        num_classes: foreground classes; one gives a single logit, more a softmax with background.
        boundary: whether a further, independent logit follows.
    """
    logit = math.log(PRIOR / (1 - PRIOR))
    classes = [logit] if num_classes == 1 else [0.0] + [logit - math.log(num_classes)] * num_classes
    return torch.tensor(classes + [logit] * boundary)


def conv_block(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return convolution, group norm and ReLU; group norm because batches are small."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.GroupNorm(math.gcd(8, outputs), outputs),
        nn.ReLU(inplace=True),
    )


def upsampled(coarse: Tensor, fine: Tensor) -> Tensor:
    """Return `coarse` brought to the height and width of `fine`."""
    return F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)


class DetailStem(nn.Module):
    """Strides 2, 4 and 8 straight from the pixels, for encoders whose first stride is 16."""

    def __init__(self, widths: Mapping[int, int]) -> None:
        super().__init__()
        channels = [3] + [widths[stride] for stride in STEM_STRIDES]
        self.steps = nn.ModuleList(conv_block(*pair, stride=2) for pair in pairwise(channels))

    def forward(self, pixels: Tensor) -> dict[int, Tensor]:
        """Return features by stride; `pixels` are 0 to 255."""
        fine = (pixels.to(self.steps[0][0].weight.dtype) - 127.5) / 64.0  # type: ignore[index]
        levels = {}
        for stride, step in zip(STEM_STRIDES, self.steps, strict=True):
            fine = levels[stride] = step(fine)
        return levels


class TapFusion(nn.Module):
    """The embedding and whatever else the encoder gives at stride 16, as one weighted sum."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(count, width, 1, bias=False), nn.GroupNorm(math.gcd(8, width), width)
            )
            for count in channels
        )
        self.weights = nn.Parameter(torch.zeros(len(channels)))

    def forward(self, sources: list[Tensor]) -> Tensor:
        """Return the sources fused, each scaled by its softmax weight."""
        shares = self.weights.softmax(0) * len(sources)
        terms = [
            share * lateral(source)
            for share, lateral, source in zip(shares, self.lateral, sources, strict=True)
        ]
        return torch.stack(terms).sum(0) if len(terms) > 1 else terms[0]


class PyramidHead(nn.Module):
    """From strides 16, 8, 4 and 2 to logits at stride 2 or 4.

    The width halves where the resolution doubles twice, so that no level dominates the cost.
    """

    def __init__(
        self,
        level_channels: Mapping[int, int],
        tap_channels: tuple[int, ...] = (),
        *,
        bias: Tensor,
        width: int = 64,
        stride: int = 2,
        embedding_channels: int = 256,
    ) -> None:
        super().__init__()
        self.strides = tuple(level for level in STRIDES if level >= stride)
        widths = {16: 2 * width, 8: 2 * width, 4: width, 2: max(4, width // 2)}
        fine = tuple(level for level in self.strides if level != 16)
        self.stem = None if all(level in level_channels for level in fine) else DetailStem(widths)
        laterals = level_channels if self.stem is None else widths
        # A plain ViT's stride 16 is its last tap again.
        self.extra = tuple(level for level in level_channels if level == 16 and not tap_channels)
        self.fuse = TapFusion(
            (embedding_channels, *(level_channels[level] for level in self.extra), *tap_channels),
            widths[16],
        )
        self.coarse = nn.Sequential(*(conv_block(widths[16], widths[16]) for _ in range(DEPTH[16])))
        self.lateral = nn.ModuleDict(
            {str(level): nn.Conv2d(laterals[level], widths[level], 1) for level in fine}
        )
        self.down = nn.ModuleDict(
            {
                str(level): nn.Conv2d(widths[2 * level], widths[level], 1, bias=False)
                for level in fine
            }
        )
        self.merge = nn.ModuleDict(
            {
                str(level): nn.Sequential(
                    *(conv_block(widths[level], widths[level]) for _ in range(DEPTH[level]))
                )
                for level in fine
            }
        )
        self.logits = nn.Conv2d(widths[self.strides[-1]], len(bias), 1)
        # Logits that spread from the start learn much faster than nearly flat ones; weights that
        # sum to zero keep their mean, and with it the prior, where the bias puts it.
        nn.init.normal_(self.logits.weight, std=widths[self.strides[-1]] ** -0.5)
        with torch.no_grad():
            self.logits.weight -= self.logits.weight.mean(dim=1, keepdim=True)
            self.logits.bias.copy_(bias)  # type: ignore[union-attr]

    def forward(self, features: Features, pixels: Tensor) -> Tensor:
        """Return logits at the head's stride."""
        levels = dict(features.levels)
        if self.stem is not None:
            levels |= self.stem(pixels)
        sources = [features.embedding, *(levels[level] for level in self.extra), *features.taps]
        path = self.coarse(self.fuse(sources))
        for level in self.strides[1:]:
            lateral = self.lateral[str(level)](levels[level])
            # The 1x1 runs before upsampling, on a quarter of the positions: the two commute.
            path = self.merge[str(level)](lateral + upsampled(self.down[str(level)](path), lateral))
        return self.logits(path)  # type: ignore[no-any-return]
