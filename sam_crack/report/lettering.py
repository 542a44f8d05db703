"""Text on frames: labels that keep off each other, and a legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Frame = NDArray[np.uint8]
Colour = tuple[int, int, int]
INK, PAPER = (255, 255, 255, 255), (20, 24, 28, 205)
RINGS, STEPS = 8, 12
"""How far out and in how many directions a label may look for a free place."""


class Box(NamedTuple):
    """A rectangle in pixels; right and bottom are past the last pixel."""

    left: float
    top: float
    right: float
    bottom: float

    def hits(self, other: Box) -> bool:
        """Whether two boxes share a pixel."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def grown(self, by: float) -> Box:
        """Return the box with a margin around it."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def inside(self, width: float, height: float) -> Box:
        """Move the box into the frame."""
        left = min(max(self.left, 0.0), max(0.0, width - (self.right - self.left)))
        top = min(max(self.top, 0.0), max(0.0, height - (self.bottom - self.top)))
        return Box(left, top, left + self.right - self.left, top + self.bottom - self.top)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Load the typeface that comes with matplotlib: on every system the same, with all accents."""
    import matplotlib as mpl

    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    return ImageFont.truetype(str(path), size)


def font_size(size: tuple[int, int]) -> int:
    """Return the letter height for a frame of this height and width."""
    return max(11, round(max(size) / 64))


def _places(box: Box, y: float, x: float, gap: float) -> Iterable[Box]:
    """Yield where a label may stand: right above its point first, then around and further out."""
    width, height = box.right, box.bottom
    for ring in range(1, RINGS + 1):
        for step in range(STEPS):
            angle = -np.pi / 3 + 2 * np.pi * step / STEPS
            middle_x = x + np.cos(angle) * (width / 2 + gap * ring)
            middle_y = y + np.sin(angle) * (height / 2 + gap * ring)
            left, top = middle_x - width / 2, middle_y - height / 2
            yield Box(left, top, left + width, top + height)


def annotate(
    frame: Frame,
    labels: Sequence[tuple[str, float, float]],
    *,
    legend: Sequence[tuple[str, Colour]] = (),
) -> Frame:
    """Return the frame with (text, y, x) labels on dark plates, and a legend at the top left.

    Labels keep off each other and off the legend, and are tied to their points by a line.
    """
    if not labels and not legend:
        return frame
    image = Image.fromarray(frame)
    pen = ImageDraw.Draw(image, "RGBA")
    size = font_size(frame.shape[:2])
    used = [_legend(pen, legend, size)] if legend else []
    for text, y, x in labels:
        used.append(_label(pen, (text, y, x), size, used))
    return np.asarray(image, dtype=np.uint8)


def _label(
    pen: ImageDraw.ImageDraw, label: tuple[str, float, float], size: int, used: Sequence[Box]
) -> Box:
    """Draw one label where nothing is yet, and return where that was."""
    (text, y, x), font, pad = label, _font(size), size * 0.35
    width, height = pen.im.size
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    box = Box(0, 0, right - left + 2 * pad, bottom - top + 2 * pad)
    tries = [place.inside(width, height) for place in _places(box, y, x, size)]
    gap = pad / 2
    free = [place for place in tries if not any(place.grown(gap).hits(other) for other in used)]
    place = (free or tries)[0]
    near = (min(max(x, place.left), place.right), min(max(y, place.top), place.bottom))
    pen.line([(x, y), near], fill=PAPER, width=max(1, size // 8))
    pen.rounded_rectangle(tuple(place), radius=box.bottom * 0.2, fill=PAPER)
    pen.text((place.left + pad - left, place.top + pad - top), text, font=font, fill=INK)
    return place


def _legend(pen: ImageDraw.ImageDraw, entries: Sequence[tuple[str, Colour]], size: int) -> Box:
    """Draw the legend at the top left, above the road, and return its box."""
    font, pad, row = _font(size), size * 0.6, size * 1.5
    widest = max(pen.textlength(text, font=font) for text, _ in entries)
    box = Box(pad, pad, widest + size * 1.6 + 3 * pad, row * len(entries) + 2.6 * pad)
    pen.rounded_rectangle(tuple(box), radius=size * 0.4, fill=PAPER)
    for number, (text, colour) in enumerate(entries):
        top, left = box.top + pad * 0.8 + number * row, box.left + pad
        square = (left, top + size * 0.2, left + size, top + size * 1.2)
        pen.rounded_rectangle(square, size * 0.2, fill=colour)
        pen.text((left + size * 1.6, top + row / 2), text, font=font, fill=INK, anchor="lm")
    return box
