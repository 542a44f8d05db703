"""The road ahead, found by base SAM: the same frozen weights, adapters off, points on the lane."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from torch import Tensor

from sam_crack.errors import UsageError
from sam_crack.infer.gate import ROWS, Gate, soften
from sam_crack.infer.road import WIDER

POINTS = ((0.9, 0.5), (0.6, 0.5), (0.8, 0.3), (0.8, 0.7))
"""Where road is expected, as (y, x) shares of the frame: ahead of the car, and to both sides."""
SURE = 0.8
"""Least overlap with an object that SAM must predict for its own mask."""
LEAST_SHARE = 0.05
"""Least part of the frame that is a road."""
SPECK = 0.01
"""Pieces below this share of the frame are dropped."""
NEAR, NEAR_SHARE = 0.8, 0.3
"""A road lies before the car: below this share of the height it covers so many columns."""


@runtime_checkable
class Promptable(Protocol):
    """A model that still is SAM."""

    def prompt(
        self, pixels: Tensor, *, points: Tensor | None, labels: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return three masks as logits (b, 3, h, w), and the overlap predicted for each."""

    def adapters_disabled(self) -> AbstractContextManager[None]:
        """Make it base SAM inside the block."""


@dataclass(eq=False)
class RoadFinder:
    """Finds the road in one frame of many; frames must come in the order of the drive."""

    model: object
    _: KW_ONLY
    window: tuple[int, int]
    """Height and width that the frame is brought to."""
    device: torch.device
    every: int
    """Frames for which a road that was found is taken to lie where it was."""
    on_lost: Callable[[str], None] = lambda why: None
    """Told why everything is looked at, where a road was found before or at the start."""

    def __post_init__(self) -> None:
        """Refuse a model that takes no prompts."""
        if not isinstance(self.model, Promptable):
            raise UsageError(
                "road 'auto' with a model that is no SAM",
                "a checkpoint of this package, which finds the road by a prompt",
                "use --road all, band:TOP,BOTTOM, mask:FILE or prior:FILE",
            )
        self._sam: Promptable = self.model
        self._gate: Gate | None = None
        self._size, self._left, self._lost = (0, 0), 0, False

    def __call__(self, image: NDArray[np.uint8]) -> Gate | None:
        """Return the gate of a frame; None where everything is looked at for want of a road."""
        size = (image.shape[0], image.shape[1])
        if self._left == 0 or size != self._size:
            region = self._find(image)
            why = _doubt(region)
            self._gate = None if why else soften(region, wider=WIDER)
            if why and not self._lost:
                self.on_lost(why)
            self._size, self._left, self._lost = size, self.every, bool(why)
        self._left -= 1
        return self._gate

    @torch.inference_mode()
    def _find(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return the most certain of SAM's masks, without specks and holes; empty if unsure.

        Not the tightest: where the three masks are a lane, a road, and a road with its patches and
        shoulders, what cracks is in the last.
        """
        shown = cv2.resize(image, self.window[::-1], interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(shown).to(self.device).permute(2, 0, 1)[None]
        points = torch.tensor([POINTS], device=self.device) * torch.tensor(
            self.window, device=self.device
        )
        labels = torch.ones(1, len(POINTS), device=self.device)
        with self._sam.adapters_disabled():
            masks, overlaps = self._sam.prompt(pixels, points=points, labels=labels)
        best = int(overlaps[0].argmax())
        columns = int(np.clip(round(ROWS * image.shape[1] / image.shape[0]), 1, 16 * ROWS))
        logits = cv2.resize(masks[0, best].float().cpu().numpy(), (columns, ROWS))
        if float(overlaps[0, best]) < SURE:
            return np.zeros_like(logits, np.bool_)
        return _whole(logits > 0)


def _whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop specks, and fill what is surrounded, such as cars.

    Lane marks cut a road into pieces, so that being apart from the prompts says nothing.
    """
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    large = stats[:, cv2.CC_STAT_AREA] >= SPECK * mask.size
    large[0] = False  # what is no road
    return np.asarray(binary_fill_holes(large[pieces]), np.bool_)


def _doubt(region: NDArray[np.bool_]) -> str:
    """Say why a region is no road; nothing if it may be one."""
    if region.mean() < LEAST_SHARE:
        return "no road was found ahead"
    if region[int(NEAR * len(region)) :].any(axis=0).mean() < NEAR_SHARE:
        return "what was found does not reach the lower edge as a road does"
    return ""
