"""Frames laid out for training: raw pixels to map, masks of one bit, and where to crop.

One file per frame: the pixels as they are in memory, so that a crop is a few rows of a memory map
(0.1 ms from 4K; blosc2 takes ten times that, PNG a thousand times), then one bit plane per bit of
the class index, then what else the annotation holds. `store.json` says what lies where.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sam_crack import durable
from sam_crack.data.sample import Sample
from sam_crack.data.sets.spec import ClassSpec, Record
from sam_crack.data.sources import CELL, Cells, survey_cells, window
from sam_crack.errors import BadInput, IntegrityError

FORMAT = "sam_crack store 1"
INDEX = "store.json"
FRAMES = "frames"
Bits = NDArray[np.uint8]


def num_planes(num_classes: int) -> int:
    """Return the bits that hold a class index."""
    return max(1, num_classes.bit_length())


def frame_bytes(size: tuple[int, int], num_classes: int) -> int:
    """Return what a frame without instances takes, exactly but for region and ignored pixels."""
    height, width = size
    cells = 2 * -(-height // CELL) * -(-width // CELL)
    planes = num_planes(num_classes) * height * -(-width // 8)
    return 3 * height * width + planes + 4 * (height + 1) + cells


def pack(sample: Sample, num_classes: int) -> tuple[bytes, dict[str, Any]]:
    """Lay a sample out as bytes; the facts say where each part begins and how it is shaped."""
    cells = survey_cells(sample)
    planes = [sample.mask >> bit & 1 for bit in range(num_planes(num_classes))]
    parts: dict[str, NDArray[Any]] = {
        "image": sample.image,
        "mask": np.stack([np.packbits(plane, axis=1) for plane in planes]),
        "rows": np.append(0, np.cumsum(np.count_nonzero(sample.mask, axis=1))).astype(np.uint32),
        "filled": cells.filled.view(np.uint8),
        "hard": cells.hard,
    }
    if sample.region is not None:
        parts["region"] = np.packbits(sample.region, axis=1)
    if sample.ignore is not None:
        parts["ignore"] = np.packbits(sample.ignore, axis=1)
    if sample.instances is not None:
        wide = int(sample.instances.max(initial=0)) > np.iinfo(np.uint16).max
        parts["instances"] = sample.instances.astype(np.uint32 if wide else np.uint16)
    layout, chunks, start = {}, [], 0
    for name, array in parts.items():
        chunks.append(np.ascontiguousarray(array).tobytes())
        layout[name] = [start, array.dtype.str, list(array.shape)]
        chunks.append(b"\0" * (-len(chunks[-1]) % 8))  # every part begins aligned
        start += len(chunks[-1]) + len(chunks[-2])
    facts = {
        "id": sample.id,
        "group": sample.group,
        "size": list(sample.mask.shape),
        "foreground_px": int(parts["rows"][-1]),
        "types": {str(number): index for number, index in sample.types.items()},
        "parts": layout,
        "bytes": start,
    }
    return b"".join(chunks), facts


class StoredFrame:
    """A frame of a store, mapped; only what is asked for is read."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Map the file."""
        self.path, self.facts = path, facts
        try:
            self._bytes = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise IntegrityError(
                f"{path}: {error}", "a frame of a store", "run `sam-crack data prepare` again"
            ) from error
        if self._bytes.size != facts["bytes"]:
            raise IntegrityError(
                f"{path}: {self._bytes.size} bytes",
                f"{facts['bytes']} bytes",
                "run `sam-crack data prepare` again",
            )

    def _part(self, name: str) -> NDArray[Any]:
        """Return a part as it is laid out, without reading it."""
        start, kind, shape = self.facts["parts"][name]
        dtype = np.dtype(kind)
        stop = start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        part: NDArray[Any] = np.asarray(self._bytes[start:stop]).view(dtype).reshape(shape)
        return part

    @property
    def id(self) -> str:
        """The sample's id."""
        return str(self.facts["id"])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frame."""
        height, width = self.facts["size"]
        return height, width

    @property
    def num_foreground(self) -> int:
        """Foreground pixels of the frame."""
        return int(self.facts["foreground_px"])

    @cached_property
    def cells(self) -> Cells:
        """The survey of the frame, made when it was prepared."""
        return Cells(filled=self._part("filled").view(np.bool_), hard=self._part("hard"))

    def foreground(self, number: int) -> tuple[int, int]:
        """Return (y, x) of the foreground pixel of this number, counted row by row."""
        rows = self._part("rows")
        y = int(np.searchsorted(rows, number, side="right")) - 1
        line = self._mask(y, y + 1, 0, self.size[1])
        return y, int(np.flatnonzero(line)[number - int(rows[y])])

    def cut(self, top: int, left: int, size: tuple[int, int]) -> Sample:
        """Cut a rectangle; outside the frame it is black, background, and to be ignored."""
        height, width = self.size
        y0, y1 = (min(max(at, 0), height) for at in (top, top + size[0]))
        x0, x1 = (min(max(at, 0), width) for at in (left, left + size[1]))
        at, parts = (top - y0, left - x0), self.facts["parts"]
        counts = np.ones((y1 - y0, x1 - x0), np.bool_)
        if "ignore" in parts:
            counts &= ~_unpack(self._part("ignore")[y0:y1], x0, x1)
        region = _unpack(self._part("region")[y0:y1], x0, x1) if "region" in parts else None
        instances = self._part("instances")[y0:y1, x0:x1] if "instances" in parts else None
        return Sample(
            id=self.id,
            image=window(self._part("image")[y0:y1, x0:x1], *at, size),
            mask=window(self._mask(y0, y1, x0, x1), *at, size),
            instances=None if instances is None else window(instances.astype(np.int32), *at, size),
            types=self.types,
            region=None if region is None else window(region, *at, size),
            ignore=~window(counts, *at, size),
            group=str(self.facts["group"]),
        )

    @cached_property
    def types(self) -> dict[int, int]:
        """Instance number to class index."""
        return {int(number): index for number, index in self.facts["types"].items()}

    def _mask(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.uint8]:
        """Read classes of a rectangle inside the frame."""
        planes = self._part("mask")
        mask = _unpack(planes[0, y0:y1], x0, x1).view(np.uint8)
        for bit in range(1, len(planes)):
            mask |= _unpack(planes[bit, y0:y1], x0, x1).view(np.uint8) << np.uint8(bit)
        return mask

    def whole(self) -> Sample:
        """Read all of the frame."""
        found = self.cut(0, 0, self.size)
        return found if "ignore" in self.facts["parts"] else replace(found, ignore=None)


def _unpack(rows: Bits, x0: int, x1: int) -> NDArray[np.bool_]:
    """Unpack the columns x0 to x1 of packed rows, and no more bytes than they lie in."""
    first = x0 // 8
    bits = np.unpackbits(rows[:, first : -(-x1 // 8)], axis=1)
    found: NDArray[np.bool_] = np.ascontiguousarray(bits[:, x0 - 8 * first : x1 - 8 * first]).view(
        np.bool_
    )
    return found


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
    except (OSError, ValueError, KeyError, TypeError) as error:
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
