"""Where the windows of a frame lie and how much each counts: pure geometry, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import UsageError

Blend = Literal["cosine", "gaussian", "constant"]
FIT_PX = 32  # the coarsest grid of the networks that look
FLOOR = 1e-3  # a bare Hann window falls to 9e-11 at its corner: nothing left to divide by


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """The windows of one frame size, row by row; every frame of that size shares the plan."""

    size: tuple[int, int]
    """Frame height and width."""
    window: tuple[int, int]
    """Window height and width."""
    tops: tuple[int, ...]
    """First row of each row of windows, ascending."""
    lefts: tuple[int, ...]
    """First column of each column of windows, ascending."""

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Upper left (y, x) of every window; a window may reach past the frame's far edges."""
        return tuple((top, left) for top in self.tops for left in self.lefts)

    @property
    def canvas(self) -> tuple[int, int, int, int]:
        """What the windows cover, padding included: first row, first column, height, width."""
        height = self.tops[-1] + self.window[0] - self.tops[0]
        width = self.lefts[-1] + self.window[1] - self.lefts[0]
        return self.tops[0], self.lefts[0], height, width

    @property
    def rows(self) -> tuple[int, int]:
        """First and past-the-last frame row that a window sees."""
        return self.tops[0], min(self.size[0], self.tops[-1] + self.window[0])

    @property
    def columns(self) -> tuple[int, int]:
        """First and past-the-last frame column that a window sees."""
        return self.lefts[0], min(self.size[1], self.lefts[-1] + self.window[1])


def fit_window(size: tuple[int, int], window: tuple[int, int]) -> tuple[int, int]:
    """Return the window for frames of a size: as small as a frame that does not fill it.

    What is seen past the edge of a frame costs time, and looks like nothing a model was taught.
    """
    height, width = (
        min(most, max(FIT_PX, -(-side // FIT_PX) * FIT_PX))
        for side, most in zip(size, window, strict=True)
    )
    return height, width


@lru_cache(maxsize=64)
def plan_windows(
    size: tuple[int, int],
    window: tuple[int, int],
    *,
    overlap: float = 0.125,
    rows: tuple[int, int] | None = None,
    columns: tuple[int, int] | None = None,
    align: int = 4,
) -> WindowPlan:
    """Spread the fewest windows evenly over a frame, or over a part of it.

    Args:
        size: Frame height and width.
        window: Window height and width, multiples of `align`.
        overlap: Smallest share of a window that its neighbour sees too, 0 to 0.75.
        rows: First and past-the-last row to look at; a band lower than a window is raised.
        columns: The same across.
        align: Corners are multiples of it, so that windows meet on the head's grid.
    """
    if min(size) < 1 or not 0 <= overlap <= 0.75:
        raise UsageError(
            f"frame {size[0]} x {size[1]} with overlap {overlap}",
            "a frame has pixels and overlap is 0 to 0.75",
        )
    if any(side < align or side % align for side in window):
        raise UsageError(
            f"window {window[0]} x {window[1]}", f"both sides must be multiples of {align}"
        )
    starts = []
    for side, window_side, asked in zip(size, window, (rows, columns), strict=True):
        first, last = _band(side, window_side, asked, align)
        spread = _spread(last - first, window_side, overlap, align)
        starts.append(tuple(first + start for start in spread))
    return WindowPlan(size=size, window=window, tops=starts[0], lefts=starts[1])


def _band(side: int, window: int, asked: tuple[int, int] | None, align: int) -> tuple[int, int]:
    """Clip a band to the frame and raise it to at least one window."""
    first, last = asked or (0, side)
    first, last = max(0, first), min(side, last)
    if first >= last:
        raise UsageError(
            f"a band from {first} to {last}", f"a band inside 0 to {side}", "widen the band"
        )
    if last - first < window:
        first = max(0, last - window)
    return first // align * align, last


def _spread(length: int, window: int, overlap: float, align: int) -> tuple[int, ...]:
    """Starts of the fewest windows that cover `length`, evenly spread on the grid."""
    reach = -(-max(0, length - window) // align)  # last start, in grid steps, rounded up
    if reach == 0:
        return (0,)
    step = max(1, int(window * (1 - overlap) + 1e-9) // align)
    gaps = -(-reach // step)
    return tuple(reach * i // gaps * align for i in range(gaps + 1))


def window_weight(window: tuple[int, int], blend: Blend) -> NDArray[np.float32]:
    """Weight of every pixel of one window before normalising; never below the floor.

    The Gaussian is MONAI's (sigma an eighth of the side, floored in two dimensions). The cosine
    is floored along each axis, so that it still falls smoothly in the corners.
    """
    match blend:
        case "constant":
            weight = np.ones(window)
        case "gaussian":
            bells = [
                np.exp(-(((np.arange(n) - (n - 1) / 2) / (0.125 * n)) ** 2) / 2) for n in window
            ]
            weight = np.maximum(np.outer(bells[0], bells[1]), FLOOR)
        case "cosine":
            waves = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in window]
            tall, wide = (np.maximum(wave, FLOOR) for wave in waves)
            weight = np.outer(tall, wide)
        case _:
            assert_never(blend)
    return weight.astype(np.float32)


@lru_cache(maxsize=4)  # each is larger than a frame
def blend_weights(
    plan: WindowPlan, stride: int = 1, blend: Blend = "cosine"
) -> NDArray[np.float32]:
    """Weights (windows, height / stride, width / stride) that sum to one wherever a window lies."""
    small = (plan.window[0] // stride, plan.window[1] // stride)
    weight = window_weight(small, blend).astype(np.float64)
    top, left, height, width = plan.canvas
    total = np.zeros((height // stride, width // stride))
    corners = [((y - top) // stride, (x - left) // stride) for y, x in plan.corners]
    for y, x in corners:
        total[y : y + small[0], x : x + small[1]] += weight
    shares = [weight / total[y : y + small[0], x : x + small[1]] for y, x in corners]
    return np.stack(shares).astype(np.float32)
