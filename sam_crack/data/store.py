"""Frames laid out for training: a file for each, and `store.json`, which says what lies where."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from sam_crack import durable
from sam_crack.data.sample import Sample
from sam_crack.data.sets.spec import ClassSpec, Record
from sam_crack.data.stored import StoredFrame
from sam_crack.errors import BadInput, IntegrityError

FORMAT = "sam_crack store 1"
INDEX = "store.json"
FRAMES = "frames"


@dataclass(frozen=True, kw_only=True)
class Store(Sequence[Sample]):
    """Prepared frames: a sequence of samples of which parts can be read."""

    root: Path
    name: str
    """Data set it was made from."""
    classes: tuple[ClassSpec, ...]
    """Foreground classes, in mask order."""
    entries: tuple[Mapping[str, Any], ...]
    """Facts of each frame."""

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        """Read one frame whole; a slice is a store of fewer frames."""
        if isinstance(index, slice):
            entries = self.entries[index]
            return Store(root=self.root, name=self.name, classes=self.classes, entries=entries)
        return self.frame(index).whole()

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """Frames as records, as a data set has them."""
        return tuple(
            Record(
                id=each["id"],
                image=self.root / FRAMES / each["file"],
                split=each["split"],
                group=each["group"],
            )
            for each in self.entries
        )

    def frame(self, index: int) -> StoredFrame:
        """Map one frame without reading it."""
        facts = self.entries[index]
        return StoredFrame(self.root / FRAMES / facts["file"], facts)

    def read_crop(self, index: int, top: int, left: int, size: tuple[int, int]) -> Sample:
        """Read a rectangle of one frame; outside the frame it is black and to be ignored."""
        return self.frame(index).cut(top, left, size)

    def verify(self) -> None:
        """Compare every frame with its hash."""
        for each in self.entries:
            path = self.root / FRAMES / each["file"]
            if not path.is_file() or durable.sha256(path) != each["sha256"]:
                raise IntegrityError(
                    f"{path}: not what was prepared",
                    f"sha256 {each['sha256']}",
                    "run `sam-crack data prepare` with --verify, which makes it again",
                )


_KEYS: dict[str, type] = {
    **dict.fromkeys(("id", "group", "split", "file", "sha256"), str),
    **dict.fromkeys(("bytes", "foreground_px"), int),
    **dict.fromkeys(("parts", "types"), dict),
    "size": list,
}


def _refuse_odd(entry: Mapping[str, Any]) -> None:
    """Raise ValueError for a frame without its facts, or with a file elsewhere."""
    for key, kind in _KEYS.items():
        if not isinstance(entry[key], kind):
            raise ValueError(f"{key} {entry[key]!r}")
    if Path(entry["file"]).name != entry["file"]:
        raise ValueError(f"file {entry['file']!r}")
    if [type(side) for side in entry["size"]] != [int, int]:
        raise ValueError(f"size {entry['size']}")


def is_store(root: Path) -> bool:
    """Whether a folder holds a finished store."""
    return (root / INDEX).is_file()


def open_store(root: Path, *, split: str | None = None, classes: tuple[str, ...] = ()) -> Store:
    """Open a store made by `sam-crack data prepare`.

    Args:
        root: Its folder.
        split: Keep the frames of one split.
        classes: Foreground classes that are expected, in order; none takes what is there.
    """
    path = root / INDEX
    try:
        index = json.loads(path.read_text("utf-8"))
        if index["format"] != FORMAT:
            raise ValueError(f"format {index['format']!r}")
        found = tuple(
            ClassSpec(name=each["name"], colour=tuple(each["colour"])) for each in index["classes"]
        )
        entries = tuple(index["frames"])
        for each in entries:
            _refuse_odd(each)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path}: no finished store ({error})",
            "a folder that `sam-crack data prepare` has finished",
            "run it again with the same --out; it goes on where it stopped",
        ) from error
    names = tuple(each.name for each in found)
    if classes and tuple(name.split("=", 1)[0] for name in classes) != names:
        raise BadInput(
            f"{root}: prepared with the classes {', '.join(names)}",
            f"the asked ones, {', '.join(classes)}",
            "prepare a store with these classes",
        )
    if split is not None:
        splits = sorted({each["split"] or "unsplit" for each in entries})
        entries = tuple(each for each in entries if each["split"] == split)
        if not entries:
            raise BadInput(f"{root}: no frame in split {split}", f"found {', '.join(splits)}")
    return Store(root=root, name=index["dataset"], classes=found, entries=entries)
