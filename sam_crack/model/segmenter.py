"""The whole model: a frozen SAM encoder, what adapts it, a trained head, SAM's own prompts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sam_crack.adapt.inject import Adapted, inject
from sam_crack.config.schema import ModelConfig
from sam_crack.model.backbones import build_encoder, encoder_to_sam_state
from sam_crack.model.features import Features
from sam_crack.model.heads import build_head, count_logits, resolve_stride
from sam_crack.model.prompts import PromptDecoder


class Segmenter(nn.Module):
    """Pixels to logits, and prompts to masks, over one adapted encoder."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        adapted: Adapted,
        head: nn.Module,
        prompts: PromptDecoder,
        base_sha256: str,
    ) -> None:
        super().__init__()
        self.config = config
        self.adapted = adapted
        self.encoder = adapted.encoder
        self.head = head
        self.prompts = prompts.requires_grad_(False)
        self.base_sha256 = base_sha256
        self.stride = resolve_stride(config.head)
        self.num_logits = count_logits(config.head)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return fp32 logits (b, num_logits, h/stride, w/stride) of pixels (b, 3, h, w), 0-255."""
        return self.decode(self.encode(pixels), pixels)

    def encode(self, pixels: Tensor) -> Features:
        """Return the adapted encoder's features of pixels (b, 3, h, w), 0-255."""
        return self.encoder(pixels)  # type: ignore[no-any-return]

    def decode(self, features: Features, pixels: Tensor) -> Tensor:
        """Return the head's fp32 logits of encoded pixels."""
        logits: Tensor = self.head(features, pixels)
        return logits.float()

    def prompt(
        self,
        pixels: Tensor,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return SAM's three masks as logits at stride 4 and their predicted IoU.

        Args:
            pixels: (b, 3, h, w), 0 to 255.
            points: (b, n, 2) as (y, x) in pixels.
            labels: (b, n); 1 on the object, 0 beside it.
            boxes: (b, 4) as (top, left, bottom, right) in pixels.
        """
        embedding = self.encoder(pixels).embedding
        return self.prompts(embedding, points=points, labels=labels, boxes=boxes)  # type: ignore[no-any-return]

    @contextmanager
    def adapters_disabled(self) -> Iterator[None]:
        """Make encoder and prompts base SAM, bit for bit, inside the block."""
        with self.adapted.disabled():
            yield

    def trainable(self) -> dict[str, list[nn.Parameter]]:
        """Return what learns: matrices of adapters and head, and all vectors, which never decay."""
        groups: dict[str, list[nn.Parameter]] = {"adapters": [], "head": [], "norms": []}
        sources = {
            "adapters": self.adapted.parameters().values(),
            "head": self.head.parameters(),
        }
        for name, parameters in sources.items():
            for parameter in parameters:
                groups["norms" if parameter.ndim <= 1 else name].append(parameter)
        return groups

    def summary(self) -> list[str]:
        """Return what was asked, what matched, and how much of the model learns."""
        groups = self.trainable()
        trained = sum(parameter.numel() for group in groups.values() for parameter in group)
        total = sum(parameter.numel() for parameter in self.parameters())
        head = sum(parameter.numel() for parameter in self.head.parameters())
        height, width = self.config.window
        return [
            f"window {height} x {width} px, one logit per {self.stride} px, {self.num_logits} deep",
            *self.adapted.adaptation.lines(),
            f"head {self.config.head.kind}: {head:,} parameters",
            f"trained {trained:,} of {total:,} parameters ({trained / total:.2%})",
        ]


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """Return a sha256 over names, types, shapes and bytes, whatever file they came from."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def build_segmenter(
    config: ModelConfig,
    *,
    state: Mapping[str, Tensor] | None = None,
    device: torch.device | str = "cpu",
    total_steps: int = 1000,
) -> Segmenter:
    """Build the model that the configuration describes, with base weights in place.

    Args:
        config: the model.
        state: a full SAM state dict; without one, the published weights are loaded, or random
            ones are drawn from a fixed seed if the configuration wants none.
        device: where the model goes.
        total_steps: length of the run, for methods that follow a schedule.
    """
    resolve_stride(config.head)
    if state is None and config.backbone.pretrained:
        from sam_crack.weights.base import load_base

        state, _ = load_base(config.backbone.name)
    encoder = build_encoder(config.backbone, window=config.window, state=state)
    prompts = PromptDecoder(state)
    base_sha256 = fingerprint(state or {**encoder_to_sam_state(encoder), **prompts.state_dict()})
    head = build_head(config.head, encoder, prompts.mask_decoder, prompts.prompt_encoder)
    adapted = inject(encoder, config.adapter, encoder.sites, total_steps=total_steps)
    model = Segmenter(config, adapted=adapted, head=head, prompts=prompts, base_sha256=base_sha256)
    return model.to(device)
