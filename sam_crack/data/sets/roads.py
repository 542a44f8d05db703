"""Roads seen from a moving vehicle."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from sam_crack.data.formats.encoding import BLACK_WHITE, read_mask
from sam_crack.data.formats.images import IMAGE_SUFFIXES
from sam_crack.data.sets.layout import by_stem, list_files, list_folders, pairs
from sam_crack.data.sets.spec import (
    Annotation,
    ClassSpec,
    DatasetSpec,
    Record,
    encoded,
    same_shape,
)

CRACK = ClassSpec(name="crack", colour=(255, 64, 64))
POTHOLE = ClassSpec(name="pothole", colour=(64, 128, 255))


BINARY = partial(encoded, encoding=BLACK_WHITE)


def _scan_dnit(root: Path) -> Iterator[Record]:
    """Find `<id>/<id>_RAW.jpg` and its masks in the published folder of folders."""
    home = root / "Dataset" if (root / "Dataset").is_dir() else root
    for folder in list_folders(home, root=root):
        files = {path.stem: path for path in list_files(folder, IMAGE_SUFFIXES, root=root)}
        image = files.get(f"{folder.name}_RAW")
        if image is None:
            continue
        roles = {"crack": "CRACK", "pothole": "POTHOLE", "lane": "LANE"}
        masks = {
            role: files[f"{folder.name}_{tail}"]
            for role, tail in roles.items()
            if f"{folder.name}_{tail}" in files
        }
        yield Record(
            id=folder.name,
            image=image,
            masks=masks if {"crack", "pothole"} & set(masks) else {},
            group=road_section(folder.name),
        )


def road_section(frame_id: str) -> str:
    """Return the section of `<number>_<state>_<road>_<section>_<metre>`: state, road, section."""
    parts = frame_id.split("_")
    return "_".join(parts[1:-1]) if len(parts) > 3 else ""


def _read_dnit(record: Record) -> Annotation:
    """Read crack and pothole as complete layers, cracks on top, and the lane as region."""
    flags = {
        role: read_mask(path, BLACK_WHITE).mask.astype(bool) for role, path in record.masks.items()
    }
    same_shape(record, {role: each.shape for role, each in flags.items()})
    region = flags.pop("lane", None)
    layers = {index: flags[role] for index, role in ((1, "crack"), (2, "pothole")) if role in flags}
    mask = np.zeros(next(iter(flags.values())).shape, np.uint8)
    for index in sorted(layers, reverse=True):
        mask[layers[index]] = index
    return Annotation(mask=mask, layers=layers, region=region)


def scan_two_folders(
    root: Path, *, images: str = "images", masks: str = "masks"
) -> Iterator[Record]:
    """Find images and the masks of the same name in two folders side by side."""
    yield from pairs(
        list_files(root / images, root=root), by_stem(list_files(root / masks, root=root))
    )


def _read_synth(record: Record) -> Annotation:
    """Read a rendered frame: crack mask, and the lane it was drawn on as region."""
    found = encoded(record, encoding=BLACK_WHITE)
    if "lane" not in record.masks:
        return found
    lane = read_mask(record.masks["lane"], BLACK_WHITE).mask.astype(bool)
    same_shape(record, {"mask": found.mask.shape, "lane": lane.shape})
    return Annotation(mask=found.mask, region=lane)


def _scan_synth(root: Path) -> Iterator[Record]:
    """Find rendered frames with their masks and lanes."""
    masks = by_stem(list_files(root / "masks", root=root))
    lanes = by_stem(list_files(root / "lanes", root=root))
    for image in list_files(root / "images", root=root):
        roles = {"mask": masks.get(image.stem), "lane": lanes.get(image.stem)}
        found = {role: path for role, path in roles.items() if path}
        yield Record(id=image.stem, image=image, masks=found if "mask" in found else {})


DNIT = DatasetSpec(
    name="dnit",
    title="Brazilian highways from a survey vehicle, 1024x640 and 1024x630, cracks and potholes",
    url="https://data.mendeley.com/datasets/t576ydh9v8",
    licence="MIT",
    citation="Passos, Cassaniga, Fernandes, Medeiros, Comunello: Cracks and Potholes in Road "
    "Images Dataset, 2020",
    classes=(CRACK, POTHOLE),
    splits={"all": 2235},
    layout="Dataset/<id>/<id>_{RAW.jpg,CRACK.png,LANE.png,POTHOLE.png}, optionally "
    "train.txt, val.txt, test.txt",
    scan=_scan_dnit,
    read=_read_dnit,
    grouped_by="road section",
    notes=("Neighbouring frames are 5 m apart: split by road section, never by frame.",),
)

UAV = DatasetSpec(
    name="uav",
    title="pavement cracks from a drone, 448x448 close-ups",
    url="https://www.kaggle.com/datasets",
    licence="CC0-1.0",
    citation="unstated",
    classes=(CRACK,),
    splits={},
    layout="images/*.png, masks/*.png of the same name, train.txt, val.txt, test.txt",
    scan=scan_two_folders,
    read=BINARY,
    notes=("A few files carry an alpha channel, which holds no class and is dropped.",),
)

SYNTH = DatasetSpec(
    name="synth",
    title="rendered drives over cracked roads, from `sam-crack synth`",
    url="rendered on your machine by `sam-crack synth`",
    licence="Apache-2.0",
    citation="this package",
    classes=(CRACK,),
    splits={},
    layout="images/, masks/ and lanes/ of the same names, train.txt, val.txt, test.txt",
    scan=_scan_synth,
    read=_read_synth,
)

ROADS = (DNIT, UAV, SYNTH)
