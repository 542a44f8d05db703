"""One frame laid out for training: how it is packed, and how parts of it are read.

The pixels lie as they are in memory, so that a crop is a few rows of a memory map: well under a
millisecond from 4K, where blosc2 takes ten times and PNG hundreds of times as long. Then come one
bit plane per bit of the class index, where foreground and hard places are, and what else the
annotation holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.sample import Sample
from sam_crack.data.sources import CELL, Cells, survey_cells, window
from sam_crack.errors import IntegrityError

Bits = NDArray[np.uint8]
_KINDS = {"|u1": "u1", "<u2": "<u2", "<u4": "<u4"}  # never objects


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
        if self._bytes.size != facts.get("bytes"):
            raise IntegrityError(
                f"{path}: {self._bytes.size} bytes",
                f"{facts.get('bytes')} bytes",
                "run `sam-crack data prepare` again",
            )

    def _part(self, name: str) -> NDArray[Any]:
        """Return a part as it is laid out, without reading it."""
        try:
            start, kind, shape = self.facts["parts"][name]
            dtype = np.dtype(_KINDS[kind])
            stop = start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            part: NDArray[Any] = np.asarray(self._bytes[start:stop]).view(dtype).reshape(shape)
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(
                f"{self.path}: its part {name} does not lie where the index says ({error})",
                "the store.json that was written with it",
                "run `sam-crack data prepare` again",
            ) from error
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
