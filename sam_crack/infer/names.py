"""Names for outputs: safe on every file system, and never the same twice."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

_UNSAFE = re.compile(r"[^\w .+@=()-]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # to Windows
_WRITTEN = (".png", ".jpg", ".mp4")  # of outputs: a folder `a.png` would stand where one goes
_MAX_BYTES = 200  # file systems allow 255 in a part, and suffixes are added


def unique_names(
    wanted: Sequence[str], *, folders: Sequence[bool], kept: Mapping[int, str] | None = None
) -> list[str]:
    """Name every file after its relative path without suffix; doubles keep more of it.

    Args:
        wanted: Relative paths with suffix.
        folders: Whether the name becomes a folder, so that nothing else may lie in it.
        kept: Place in `wanted` to the name that this file was given before, and keeps.
    """
    taken = _Taken()
    names = dict(kept or {})
    for place, name in names.items():
        taken.add(name, folders[place])
    for place, (path, is_folder) in enumerate(zip(wanted, folders, strict=True)):
        if place not in names:
            name = next(name for name in _candidates(path) if not taken.clashes(name, is_folder))
            taken.add(name, is_folder)
            names[place] = name
    return [names[place] for place in range(len(wanted))]


def _candidates(path: str) -> Iterator[str]:
    """Yield names from the plain to the numbered."""
    pure = PurePosixPath(path)
    plain = pure.with_suffix("") if pure.name else pure
    stem = "/".join(_as_folder(_safe(part)) for part in plain.parts) or "_"
    yield stem
    full = f"{stem}_{pure.suffix[1:].lower()}" if pure.suffix else stem
    yield full
    flat = full.replace("/", "_")  # lies in no folder, so not in that of a video either
    yield flat
    yield from (f"{flat}-{number}" for number in itertools.count(2))


def _safe(part: str) -> str:
    """Replace what some file system or shell trips over."""
    part = _UNSAFE.sub("_", unicodedata.normalize("NFC", part)).strip(" .")
    part = part.encode()[:_MAX_BYTES].decode(errors="ignore").strip(" .") or "_"
    return f"{part}_" if _RESERVED.fullmatch(part) else part


def _as_folder(part: str) -> str:
    """Keep what may become a folder from being called like a file that is written."""
    return f"{part}_" if part.lower().endswith(_WRITTEN) else part


class _Taken:
    """Names given away, compared as a file system that ignores case would."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._folders: set[str] = set()
        self._parents: set[str] = set()

    def add(self, name: str, is_folder: bool) -> None:
        folded = name.casefold()
        self._names.add(folded)
        if is_folder:
            self._folders.add(folded)
        self._parents.update(_parents(folded))

    def clashes(self, name: str, is_folder: bool) -> bool:
        folded = name.casefold()
        inside = not self._folders.isdisjoint(_parents(folded))
        return folded in self._names or inside or (is_folder and folded in self._parents)


def _parents(name: str) -> Iterable[str]:
    return [str(parent) for parent in PurePosixPath(name).parents if str(parent) != "."]
