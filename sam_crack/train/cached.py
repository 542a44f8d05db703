"""Training a head on features that were computed once: a frozen encoder says the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from sam_crack.errors import UsageError
from sam_crack.model.features import Features
from sam_crack.model.heads import HiresHead, SamHead
from sam_crack.model.segmenter import Segmenter

from .batches import Batch, collate, crop_numbers, crop_set
from .run import Run


class HeadAlone(nn.Module):
    """The head, fed with features that left the encoder earlier."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.head = segmenter.head
        # SAM's decoder looks at the embedding only; keeping the rest would cost memory for nothing.
        self.embedding_only = isinstance(self.head, SamHead) and not isinstance(
            self.head, HiresHead
        )
        self.strides: tuple[int, ...] = ()

    def forward(self, pixels: Tensor, embedding: Tensor, *rest: Tensor) -> Tensor:
        """Return fp32 logits, as the whole model would of these pixels."""
        count = len(self.strides)
        levels = dict(zip(self.strides, (each.float() for each in rest[:count]), strict=True))
        taps = tuple(each.float() for each in rest[count:])
        logits: Tensor = self.head(Features(embedding.float(), levels, taps), pixels)
        return logits.float()

    def parts(self, features: Features) -> tuple[Tensor, ...]:
        """Return the tensors that `forward` wants beside the pixels, in its order."""
        if self.embedding_only:
            return (features.embedding,)
        self.strides = tuple(features.levels)
        return (features.embedding, *features.levels.values(), *features.taps)


class CachedBatches:
    """Batches of `cache_crops` different crops; each passes the encoder when it first comes."""

    def __init__(self, run: Run) -> None:
        """Refuse what would make features differ from step to step."""
        method = run.config.model.adapter.method
        if method != "head_only":
            raise UsageError(
                f"train.cache_crops: {run.config.train.cache_crops} with adapter {method}",
                "features stay the same only where nothing in the encoder learns",
                "set --model.adapter.method head_only, or --train.cache_crops 0",
            )
        self.run, self.size = run, run.config.train.cache_crops
        self.module = HeadAlone(run.segmenter)
        self.crops = crop_set(run)
        self._entries: dict[int, Batch] = {}

    def batches(self, start: int) -> Iterator[Batch]:
        """Batches of this process from step `start` on."""
        accelerator = self.run.accelerator
        self._say_size(self.crop(0))
        for numbers in crop_numbers(
            self.run.config,
            start=start,
            rank=accelerator.process_index,
            world=accelerator.num_processes,
        ):
            yield collate([self.crop(number % self.size) for number in numbers])

    def crop(self, number: int) -> Batch:
        """Return a crop by its number; one alone, so that its features never depend on others."""
        if number not in self._entries:
            crop = self.crops[number]
            (pixels,) = crop.inputs
            self._entries[number] = replace(crop, inputs=(pixels, *self._encode(pixels)))
        return self._entries[number]

    @torch.no_grad()
    def _encode(self, pixels: Tensor) -> tuple[Tensor, ...]:
        device = self.run.accelerator.device
        encoder = self.run.segmenter.encoder.eval()
        # Half precision is finer than what a head can tell apart, and halves the memory.
        return tuple(
            part.half().cpu().contiguous() for part in self.module.parts(encoder(pixels.to(device)))
        )

    def _say_size(self, entry: Batch) -> None:
        tensors = (*entry.inputs, *entry.truth.values())
        size = sum(each.numel() * each.element_size() for each in tensors) / 1e6
        self.run.console.say(
            f"features of {self.size} crops are kept: {size:.1f} MB each, up to "
            f"{self.size * size / 1000:.1f} GB"
        )
