"""When the frames of a drive were taken, and what their owner calls them."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from sam_crack.errors import BadInput
from sam_crack.measure.exif import read_exif
from sam_crack.measure.positions import spread_ties

Parts = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What is known of when a frame was taken."""

    name: str
    source: Path
    clock_s: float | None
    """Seconds since the first video of the drive began; None for a picture."""
    file: str = ""
    """Relative path that it was asked for by, with suffix."""


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


def match_names(names: Sequence[str], pictures: Iterable[Shot]) -> dict[str, int]:
    """Return picture to the row of a track that names it.

    A name fits a picture whose path ends with it, else whose path without suffix does, else whose
    outputs are called so. Of several, the one that was asked for by just that path is meant.
    """
    ways = [_Ends(), _Ends(), _Ends()]
    for shot in pictures:
        whole = _parts(str(shot.source.absolute()))
        for way, path in zip(ways, (whole, _stem(whole), _parts(shot.name)), strict=True):
            way.add(path, shot)
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        parts = _parts(name)
        fits = next(filter(None, (way.fitting(parts) for way in ways)), [])
        if len(fits) > 1:
            files = [(_parts(one.file), one) for one in fits]
            fits = [one for file, one in files if parts in (file, _stem(file))] or fits
        if len(fits) > 1:
            raise BadInput(
                f"the track's frame {name!r} may be {fits[0].source} or {fits[1].source}",
                "names that fit one picture each",
                "write more of their paths into the track",
            )
        rows |= {one.name: row for one in fits}
    return rows


class _Ends:
    """Pictures by how their paths end."""

    def __init__(self) -> None:
        self._by_last: dict[str, list[tuple[Parts, Shot]]] = defaultdict(list)

    def add(self, path: Parts, shot: Shot) -> None:
        self._by_last[path[-1]].append((path, shot))

    def fitting(self, parts: Parts) -> list[Shot]:
        alike = self._by_last.get(parts[-1], []) if parts else []
        return [shot for path, shot in alike if path[-len(parts) :] == parts]


def _stem(parts: Parts) -> Parts:
    return (*parts[:-1], PurePosixPath(parts[-1]).stem) if parts else ()


def _parts(path: str) -> Parts:
    """Split a path, whichever system it was written on."""
    plain = os.path.normpath(unicodedata.normalize("NFC", path.strip()).replace("\\", "/"))
    return tuple(part for part in PurePosixPath(plain).parts if part != "..")
