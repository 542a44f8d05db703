"""When the frames of a drive were taken, and what their owner calls them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam_crack.measure.exif import read_exif
from sam_crack.measure.gpx import spread_ties


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What is known of when a frame was taken."""

    name: str
    source: Path
    clock_s: float | None
    """Seconds since the first video of the drive began; None for a picture."""


def picture_times(pictures: Iterable[Shot]) -> dict[str, float]:
    """Return picture to the time in its EXIF; pictures without one are left out.

    A clock of whole seconds gives several pictures of a folder the same time: they are laid over
    that second in their order. Those of two folders may well be two cameras, and stay together.
    """
    folders: dict[Path, list[tuple[float, str]]] = defaultdict(list)
    for shot in pictures:
        found = read_exif(shot.source)
        if found is not None and found.time_s is not None:
            folders[shot.source.parent].append((found.time_s, shot.name))
    taken_s: dict[str, float] = {}
    for rows in folders.values():
        rows.sort(key=lambda row: row[0])
        stated = np.array([time_s for time_s, _ in rows])
        apart = np.where(stated % 1 == 0, spread_ties(stated), stated)
        taken_s |= zip((name for _, name in rows), apart.tolist(), strict=True)
    return taken_s
