"""Frames on their way through the model: which windows are looked at, and who waits for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam_crack.infer.gate import Gate
from sam_crack.infer.stitch import Stitcher
from sam_crack.infer.windows import WindowPlan

MAX_FADES = 4  # each is as large as a canvas; the strips of one frame have one each


@dataclass(eq=False, kw_only=True)
class Look:
    """One frame, from when its windows are chosen until all of them came back."""

    plan: WindowPlan
    gate: Gate | None
    fade: Tensor | None
    """Logarithm of the gate at head scale."""
    numbers: tuple[int, ...]
    """Windows of the plan that are looked at."""
    missing: int
    """Windows that did not come back yet."""
    stitcher: Stitcher | None = None
    """Made with the first logits, which say how many there are."""
    seconds: dict[str, float] = field(default_factory=dict)

    def spent(self, stage: str, seconds: float) -> None:
        """Add time to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


def open_look(plan: WindowPlan, gate: Gate | None, stride: int, device: torch.device) -> Look:
    """Leave out the windows in which nothing counts."""
    if gate is None:
        numbers, fade = tuple(range(len(plan))), None
    else:
        numbers, fade = _through(plan, gate, stride, device)
    return Look(plan=plan, gate=gate, fade=fade, numbers=numbers, missing=len(numbers))


@lru_cache(maxsize=MAX_FADES)
def _through(
    plan: WindowPlan, gate: Gate, stride: int, device: torch.device
) -> tuple[tuple[int, ...], Tensor]:
    """Return the windows that a gate lets through, and its logarithm at head scale."""
    top, left, height, width = plan.canvas
    cells = gate.sample(plan.size, (top, left), (height // stride, width // stride), step=stride)
    tall, wide = (side // stride for side in plan.window)
    corners = [((y - top) // stride, (x - left) // stride) for y, x in plan.corners]
    numbers = tuple(
        number
        for number, (y, x) in enumerate(corners)
        if (cells[y : y + tall, x : x + wide] > 0).any()
    )
    return numbers, torch.from_numpy(cells).log_().to(device)


@dataclass(eq=False)
class Batch:
    """Windows that wait to pass together, and whose they are."""

    pixels: Tensor
    """(windows, height, width, 3) uint8."""
    owners: list[tuple[Look, int]] = field(default_factory=list)
    """Frame and number of each window that waits."""

    @classmethod
    def of(cls, count: int, window: tuple[int, int], *, pinned: bool) -> Batch:
        """Lay out room for so many windows; pinned memory reaches a GPU faster."""
        return cls(torch.zeros(count, *window, 3, dtype=torch.uint8, pin_memory=pinned))

    def put(self, look: Look, number: int, image: NDArray[np.uint8]) -> None:
        """Copy a window; past the frame, it is mirrored.

        Rows that are repeated look like nothing a model was taught: where a frame filled a quarter
        of a window, that alone hid most of what was there.
        """
        _, height, width, _ = self.pixels.shape
        y, x = look.plan.corners[number]
        seen = image[y : y + height, x : x + width]
        below, right = height - seen.shape[0], width - seen.shape[1]
        if below or right:
            seen = cv2.copyMakeBorder(seen, 0, below, 0, right, cv2.BORDER_REFLECT_101)
        self.pixels[len(self.owners)].numpy()[:] = seen
        self.owners.append((look, number))

    def drop(self, count: int) -> None:
        """Forget the first windows; the rest moves up."""
        rest = len(self.owners) - count
        if rest:
            self.pixels[:rest] = self.pixels[count : count + rest].clone()
        del self.owners[:count]
