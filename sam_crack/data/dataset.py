"""A data set opened at a root: a sequence of samples, whatever its layout."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.sample import Sample
from sam_crack.data.sets.catalogue import DATASETS
from sam_crack.data.sets.layout import SPLITS, assign_splits
from sam_crack.data.sets.pairing import NothingPairs, find_rules
from sam_crack.data.sets.spec import Annotation, ClassSpec, DatasetSpec, Record
from sam_crack.errors import BadInput, SamCrackError, UsageError


class UnknownSplit(UsageError):
    """A split that no data set has."""


class UnknownClass(UsageError):
    """A class that this data set has not."""


@dataclass(frozen=True, kw_only=True)
class Dataset(Sequence[Sample]):
    """The frames of one data set; pictures and annotations are read when asked for."""

    spec: DatasetSpec
    """What is known about the set; for `folder`, what was found out."""
    root: Path
    """Where it lies."""
    records: tuple[Record, ...]
    """Frames in order of id."""
    classes: tuple[ClassSpec, ...]
    """Foreground classes, in mask order: those asked for, or all."""

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        """Read one frame whole; a slice is a data set of fewer frames."""
        if isinstance(index, slice):
            return replace(self, records=self.records[index])
        record = self.records[index]
        image, annotation = self.read_image(index), self.read_mask(index)
        if image.shape[:2] != annotation.mask.shape:
            raise _sizes_differ(record, image.shape[:2], annotation.mask.shape)
        return Sample(
            id=record.id,
            image=image,
            mask=annotation.mask,
            instances=annotation.instances,
            types=annotation.types,
            region=annotation.region,
            ignore=annotation.ignore,
            group=record.group,
        )

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """Read one frame's picture: (height, width, 3) RGB, EXIF orientation applied."""
        return self.spec.read_image(self.records[index])

    def read_mask(self, index: int) -> Annotation:
        """Read one frame's annotation, with the asked classes renumbered from 1."""
        record = self.records[index]
        if not record.masks:
            raise BadInput(
                f"{record.image}: no annotation was found for it",
                f"the layout of {self.spec.name}: {self.spec.layout}",
                "add the missing file, or leave the frame out of the split",
            )
        annotation = self.spec.read(record)
        return annotation if self.classes == self.spec.classes else self._select(annotation)

    def _select(self, whole: Annotation) -> Annotation:
        """Keep the asked classes; where they overlap, the first asked wins."""
        names = [each.name for each in self.spec.classes]
        chosen = {names.index(each.name) + 1: new for new, each in enumerate(self.classes, 1)}
        table = np.zeros(256, np.uint8)
        for old, new in chosen.items():
            table[old] = new
        mask = table[whole.mask]
        layers = {new: whole.layers[old] for old, new in chosen.items() if old in whole.layers}
        for new in sorted(layers, reverse=True):
            mask[layers[new]] = new
        types = {number: chosen[old] for number, old in whole.types.items() if old in chosen}
        instances = whole.instances
        if instances is not None and whole.types:
            kept = np.zeros(int(instances.max()) + 1, np.bool_)
            kept[[number for number in types if number < kept.size]] = True
            instances = np.where(kept[instances], instances, 0).astype(np.int32)
        return replace(whole, mask=mask, layers=layers, types=types, instances=instances)


def open_dataset(
    name: str,
    root: Path,
    *,
    split: str | None = None,
    classes: tuple[str, ...] = (),
    lists: Path | None = None,
) -> Dataset:
    """Open a data set as published, without moving a file.

    Args:
        name: Key in the dict of data sets.
        root: Folder in which it lies.
        split: `train`, `val` or `test`; none takes every frame.
        classes: Foreground classes in order; none takes all. For `folder`, `name=value` pairs.
        lists: Folder of `train.txt`, `val.txt`, `test.txt` for sets without published splits;
            none looks for them in the root.
    """
    spec = find_spec(name)
    if not root.is_dir():
        raise BadInput(
            f"{root}: no such folder", f"the root of {name}: {spec.layout}", f"get it: {spec.url}"
        )
    try:
        spec = spec.adapt(root, classes) if spec.adapt else spec
    except NothingPairs as error:
        raise _nothing_found(spec, root) from error
    records = list(assign_splits(spec.scan(root), lists or root))
    if not records:
        raise _nothing_found(spec, root)
    if split is not None:
        records = _of_split(records, split, root, spec)
    ordered = tuple(sorted(records, key=lambda record: record.id))
    return Dataset(spec=spec, root=root, records=ordered, classes=pick_classes(spec, classes))


def find_spec(name: str, table: Mapping[str, DatasetSpec] = DATASETS) -> DatasetSpec:
    """Look a data set up by name; an unknown one is answered with the nearest."""
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name.lower(), table, n=1, cutoff=0.4)
    raise UsageError(
        f"data set {name!r}",
        "one of " + ", ".join(table),
        f"did you mean {near[0]}?" if near else "use `folder` for images and masks of your own",
    )


def pick_classes(spec: DatasetSpec, names: tuple[str, ...]) -> tuple[ClassSpec, ...]:
    """Return the named classes in the asked order; a name may carry `=value` for `folder`."""
    table = {each.name: each for each in spec.classes}
    asked = [name.split("=", 1)[0] for name in names]
    for name in asked:
        if name not in table:
            near = difflib.get_close_matches(name, table, n=1, cutoff=0.4)
            raise UnknownClass(
                f"class {name!r} of {spec.name}",
                "one of " + ", ".join(table),
                f"did you mean {near[0]}?" if near else "see `sam-crack data list`",
            )
    if len(set(asked)) < len(asked):
        raise UsageError(f"classes {', '.join(asked)}", "each class once", "drop the repetition")
    return tuple(table[name] for name in asked) or spec.classes


def _of_split(records: list[Record], split: str, root: Path, spec: DatasetSpec) -> list[Record]:
    """Keep one split, or say which there are."""
    kept = [record for record in records if record.split == split]
    if kept:
        return kept
    if split not in {*SPLITS, *spec.splits, *(record.split for record in records)}:
        near = difflib.get_close_matches(split, SPLITS, n=1, cutoff=0.4)
        raise UnknownSplit(
            f"split {split!r}", "train, val or test", f"did you mean {near[0]}?" if near else ""
        )
    found = sorted({record.split or "unsplit" for record in records})
    raise BadInput(
        f"{root}: {spec.name} has no frame in split {split} here",
        f"found {', '.join(found)}",
        f"choose one of these, or write {split}.txt beside the data with `sam-crack data split`",
    )


def _nothing_found(spec: DatasetSpec, root: Path) -> BadInput:
    """Say what was looked for, what is there instead, and which data set that may be."""
    others = [each.name for each in DATASETS.values() if each is not spec and _fits(each, root)]
    return BadInput(
        f"{root}: no frame of {spec.name} found; it holds {_contents(root)}",
        f"looked for {spec.layout}",
        f"this looks like {' or '.join(others[:3])}: open it as that"
        if others
        else f"point at the folder that holds this, or get it: {spec.url}",
    )


def _fits(spec: DatasetSpec, root: Path) -> bool:
    """Whether a data set finds an annotated frame in a root, without looking at pixels."""
    if spec.pairs_by_name:
        return spec.name == "folder" and bool(find_rules(root))
    with suppress(SamCrackError):
        return any(record.masks for record in islice(spec.scan(root), 50))
    return False


def _contents(root: Path) -> str:
    """Name the first things that lie in a folder."""
    names = sorted(
        path.name + ("/" if path.is_dir() else "") for path in islice(root.iterdir(), 500)
    )
    rest = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + rest if names else "nothing"


def _sizes_differ(record: Record, image: tuple[int, ...], mask: tuple[int, ...]) -> BadInput:
    """Compose the error for a pair that does not belong together."""
    hint = (
        "the mask fits the picture before its EXIF orientation; turn the mask as viewers show it"
        if image == mask[::-1]
        else "export the mask at the picture's size"
    )
    return BadInput(
        f"{record.id}: picture {image[0]} x {image[1]}, mask {mask[0]} x {mask[1]} (h x w)",
        "equal height and width once the picture's EXIF orientation is applied",
        hint,
    )
