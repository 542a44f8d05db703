"""The same few frames after each validation: image, truth, what is found, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.mosaic import Picture, Tile, mosaic
from sam_crack.report.overlay import CRACK, FALSE, FOUND, MISSED, draw_overlay

TILE_WIDTH = 400


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One frame with its truth and its probabilities; all share height and width."""

    id: str
    image: NDArray[np.uint8]
    """(height, width, 3), RGB."""
    truth: NDArray[np.uint8]
    """(height, width), above 0 is foreground."""
    prob: NDArray[np.uint8]
    """(height, width) foreground probability in 256 levels."""
    ignore: NDArray[np.bool_] | None = None
    """(height, width) pixels that do not count; they are drawn dark."""


def sample_page(panels: Sequence[Panel], *, level: int, title: str) -> Picture:
    """Lay out a row of four pictures per frame.

    Args:
        panels: The frames.
        level: Level of 0..255 from which a pixel is foreground.
        title: What stands above.
    """
    tiles = [tile for panel in panels for tile in _row(panel, level)]
    shares = [panel.image.shape[0] / panel.image.shape[1] for panel in panels]
    height = max(24, round(TILE_WIDTH * min(2.0, max(shares, default=0.5))))
    legend = (("marked", CRACK), ("found", FOUND), ("missed", MISSED), ("false", FALSE))
    return mosaic(tiles, columns=4, tile=(height, TILE_WIDTH), title=title, legend=legend)


def _row(panel: Panel, level: int) -> list[Tile]:
    image, truth, mask = panel.image, panel.truth > 0, panel.prob >= level
    if panel.ignore is not None:
        truth, mask = truth & ~panel.ignore, mask & ~panel.ignore
        image = image.copy()
        image[panel.ignore] //= 2
    wrong = draw_overlay(image, mask, truth=truth, legend=False)
    return [
        Tile(picture=image, caption=panel.id),
        Tile(picture=draw_overlay(image, truth), caption=f"truth: {truth.mean():.2%}"),
        Tile(picture=draw_overlay(image, mask), caption=f"prediction: {mask.mean():.2%}"),
        Tile(picture=wrong, caption="found, missed and false"),
    ]
