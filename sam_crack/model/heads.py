"""Prompt-free decoders that grow out of SAM's own, and the choice between the three heads."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Protocol, assert_never

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder
from torch import Tensor, nn

from sam_crack.config.schema import HeadConfig
from sam_crack.errors import UsageError
from sam_crack.model.features import Features
from sam_crack.model.pyramid import (
    STEM_STRIDES,
    DetailStem,
    PyramidHead,
    conv_block,
    prior_bias,
)

SAM_STRIDE = 4


class EncoderFacts(Protocol):
    """What a head has to know of an encoder."""

    level_channels: Mapping[int, int]
    tap_channels: tuple[int, ...]


def count_logits(config: HeadConfig) -> int:
    """Return the channels of the output: classes, background if several, boundary if asked."""
    classes = 1 if config.num_classes == 1 else config.num_classes + 1
    return classes + config.boundary


def resolve_stride(config: HeadConfig) -> int:
    """Return the pixels per logit, or refuse what a head cannot give."""
    if config.kind == "pyramid":
        return config.stride or 2
    if config.stride not in (None, SAM_STRIDE):
        raise UsageError(
            f"model.head.stride: {config.stride} with kind {config.kind}",
            f"SAM's decoder gives one logit per {SAM_STRIDE} pixels",
            "leave stride empty, or use kind pyramid",
        )
    return SAM_STRIDE


class SamHead(nn.Module):
    """A trainable copy of SAM's mask decoder with one token and hypernetwork per logit.

    With one class it starts as SAM's single-mask answer to no prompt at all: what SAM embeds for
    "no mask" becomes a learned prompt, and all of SAM's tokens stay in the attention.
    """

    def __init__(
        self, decoder: MaskDecoder, prompts: PromptEncoder, *, num_classes: int, boundary: bool
    ) -> None:
        super().__init__()
        count = num_classes + (num_classes > 1) + boundary
        self.transformer = copy.deepcopy(decoder.transformer)
        self.upscale = copy.deepcopy(decoder.output_upscaling)
        self.positions = copy.deepcopy(prompts.pe_layer)
        self.prompt = nn.Parameter(prompts.no_mask_embed.weight.detach().clone())
        first = decoder.mask_tokens.weight.detach()[:1]
        self.tokens = nn.Parameter(
            torch.cat(
                (
                    decoder.iou_token.weight.detach(),
                    decoder.mask_tokens.weight.detach(),
                    first.expand(count - 1, -1),
                )
            )
        )
        own = decoder.num_mask_tokens + 1
        self.answers = [1, *range(own, own + count - 1)]
        networks = [copy.deepcopy(decoder.output_hypernetworks_mlps[0]) for _ in range(count)]
        # Classes start as SAM's mask; background and boundary start flat.
        for index in [0] * (num_classes > 1) + [-1] * boundary:
            nn.init.zeros_(networks[index].layers[-1].weight)
            nn.init.zeros_(networks[index].layers[-1].bias)
        self.hypernetworks = nn.ModuleList(networks)
        # SAM's logits have no bias, and a class that had one could not be merged back into SAM.
        self.boundary_bias = nn.Parameter(prior_bias(1, boundary=False)) if boundary else None
        self.requires_grad_(True)

    def forward(self, features: Features, pixels: Tensor) -> Tensor:
        """Return logits at stride 4; the pixels are not looked at."""
        hyper, upscaled = self.decode(features.embedding)
        return self.mix(hyper, upscaled)

    def decode(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return one vector per logit, and the features at stride 4 that they weigh."""
        batch, channels, height, width = embedding.shape
        positions = self.positions((height, width))[None].expand(batch, -1, -1, -1)
        source = embedding + self.prompt[..., None, None]
        tokens = self.tokens.expand(batch, -1, -1)
        tokens, source = self.transformer(source, positions, tokens)
        upscaled = self.upscale(source.transpose(1, 2).reshape(batch, channels, height, width))
        answers = tokens[:, self.answers]
        hyper = [network(answers[:, index]) for index, network in enumerate(self.hypernetworks)]
        return torch.stack(hyper, dim=1), upscaled

    def mix(self, hyper: Tensor, upscaled: Tensor) -> Tensor:
        """Return the logits: each vector's product with the features."""
        batch, _, height, width = upscaled.shape
        logits = (hyper @ upscaled.flatten(2)).view(batch, -1, height, width)
        if self.boundary_bias is None:
            return logits
        return torch.cat((logits[:, :-1], logits[:, -1:] + self.boundary_bias), dim=1)


class HiresHead(SamHead):
    """SAM's decoder whose features are joined by early ones, which start at nothing."""

    def __init__(
        self,
        decoder: MaskDecoder,
        prompts: PromptEncoder,
        level_channels: Mapping[int, int],
        *,
        num_classes: int,
        boundary: bool,
        width: int = 64,
    ) -> None:
        super().__init__(decoder, prompts, num_classes=num_classes, boundary=boundary)
        widths = dict.fromkeys(STEM_STRIDES, width)
        self.stem = None if {2, 4} <= level_channels.keys() else DetailStem(widths)
        channels = level_channels if self.stem is None else widths
        self.fine = conv_block(channels[2], width, stride=2)
        self.early = conv_block(channels[4], width, kernel=1)
        self.joined = conv_block(width, width)
        self.out = nn.Conv2d(width, upscaled_channels(decoder), 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, features: Features, pixels: Tensor) -> Tensor:
        """Return logits at stride 4."""
        hyper, upscaled = self.decode(features.embedding)
        levels = features.levels if self.stem is None else self.stem(pixels)
        detail = self.joined(self.early(levels[4]) + self.fine(levels[2]))
        return self.mix(hyper, upscaled + self.out(detail))


def upscaled_channels(decoder: MaskDecoder) -> int:
    """Return the channels of SAM's features at stride 4."""
    return int(decoder.output_upscaling[3].out_channels)


def build_head(
    config: HeadConfig, encoder: EncoderFacts, decoder: MaskDecoder, prompts: PromptEncoder
) -> SamHead | PyramidHead:
    """Return the head that the configuration names, in training state."""
    stride = resolve_stride(config)
    classes, boundary = config.num_classes, config.boundary
    match config.kind:
        case "pyramid":
            return PyramidHead(
                encoder.level_channels,
                encoder.tap_channels,
                bias=prior_bias(classes, boundary=boundary),
                width=config.width,
                stride=stride,
            )
        case "sam":
            return SamHead(decoder, prompts, num_classes=classes, boundary=boundary)
        case "hires":
            return HiresHead(
                decoder,
                prompts,
                encoder.level_channels,
                num_classes=classes,
                boundary=boundary,
                width=config.width,
            )
        case _:
            assert_never(config.kind)
