"""A few frames of an input, evenly spread over all of it, without reading the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput
from sam_crack.infer.frames import Source, read_frame
from sam_crack.infer.video import declared_frames


def few_frames(sources: Sequence[Source], number: int) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return names and RGB images of so many frames, fewer where there are not as many.

    They depend on the sources alone, not on which of their frames are looked at later. What
    cannot be read is left out.
    """
    counts = [declared_frames(each.path) if each.is_video else 1 for each in sources]
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    found = []
    for place in middles(total, number):
        source = int(np.searchsorted(ends, place, side="right"))
        index = place - int(ends[source] - counts[source])
        image = _read(sources[source], index)
        if image is not None:
            found.append((_name(sources[source], index), image))
    return found


def middles(total: int, number: int) -> list[int]:
    """Return the places of so many of a total: the middles of equal parts."""
    if number >= total:
        return list(range(total))
    return [(2 * part + 1) * total // (2 * number) for part in range(number)]


def _name(source: Source, index: int) -> str:
    return f"{source.name}/{index:06d}" if source.is_video else source.name


def _read(source: Source, index: int) -> NDArray[np.uint8] | None:
    """Decode one frame; None where that fails."""
    if not source.is_video:
        try:
            return read_frame(source.path)
        except BadInput:
            return None
    return _still(source.path, index)


def _still(path: Path, index: int) -> NDArray[np.uint8] | None:
    """Decode one frame of a video."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        whole, pixels = capture.read()
    finally:
        capture.release()
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8) if whole else None
