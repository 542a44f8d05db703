"""Many pictures on one sheet, with a caption under each."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sam_crack.data.sets.spec import Colour

Picture = NDArray[np.uint8]
INK, MUTED, PAPER = (31, 41, 51), (107, 119, 133), (255, 255, 255)
_GAP, _LINE = 12, 17


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A picture and what is written under it."""

    picture: Picture
    """(height, width, 3), RGB."""
    caption: str = ""
    """One line; cut where it is longer than the picture is wide."""


def outlined(
    picture: Picture,
    mask: NDArray[np.uint8],
    colours: Mapping[int, Colour],
    *,
    dim: NDArray[np.bool_] | None = None,
    width_px: int = 1,
) -> Picture:
    """Draw each class's outline on the outside of its area, so that nothing of it is hidden.

    Args:
        picture: (height, width, 3), RGB.
        mask: (height, width) class index.
        colours: Class index to the RGB it is drawn in.
        dim: Pixels shown at half their brightness, such as those that do not count.
        width_px: Width of the line.
    """
    drawn = picture.copy()
    if dim is not None:
        drawn[dim] = drawn[dim] // 2
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width_px + 1, 2 * width_px + 1))
    present = set(np.unique(mask).tolist()) & colours.keys()
    for index in sorted(present, reverse=True):
        inside = (mask == index).view(np.uint8)
        drawn[(cv2.dilate(inside, disk) > 0) & (inside == 0)] = colours[index]
    return drawn


def fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """Resize into (height, width) with its proportions kept, on white."""
    height, width = size
    scale = min(height / picture.shape[0], width / picture.shape[1])
    inner = max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, inner[::-1], interpolation=how)
    out = np.full((height, width, 3), 255, np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    out[top : top + inner[0], left : left + inner[1]] = small
    return out


def mosaic(
    tiles: Sequence[Tile],
    *,
    columns: int,
    tile: tuple[int, int],
    title: str = "",
    legend: Sequence[tuple[str, Colour]] = (),
) -> Picture:
    """Lay tiles of (height, width) pixels out in rows, with a title and a legend of colours."""
    columns = max(1, min(columns, len(tiles)))
    rows = -(-len(tiles) // columns)
    captions = _LINE if any(each.caption for each in tiles) else 0
    head = 40 if title or legend else _GAP
    width = _GAP + columns * (tile[1] + _GAP)
    sheet = Image.new("RGB", (width, head + rows * (tile[0] + captions + _GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    small, large = ImageFont.load_default(13), ImageFont.load_default(19)
    pen.text((_GAP, 10), title, font=large, fill=INK)
    right = width - _GAP
    for text, colour in reversed(legend):
        right -= int(pen.textlength(text, font=small))
        pen.text((right, 14), text, font=small, fill=INK)
        pen.rectangle((right - 18, 15, right - 6, 27), fill=colour)
        right -= 34
    for number, each in enumerate(tiles):
        row, column = divmod(number, columns)
        left, top = _GAP + column * (tile[1] + _GAP), head + row * (tile[0] + captions + _GAP)
        sheet.paste(Image.fromarray(fit(each.picture, tile)), (left, top))
        text = _cut(each.caption, tile[1], pen, small)
        pen.text((left, top + tile[0] + 2), text, font=small, fill=MUTED)
    return np.asarray(sheet, np.uint8)


def _cut(
    text: str,
    width: int,
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> str:
    """Shorten a caption in its middle: file names differ at both ends."""
    if pen.textlength(text, font=font) <= width:
        return text
    keep = len(text)
    while keep > 4 and pen.textlength(_middle(text, keep), font=font) > width:
        keep -= 1
    return _middle(text, keep)


def _middle(text: str, keep: int) -> str:
    """Keep this many characters, half from each end."""
    return f"{text[: keep - keep // 2]}\N{HORIZONTAL ELLIPSIS}{text[-(keep // 2) :]}"


def png(picture: Picture) -> bytes:
    """Return the RGB picture as PNG."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
