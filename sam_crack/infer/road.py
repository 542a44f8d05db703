"""Where in a frame is looked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sam_crack.errors import UsageError
from sam_crack.infer.gate import Gate

RAMP = 0.04
"""Height, as a share of the frame's, over which a weight falls from 1 to 0 past what is asked."""
ROWS = 240


@dataclass(frozen=True)
class Road:
    """A band of rows, as shares of the frame's height from its top."""

    top: float = 0.0
    bottom: float = 1.0

    def gate(self, size: tuple[int, int]) -> Gate | None:
        """Return how much each place of a frame of this size counts; None is all alike."""
        if (self.top, self.bottom) == (0.0, 1.0):
            return None
        return _band(self.top, self.bottom)


@lru_cache
def _band(top: float, bottom: float) -> Gate:
    middles = (np.arange(ROWS) + 0.5) / ROWS
    past = np.maximum(top - middles, middles - bottom)
    return Gate((1 - (past - 1 / ROWS) / RAMP).clip(0, 1).astype(np.float32)[:, None])


def parse_road(text: str) -> Road:
    """Read `all` or `band:TOP,BOTTOM`."""
    kind, _, rest = text.partition(":")
    if text == "all":
        return Road()
    if kind == "band":
        try:
            top, bottom = (float(part) for part in rest.split(","))
        except ValueError:
            top = bottom = math.nan
        if 0 <= top < bottom <= 1:
            return Road(top, bottom)
    raise UsageError(
        f"road {text!r}",
        "`all`, or `band:TOP,BOTTOM` with shares of the height, 0 <= TOP < BOTTOM <= 1",
        "for the lower 60 % write band:0.4,1",
    )
