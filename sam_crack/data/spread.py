"""A few samples for all of them: evenly spaced, so that every part of a drive is seen."""

from __future__ import annotations

import numpy as np


def spread(count: int, at_most: int) -> list[int]:
    """Return the places of at most so many of `count` things, the first and the last among them."""
    return [int(place) for place in np.linspace(0, count - 1, min(at_most, count)).round()]
