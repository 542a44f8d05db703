"""What a mask's stored numbers mean: a threshold, grey levels or palette indices, or colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.images import RawMask, read_raw_mask
from sam_crack.errors import BadInput

Mask = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Binary:
    """Bright is class 1. A mask that is only 0 and 1 is taken at its word when lossless."""

    cut: int = 127
    """Largest background value."""
    inverted: bool = False
    """True where dark is the class, as in scans drawn in black ink."""
    rare: bool = False
    """True takes the rarer level as the class, where copies of a set differ in polarity."""

    def __str__(self) -> str:
        """Say the rule as errors do."""
        side = f"0 to {self.cut}" if self.inverted else f"{self.cut + 1} to 255"
        return f"two levels, class 1 is {side}"


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Each grey level or palette index has a class."""

    classes: Mapping[int, int]
    """Stored number to class index."""
    ignore: frozenset[int] = frozenset()
    """Stored numbers that count neither for nor against."""
    others: bool = False
    """True takes every other number as background; false refuses it."""

    def __str__(self) -> str:
        """Say the rule as errors do."""
        known = sorted({*self.classes, *self.ignore})
        return "levels " + ", ".join(map(str, known))


@dataclass(frozen=True, kw_only=True)
class Colours:
    """Each RGB colour has a class."""

    classes: Mapping[Colour, int]
    """Stored colour to class index."""
    ignore: frozenset[Colour] = frozenset()
    """Colours that count neither for nor against."""
    others: bool = False
    """True takes every other colour as background; false refuses it."""

    def __str__(self) -> str:
        """Say the rule as errors do."""
        known = sorted({*self.classes, *self.ignore})
        return "colours " + ", ".join(hex_colour(colour) for colour in known)


Encoding = Binary | Levels | Colours
BLACK_WHITE = Binary()


def hex_colour(colour: Colour) -> str:
    """Write a colour as #rrggbb."""
    return "#" + bytes(colour).hex()


@dataclass(frozen=True)
class Decoded:
    """Class indices and, where the encoding has one, the pixels to ignore."""

    mask: Mask
    ignore: Flags | None = field(default=None)


def read_mask(path: Path, encoding: Encoding) -> Decoded:
    """Read a mask file and give its numbers their meaning."""
    return decode(read_raw_mask(path), encoding, path)


def decode(raw: RawMask, encoding: Encoding, path: Path) -> Decoded:
    """Turn stored numbers into class indices; a number without a meaning is an error."""
    if isinstance(encoding, Binary):
        return Decoded(_binary(raw, encoding, path))
    if isinstance(encoding, Levels):
        if raw.kind == "colour":
            raise _unknown(path, "colours where numbers are expected", encoding)
        return _levels(raw.values, encoding, path)
    return _colours(raw.values, encoding, path)


def _binary(raw: RawMask, encoding: Binary, path: Path) -> Mask:
    """Threshold, after making sure that the two levels lie on both sides of it."""
    values = raw.values.max(axis=2) if raw.kind == "colour" else raw.values
    if raw.kind == "bit":
        bright = values > 0
    else:
        peak = int(values.max())
        cut = encoding.cut
        if raw.lossless and peak == 1:
            cut = 0
        elif raw.lossless and 1 < peak <= cut:
            raise _unknown(path, f"brightest value {peak}", encoding)
        bright = values > cut
    flip = encoding.inverted or (encoding.rare and bright.mean() > 0.5)
    return (~bright if flip else bright).astype(np.uint8)


def _levels(values: NDArray[np.integer], encoding: Levels, path: Path) -> Decoded:
    """Look every number up in a table as long as the largest one."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 0xFFFF:
        raise _unknown(path, f"values {low} to {high}", encoding)
    table = np.zeros(high + 1, np.uint8)
    known = np.full(high + 1, encoding.others)
    ignored = np.zeros(high + 1, np.bool_)
    for value, index in encoding.classes.items():
        if value <= high:
            table[value], known[value] = index, True
    for value in encoding.ignore:
        if value <= high:
            ignored[value] = known[value] = True
    if not known.all():
        strange = np.unique(values[~known[values]])
        if strange.size:
            raise _unknown(path, f"values {', '.join(map(str, strange[:8]))}", encoding)
    return Decoded(table[values], ignored[values] if encoding.ignore else None)


def _colours(values: NDArray[np.integer], encoding: Colours, path: Path) -> Decoded:
    """Compare every colour as one number."""
    wide = values.astype(np.uint32)
    red, green, blue = (wide[..., 0], wide[..., 1], wide[..., 2]) if wide.ndim == 3 else (wide,) * 3
    codes = red << 16 | green << 8 | blue
    mask, known = np.zeros(codes.shape, np.uint8), np.zeros(codes.shape, np.bool_)
    ignore = np.zeros(codes.shape, np.bool_)
    for colour, index in encoding.classes.items():
        here = codes == _code(colour)
        mask[here], known[here] = index, True
    for colour in encoding.ignore:
        ignore |= codes == _code(colour)
    known |= ignore
    if not encoding.others and not known.all():
        strange = np.unique(codes[~known])[:8]
        raise _unknown(path, "colours " + ", ".join(f"#{code:06x}" for code in strange), encoding)
    return Decoded(mask, ignore if encoding.ignore else None)


def _code(colour: Colour) -> int:
    """Write a colour as 0xrrggbb."""
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _unknown(path: Path, what: str, encoding: Encoding) -> BadInput:
    """Compose the error for a mask in another encoding than the data set's."""
    return BadInput(
        f"{path}: {what}",
        f"this data set's masks hold {encoding}",
        "open it as `folder`, which finds out the encoding, or name the class values there",
    )
