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

UNSEEN = -50.0  # the logit of what no window saw, or what does not count: probability 0


class Stitcher:
    """Accumulates the logits of one frame's windows at head scale."""

    def __init__(
        self,
        plan: WindowPlan,
        stride: int,
        num_logits: int = 1,
        *,
        rim: bool = False,
        blend: Blend = "cosine",
        weights: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Lay out the canvas of a plan.

        Args:
            plan: The windows.
            stride: Pixels per logit.
            num_logits: Logits per pixel.
            rim: Whether the last one is the border between objects, and no class.
            blend: Weight of a window's pixels.
            weights: Those of another stitcher of the same plan, stride and blend, if there is one:
                they are larger than the canvas.
            device: Where logits are added up.
        """
        if any(side % stride for corner in (*plan.corners, plan.window) for side in corner):
            raise UsageError(
                f"head stride {stride}",
                "must divide the window's sides and corners",
                "plan the windows with align set to the stride",
            )
        self.plan, self.stride = plan, stride
        self.class_logits = num_logits - rim
        top, left, height, width = plan.canvas
        self._corners = [((y - top) // stride, (x - left) // stride) for y, x in plan.corners]
        if weights is None:
            weights = torch.from_numpy(blend_weights(plan, stride, blend)).to(device)
        self.weights = weights
        shape = (num_logits, height // stride, width // stride)
        self._canvas = torch.zeros(shape, device=device)

    def add(self, logits: Tensor, first: int) -> None:
        """Add a batch of window logits (b, k, h, w); `first` is the number of the first window."""
        height, width = self.weights.shape[-2:]
        for number, window in enumerate(logits.to(self._canvas), first):
            y, x = self._corners[number]
            area = self._canvas[:, y : y + height, x : x + width]
            area.addcmul_(window, self.weights[number])

    def head_logits(self) -> Tensor:
        """Return the blended logits (k, height, width) of the canvas, at head scale."""
        return self._canvas

    def fade(self, shift: Tensor) -> None:
        """Multiply the odds of foreground by weights, given as logarithms (height, width).

        Odds, not probabilities: a weight is what is believed of a place before its pixels are seen,
        and beliefs multiply as odds (Bayes). So the weight does not act as a second threshold:
        strong evidence passes where p * w would cut it at w = threshold, several classes still add
        up to one, and a weight of one changes nothing.
        """
        classes = self._canvas[: self.class_logits]
        outside = shift.isneginf()
        if len(classes) > 1:
            classes[0].masked_fill_(outside, 0.0)
            classes = classes[1:]
        classes.add_(shift).masked_fill_(outside, UNSEEN)
        self._canvas[self.class_logits :].masked_fill_(outside, UNSEEN)

    def logits(self) -> Tensor:
        """Blended logits (k, height, width) of the frame; what is unseen is surely background."""
        seen = self._seen()
        if seen.shape[1:] == self.plan.size:
            return seen
        full = seen.new_full((len(seen), *self.plan.size), UNSEEN)
        if self.class_logits > 1:
            full[0] = 0.0
        full[:, *self._place] = seen
        return full

    def prob(self) -> NDArray[np.uint8]:
        """Foreground probability (height, width) in 256 levels; 0 where nothing was seen.

        One logit passes the sigmoid; of several, the first is background.
        """
        return np.asarray(self._levels(self._foreground(), 255, np.uint8), np.uint8)

    def rim(self) -> NDArray[np.uint8]:
        """Probability (height, width) of a border between objects, in 256 levels."""
        return np.asarray(self._levels(self._seen()[-1].sigmoid(), 255, np.uint8), np.uint8)

    def deep_prob(self) -> NDArray[np.uint16]:
        """Return the same in 65536 levels."""
        return np.asarray(self._levels(self._foreground(), 65535, np.uint16), np.uint16)

    def _foreground(self) -> Tensor:
        seen = self._seen()[: self.class_logits]
        return seen[0].sigmoid() if len(seen) == 1 else 1.0 - seen.softmax(0)[0]

    def _levels(
        self, share: Tensor, highest: int, kind: type[np.uint8] | type[np.uint16]
    ) -> NDArray[Any]:
        small = torch.uint8 if highest == 255 else torch.int32  # what leaves the device
        levels = share.mul_(highest).round_().to(small).cpu().numpy().astype(kind, copy=False)
        return self._placed(levels)

    def classes(self) -> NDArray[np.uint8]:
        """Most probable class index (height, width) of several logits; 0 is background."""
        found = self._seen()[: self.class_logits].argmax(0).to(torch.uint8)
        return np.asarray(self._placed(found.cpu().numpy()), np.uint8)

    @property
    def _place(self) -> tuple[slice, slice]:
        """Where in the frame the canvas lies."""
        return slice(*self.plan.rows), slice(*self.plan.columns)

    def _placed(self, seen: NDArray[Any]) -> NDArray[Any]:
        """Put what was seen into a frame of zeros."""
        if seen.shape == self.plan.size:
            return np.ascontiguousarray(seen)
        full = np.zeros(self.plan.size, seen.dtype)
        full[self._place] = seen
        return full

    def _seen(self) -> Tensor:
        """Return the logits in pixels, without what reaches past the frame."""
        (top, bottom), (left, right) = self.plan.rows, self.plan.columns
        return self._resized()[:, : bottom - top, : right - left]

    def _resized(self) -> Tensor:
        """Bring the canvas to pixels; cv2 and torch agree, and cv2 is the faster on a CPU."""
        _, height, width = (side * self.stride for side in self._canvas.shape)
        if self.stride == 1:
            return self._canvas.clone()
        if self._canvas.device.type == "cpu" and len(self._canvas) == 1:
            plane = cv2.resize(self._canvas[0].numpy(), (width, height))
            return torch.from_numpy(plane)[None]
        return F.interpolate(self._canvas[None], (height, width), mode="bilinear")[0]
