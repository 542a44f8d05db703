"""Which rows of a frame are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sam_crack.errors import UsageError


@dataclass(frozen=True)
class Road:
    """A band of rows, as shares of the frame's height from its top."""

    top: float = 0.0
    bottom: float = 1.0

    def rows(self, height: int) -> tuple[int, int] | None:
        """First and past-the-last row to look at; None is the whole frame."""
        if (self.top, self.bottom) == (0.0, 1.0):
            return None
        first = min(height - 1, math.floor(self.top * height))
        return first, max(first + 1, math.ceil(self.bottom * height))


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
