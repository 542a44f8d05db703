"""Run-length masks as COCO writes them: column by column, background first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MAX_PIXELS = 200_000_000


def unpack_counts(text: str | bytes) -> list[int]:
    """Decode COCO's compressed counts: five bits per character, differences from the third on."""
    raw = text.encode("ascii") if isinstance(text, str) else text
    counts: list[int] = []
    at = 0
    while at < len(raw):
        value = shift = 0
        more = True
        while more:
            if at >= len(raw) or shift > 60:
                raise ValueError("compressed counts end inside a number")
            code = raw[at] - 48
            if not 0 <= code < 64:
                raise ValueError(f"character {raw[at]!r} in compressed counts")
            value |= (code & 31) << shift
            more = bool(code & 32)
            at, shift = at + 1, shift + 5
            if not more and code & 16:
                value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def pack_counts(counts: Sequence[int]) -> str:
    """Encode counts as COCO does."""
    out: list[str] = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            code, value = value & 31, value >> 5
            done = value == (-1 if code & 16 else 0)
            out.append(chr(code + 48 if done else code + 80))
            if done:
                break
    return "".join(out)


def counts_to_mask(counts: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Expand run lengths to (height, width)."""
    height, width = size
    if min(size) < 1 or height * width > _MAX_PIXELS:
        raise ValueError(f"a mask of {height} x {width}")
    if any(count < 0 for count in counts) or sum(counts) != height * width:
        raise ValueError(f"run lengths that do not add up to {height} x {width}")
    flags = np.repeat(np.arange(len(counts)) % 2 == 1, np.asarray(counts, np.int64))
    return flags.reshape(width, height).T


def mask_to_counts(mask: NDArray[np.bool_]) -> list[int]:
    """Return the run lengths of a mask."""
    flat = np.asarray(mask, np.bool_).T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *counts] if flat.size and flat[0] else counts
