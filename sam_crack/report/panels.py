"""The same few frames after each validation: image, truth, what is found, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.mosaic import Picture, Tile, mosaic
from sam_crack.data.sets.spec import Colour
from sam_crack.report.overlay import CRACK, FALSE, FOUND, MISSED, draw_overlay

TILE_WIDTH = 400
MIXED, BORDER = (150, 70, 200), (255, 255, 255)


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
    classes: NDArray[np.uint8] | None = None
    """(height, width) class index that is found, where there are several."""
    rim: NDArray[np.uint8] | None = None
    """(height, width) probability of a border between objects, where it is asked for."""


def sample_page(
    panels: Sequence[Panel], *, level: int, title: str, colours: Mapping[str, Colour] | None = None
) -> Picture:
    """Lay out a row of four pictures per frame.

    Args:
        panels: The frames.
        level: Level of 0..255 from which a pixel is foreground.
        title: What stands above.
        colours: Names of the classes in their order, and what they are drawn in; asked only where
            panels have classes.
    """
    named = {} if colours is None else dict(enumerate(colours.values(), 1))
    tiles = [tile for panel in panels for tile in _row(panel, level, named)]
    shares = [panel.image.shape[0] / panel.image.shape[1] for panel in panels]
    height = max(24, round(TILE_WIDTH * min(2.0, max(shares, default=0.5))))
    legend = [("marked", CRACK), ("found", FOUND), ("missed", MISSED), ("false", FALSE)]
    if colours is not None and any(panel.classes is not None for panel in panels):
        legend = [*list(colours.items())[:6], *legend[1:], ("wrong class", MIXED)]
    if any(panel.rim is not None for panel in panels):
        legend.append(("border", BORDER))
    return mosaic(tiles, columns=4, tile=(height, TILE_WIDTH), title=title, legend=legend)


def _row(panel: Panel, level: int, colours: Mapping[int, Colour]) -> list[Tile]:
    image = panel.image.copy()
    counts = np.ones(panel.truth.shape, np.bool_) if panel.ignore is None else ~panel.ignore
    image[~counts] //= 2
    right = panel.truth * counts
    said = (panel.prob >= level).view(np.uint8) if panel.classes is None else panel.classes
    said = said * counts
    truth, mask = right > 0, said > 0
    mixed = truth & mask & (panel.classes is not None) & (right != said)
    wrong = draw_overlay(image, mask & ~mixed, truth=truth & ~mixed, legend=False)
    found = _drawn(image, said, panel, colours)
    for picture, where, colour in ((wrong, mixed, MIXED), (found, _border(panel), BORDER)):
        picture[where] = (picture[where] + np.array(colour)) // 2
    return [
        Tile(picture=image, caption=panel.id),
        Tile(picture=_drawn(image, right, panel, colours), caption=f"truth: {truth.mean():.2%}"),
        Tile(picture=found, caption=f"prediction: {mask.mean():.2%}"),
        Tile(picture=wrong, caption="found, missed and false"),
    ]


def _drawn(
    image: Picture, marked: NDArray[np.uint8], panel: Panel, colours: Mapping[int, Colour]
) -> Picture:
    """Tint what is foreground; of several classes, each in its colour."""
    if panel.classes is None:
        return draw_overlay(image, marked > 0)
    picture = image.copy()
    for index, colour in colours.items():
        where = marked == index
        picture[where] = (picture[where] + np.array(colour)) // 2
    return picture


def _border(panel: Panel) -> NDArray[np.bool_]:
    """Pixels that are a border between objects rather than not."""
    if panel.rim is None:
        return np.zeros(panel.truth.shape, np.bool_)
    return panel.rim >= 128
