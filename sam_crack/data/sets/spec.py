"""What is known about a data set before it is opened, and what its files turn into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.encoding import BLACK_WHITE, Encoding, read_mask
from sam_crack.data.formats.images import read_rgb
from sam_crack.errors import BadInput

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class ClassSpec:
    """One foreground class."""

    name: str
    """Lower case, as the flags spell it."""
    colour: Colour
    """RGB in which it is drawn; the published one where there is one."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One frame of a data set, found without opening pixels."""

    id: str
    """Unique within the data set."""
    image: Path
    """Picture file, or the archive that holds it at `index`."""
    masks: Mapping[str, Path] = field(default_factory=dict)
    """Annotation files by role; `mask` where there is one. Empty: not annotated."""
    index: int | None = None
    """Place inside an archive of many frames."""
    split: str = ""
    """Published or listed split; empty where there is none."""
    group: str = ""
    """What must not be split: road section, patient, parent photo, city."""


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """Everything a frame's annotation files say; arrays share the frame's height and width."""

    mask: NDArray[np.uint8]
    """(height, width) class index: 0 background, 1.. classes in order."""
    layers: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    """Class index to its complete area, where classes may overlap; `mask` shows the last."""
    instances: NDArray[np.int32] | None = None
    """(height, width) instance number, 0 where there is none."""
    types: dict[int, int] = field(default_factory=dict)
    """Instance number to class index."""
    region: NDArray[np.bool_] | None = None
    """(height, width) where the annotation was looked for."""
    ignore: NDArray[np.bool_] | None = None
    """(height, width) pixels that count neither for nor against."""


CRACK = ClassSpec(name="crack", colour=(255, 64, 64))


def picture(record: Record) -> NDArray[np.uint8]:
    """Read a record whose image is a picture file."""
    return read_rgb(record.image)


def encoded(record: Record, *, encoding: Encoding) -> Annotation:
    """Read a record whose annotation is one mask file in a known encoding."""
    decoded = read_mask(record.masks["mask"], encoding)
    return Annotation(mask=decoded.mask, ignore=decoded.ignore)


BINARY = partial(encoded, encoding=BLACK_WHITE)


def same_shape(record: Record, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse annotation files of one frame that differ in size."""
    if len(set(shapes.values())) > 1:
        raise BadInput(
            f"{record.id}: " + ", ".join(f"{role} {h} x {w}" for role, (h, w) in shapes.items()),
            "annotation files of one frame with equal height and width",
            "fetch the frame again, or leave it out",
        )


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A data set: where it comes from, how it lies on disk, and how to read it."""

    name: str
    """Key in the dict of data sets."""
    title: str
    """What it is, in one line."""
    url: str
    """Where to get it."""
    licence: str
    """As its authors state it; `unstated` where they do not."""
    citation: str
    """The paper or page to cite."""
    classes: tuple[ClassSpec, ...]
    """Foreground classes; the mask's index 1 is the first."""
    splits: Mapping[str, int]
    """Published split to the number of frames it should have; `all` where unsplit."""
    layout: str
    """The folders and files that are looked for, for errors and listings."""
    scan: Callable[[Path], Iterator[Record]]
    """Find the frames of a root without opening pixels."""
    read: Callable[[Record], Annotation]
    """Read one frame's annotation."""
    read_image: Callable[[Record], NDArray[np.uint8]] = picture
    """Read one frame's picture."""
    pairs_by_name: bool = False
    """Whether any folders whose files pair by name are accepted, besides the layout."""
    grouped_by: str = ""
    """What a group is: road section, patient, ...; empty where frames are independent."""
    has_objects: bool = False
    """Whether all foreground is made of separate objects, which are then scored as such."""
    notes: tuple[str, ...] = ()
    """Facts a user must know: leaks between splits, counts that texts disagree about."""
    adapt: Callable[[Path, tuple[str, ...]], DatasetSpec] | None = None
    """Given the root and the asked classes, return the spec that only they determine."""
