"""What is found out about one frame by reading all of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.config.data_verbs import DataCheckOptions
from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.data.duplicates import Fingerprint, fingerprint
from sam_crack.data.formats.images import opened, read_raw_mask
from sam_crack.data.sets.folder import MixedMasks, Seen, see
from sam_crack.data.sets.spec import Annotation, Record
from sam_crack.errors import SamCrackError

_EXIF_ORIENTATION = 0x0112
_JPEG_TAIL = 4096


@dataclass(frozen=True, kw_only=True)
class FrameFacts:
    """One frame as found; small enough to be sent between processes."""

    id: str
    size: tuple[int, int] = (0, 0)
    """Height and width as read; zeros where the picture cannot be."""
    stored: str = ""
    """File format and mode, such as `JPEG RGB`."""
    areas: tuple[int, ...] = ()
    """Pixels per class, background first; classes that overlap count in full."""
    ignored_px: int = 0
    annotated: bool = False
    pixels: str = ""
    """Hash of the decoded picture: equal for equal pixels, whatever the file format."""
    labels: str = ""
    """Hash of the decoded mask."""
    look: Fingerprint | None = None
    seen: Seen | None = None
    """What the mask file of a folder of anyone's holds as stored."""
    problems: tuple[tuple[str, str], ...] = field(default=())
    """(kind, sentence) of everything wrong with this frame alone."""


def open_for_check(options: DataCheckOptions) -> tuple[Dataset, MixedMasks | None]:
    """Open a set; masks of several encodings are read with a class per number, to be shown."""

    def opened_with(classes: tuple[str, ...]) -> Dataset:
        return open_dataset(
            options.name,
            options.root,
            split=options.split or None,
            classes=classes,
            lists=options.lists,
        )

    try:
        return opened_with(options.classes), None
    except MixedMasks as mixture:
        dataset = opened_with(tuple(f"value_{value}={value}" for value in mixture.values))
        # Nobody stated this reading, and none is to be trained on.
        notes = tuple(note for note in dataset.spec.notes if note.startswith("pairs: "))
        return replace(dataset, spec=replace(dataset.spec, notes=notes)), mixture


def examine(dataset: Dataset, index: int) -> FrameFacts:
    """Read one frame whole and say what is found; nothing about it is raised."""
    record = dataset.records[index]
    problems: list[tuple[str, str]] = []
    stored = ""
    size, pixels, look = (0, 0), "", None
    try:
        stored, notes = _header(record)
        problems += notes
        image = dataset.read_image(index)
        size, pixels, look = (image.shape[0], image.shape[1]), _hash(image), fingerprint(image)
    except SamCrackError as error:
        problems.append(("unreadable picture", str(error)))
    areas: tuple[int, ...] = ()
    ignored, labels, seen = 0, "", None
    if record.masks:
        try:
            if dataset.spec.name == "folder":
                seen = see(record.masks["mask"], read_raw_mask(record.masks["mask"]))
                problems += _lossy(seen)
            found = dataset.read_mask(index)
            areas, labels = _areas(found, len(dataset.classes)), _hash(found.mask)
            ignored = int(np.count_nonzero(found.ignore)) if found.ignore is not None else 0
            problems += _judge(record, found, size, areas, ignored)
        except SamCrackError as error:
            problems.append(("unreadable mask", str(error)))
    return FrameFacts(
        id=record.id,
        size=size,
        stored=stored,
        areas=areas,
        ignored_px=ignored,
        annotated=bool(record.masks),
        pixels=pixels,
        labels=labels,
        look=look,
        seen=seen,
        problems=tuple(problems),
    )


def _header(record: Record) -> tuple[str, list[tuple[str, str]]]:
    """Return format and mode of a picture file, and what its header and its end give away."""
    if record.index is not None or record.image.suffix.lower() == ".npy":
        return record.image.suffix.lower().lstrip(".").upper(), []
    notes = []
    with opened(record.image) as image:
        stored = f"{image.format} {image.mode}"
        turn = image.getexif().get(_EXIF_ORIENTATION, 1)
        if turn != 1:
            notes.append(
                ("EXIF orientation", f"{record.image}: orientation {turn}, applied on reading")
            )
        if image.format == "JPEG" and not _ends_well(record.image):
            notes.append(
                ("no end marker", f"{record.image}: the JPEG has no end marker, fetch it again")
            )
    return stored, notes


def _ends_well(path: Path) -> bool:
    """Whether a JPEG's end marker stands near its end; cameras append padding to it."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _JPEG_TAIL))
        return b"\xff\xd9" in file.read()


def _lossy(seen: Seen) -> list[tuple[str, str]]:
    """Say that a mask's format smears its values."""
    if seen.lossless:
        return []
    text = f"{seen.path}: JPEG and WebP smear the values of a mask, save it as PNG"
    return [("lossy mask", text)]


def _areas(found: Annotation, num_classes: int) -> tuple[int, ...]:
    """Count pixels per class, background first."""
    counts = np.bincount(found.mask.ravel(), minlength=num_classes + 1)
    for index, layer in found.layers.items():
        counts[index] = max(int(counts[index]), int(np.count_nonzero(layer)))
    if found.ignore is not None:
        counts[0] -= np.count_nonzero(found.ignore & (found.mask == 0))
    return tuple(int(count) for count in counts[: num_classes + 1])


def _judge(
    record: Record,
    found: Annotation,
    size: tuple[int, int],
    areas: tuple[int, ...],
    ignored: int,
) -> list[tuple[str, str]]:
    """Say what is wrong with a mask that could be read."""
    where = next(iter(record.masks.values()))
    shape = found.mask.shape
    if size not in {(0, 0), shape}:
        turned = "; it fits before the picture's EXIF orientation" if shape == size[::-1] else ""
        return [
            (
                "sizes differ",
                f"{where}: {shape[0]} x {shape[1]}, its picture {size[0]} x {size[1]}{turned}",
            )
        ]
    if ignored == found.mask.size:
        return [("all ignored", f"{where}: every pixel is to be ignored")]
    if not any(areas[1:]):
        return [("empty mask", f"{where}: no foreground")]
    if max(areas[1:]) == found.mask.size:
        return [("full mask", f"{where}: one class covers every pixel")]
    return []


def _hash(array: NDArray[np.uint8]) -> str:
    """Hash an array's shape and content."""
    state = hashlib.blake2b(str(array.shape).encode(), digest_size=16)
    state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()
