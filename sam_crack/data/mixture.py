"""Several data sets that are learnt from as one; the first says what a class and a scale are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import overload

from sam_crack.data.dataset import Dataset
from sam_crack.data.sample import Sample
from sam_crack.data.sets.spec import ClassSpec, Record
from sam_crack.data.store import Store


@dataclass(frozen=True, kw_only=True)
class Part:
    """One set of a mixture."""

    name: str
    samples: Dataset | Store
    scale: float = 1.0
    """Factor by which its frames show things as large as those of the first set do."""


@dataclass(frozen=True, kw_only=True)
class Mixture(Sequence[Sample]):
    """The frames of all parts, one part after the other."""

    parts: tuple[Part, ...]

    @property
    def first(self) -> Dataset | Store:
        """Return the set that is validated on."""
        return self.parts[0].samples

    @property
    def classes(self) -> tuple[ClassSpec, ...]:
        """Return the foreground classes, which all parts share."""
        return self.first.classes

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """Frames with ids that no two sets share."""
        return tuple(
            record if part is self.parts[0] else replace(record, id=f"{part.name}/{record.id}")
            for part in self.parts
            for record in part.samples.records
        )

    def __len__(self) -> int:
        """Return the number of frames of all parts."""
        return sum(len(part.samples) for part in self.parts)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        """Read one frame whole."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        part, place = self.locate(index)
        return replace(part.samples[place], id=self.records[index].id)

    def locate(self, index: int) -> tuple[Part, int]:
        """Return the part that holds a frame, and the frame's place in it."""
        place = index if index >= 0 else index + len(self)
        for part in self.parts:
            if 0 <= place < len(part.samples):
                return part, place
            place -= len(part.samples)
        raise IndexError(index)
