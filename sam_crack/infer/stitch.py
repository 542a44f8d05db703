"""Window logits become the frame's probabilities: blend at head scale, one resize."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sam_crack.errors import UsageError
from sam_crack.infer.windows import Blend, WindowPlan, blend_weights

UNSEEN = -50.0  # the logit of rows that no window saw: probability 0


class Stitcher:
    """Accumulates the logits of one frame's windows at head scale; reused from frame to frame."""

    def __init__(
        self,
        plan: WindowPlan,
        stride: int,
        num_logits: int = 1,
        *,
        blend: Blend = "cosine",
        device: torch.device | str = "cpu",
    ) -> None:
        """Lay out the canvas of a plan; weights are normalised here, once."""
        if any(side % stride for corner in (*plan.corners, plan.window) for side in corner):
            raise UsageError(
                f"head stride {stride}",
                "must divide the window's sides and corners",
                "plan the windows with align set to the stride",
            )
        self.plan, self.stride = plan, stride
        top, left, height, width = plan.canvas
        self._corners = [((y - top) // stride, (x - left) // stride) for y, x in plan.corners]
        self._weights = torch.from_numpy(blend_weights(plan, stride, blend)).to(device)
        shape = (num_logits, height // stride, width // stride)
        self._canvas = torch.zeros(shape, device=device)

    def reset(self) -> None:
        """Forget the last frame."""
        self._canvas.zero_()

    def add(self, logits: Tensor, first: int) -> None:
        """Add a batch of window logits (b, k, h, w); `first` is the number of the first window."""
        height, width = self._weights.shape[-2:]
        for number, window in enumerate(logits.to(self._canvas), first):
            y, x = self._corners[number]
            area = self._canvas[:, y : y + height, x : x + width]
            area.addcmul_(window, self._weights[number])

    def head_logits(self) -> Tensor:
        """Return the blended logits (k, height, width) of the canvas, at head scale."""
        return self._canvas

    def logits(self) -> Tensor:
        """Blended logits (k, height, width) of the frame; unseen rows are surely background."""
        seen = self._resized()
        height, width = self.plan.size
        top, bottom = self.plan.rows
        if (top, bottom) == (0, height):
            return seen[:, :height, :width]
        full = seen.new_full((seen.shape[0], height, width), UNSEEN)
        full[:, top:bottom] = seen[:, : bottom - top, :width]
        return full

    def prob(self) -> NDArray[np.uint8]:
        """Foreground probability (height, width) in 256 levels; unseen rows are 0.

        One logit passes the sigmoid; of several, the first is background.
        """
        return np.asarray(self._levels(255, np.uint8), np.uint8)

    def deep_prob(self) -> NDArray[np.uint16]:
        """Return the same in 65536 levels."""
        return np.asarray(self._levels(65535, np.uint16), np.uint16)

    def _levels(self, highest: int, kind: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
        small = torch.uint8 if highest == 255 else torch.int32  # what leaves the device
        height, width = self.plan.size
        top, bottom = self.plan.rows
        seen = self._resized()[:, : bottom - top, :width]
        share = seen[0].sigmoid() if len(seen) == 1 else 1.0 - seen.softmax(0)[0]
        levels = share.mul_(highest).round_().to(small).cpu().numpy().astype(kind, copy=False)
        if (top, bottom) == (0, height):
            return np.ascontiguousarray(levels)
        full = np.zeros((height, width), kind)
        full[top:bottom] = levels
        return full

    def classes(self) -> NDArray[np.uint8]:
        """Most probable class index (height, width) of several logits; 0 is background."""
        height, width = self.plan.size
        top, bottom = self.plan.rows
        seen = self._resized()[:, : bottom - top, :width].argmax(0)
        full = np.zeros((height, width), np.uint8)
        full[top:bottom] = seen.to(torch.uint8).cpu().numpy()
        return full

    def _resized(self) -> Tensor:
        """Bring the canvas to pixels; cv2 and torch agree, and cv2 is the faster on a CPU."""
        _, height, width = (side * self.stride for side in self._canvas.shape)
        if self.stride == 1:
            return self._canvas.clone()
        if self._canvas.device.type == "cpu" and len(self._canvas) == 1:
            plane = cv2.resize(self._canvas[0].numpy(), (width, height))
            return torch.from_numpy(plane)[None]
        return F.interpolate(self._canvas[None], (height, width), mode="bilinear")[0]
