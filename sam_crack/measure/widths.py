"""How wide the lines of masks are: one figure that a model's scale can be named by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sam_crack.measure.cracks import measure_cracks
from sam_crack.measure.metrics import Mask
from sam_crack.measure.softness import LARGEST_SHARE

SHORTEST_PX = 8.0


def typical_width(masks: Iterable[Mask]) -> float | None:
    """Median width in pixels of the lines of masks, every pixel of length counting the same."""
    lines: list[tuple[float, float]] = []
    for mask in masks:
        if 0 < np.count_nonzero(mask) <= LARGEST_SHARE * mask.size:
            found = measure_cracks(mask, min_length_px=SHORTEST_PX)
            lines += [(crack.width_mean_px, crack.length_px) for crack in found]
    if not lines:
        return None
    widths, lengths = np.array(sorted(lines)).T
    middle = np.searchsorted(np.cumsum(lengths), lengths.sum() / 2)
    return float(widths[min(int(middle), len(widths) - 1)])
