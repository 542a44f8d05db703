"""Roads seen from a moving vehicle."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from sam_crack.data.formats.encoding import BLACK_WHITE, Colours, Levels, read_mask
from sam_crack.data.formats.images import IMAGE_SUFFIXES
from sam_crack.data.sets import crackseg
from sam_crack.data.sets.guess import named_classes
from sam_crack.data.sets.layout import by_stem, list_files, list_folders
from sam_crack.data.sets.pairing import scan_pairs
from sam_crack.data.sets.spec import (
    CRACK,
    Annotation,
    ClassSpec,
    DatasetSpec,
    Record,
    encoded,
    same_shape,
)

POTHOLE = ClassSpec(name="pothole", colour=(64, 128, 255))
_GREYS = {
    "pothole": 60,
    "sealed_crack": 90,
    "patch": 120,
    "alligator": 150,
    "cover": 180,
    "joint": 210,
}
_PAVESEG = {0: 0, 30: 1} | {value: index for index, value in enumerate(_GREYS.values(), 2)}


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


def _read_synth(record: Record) -> Annotation:
    """Read a rendered frame: crack mask, and the lane it was drawn on as region."""
    found = encoded(record, encoding=BLACK_WHITE)
    if "lane" not in record.masks:
        return found
    lane = read_mask(record.masks["lane"], BLACK_WHITE).mask.astype(bool)
    same_shape(record, {"mask": found.mask.shape, "lane": lane.shape})
    return Annotation(mask=found.mask, region=lane)


def _scan_synth(root: Path) -> Iterator[Record]:
    """Find the frames of one rendered drive, or of every drive in a folder of drives."""
    one = (root / "images").is_dir() or not root.is_dir()
    drives = [root] if one else sorted(path.parent for path in root.glob("*/images"))
    for drive in drives:
        masks = by_stem(list_files(drive / "masks", root=root))
        lanes = by_stem(list_files(drive / "lanes", root=root))
        for image in list_files(drive / "images", root=root):
            roles = {"mask": masks.get(image.stem), "lane": lanes.get(image.stem)}
            found = {role: path for role, path in roles.items() if path}
            yield Record(
                id=image.stem if one else f"{drive.name}/{image.stem}",
                image=image,
                masks=found if "mask" in found else {},
                group="" if one else drive.name,
            )


DNIT = DatasetSpec(
    name="dnit",
    title="Brazilian highways from a survey vehicle, 1024x640 and 1024x630, cracks and potholes",
    url="https://github.com/biankatpas/Cracks-and-Potholes-in-Road-Images-Dataset",
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

CRACKSEG = DatasetSpec(
    name="crackseg",
    title="roads of Shandong from on-board cameras, 3840x2160",
    url="https://pan.baidu.com/s/1jxdur0_ebq4omdHq4Jtx3w (train, code 7w9p), "
    "https://pan.baidu.com/s/1ZRx2cOzu2dft1HTHK6A4qw (val, 5suz), "
    "https://pan.baidu.com/s/12l277_KAP6ul_moaFM6mrA (test-dev, x9qn)",
    licence="unstated",
    citation="Zhou et al., Teaching Segment-Anything-Model Domain-specific Knowledge for Road "
    "Crack Segmentation from On-board Cameras, IEEE T-ITS 2024",
    classes=(CRACK,),
    splits={"train": 2478, "val": 354, "test": 708},
    layout="{train,val,test}/{images,masks} or {images,masks}/{train,val,test}; or a CVAT export "
    "per split or in one: SegmentationClass/ with labelmap.txt, or annotations.xml with images/",
    scan=crackseg.scan,
    pairs_by_name=True,
    read=crackseg.read,
)

PAVESEG = DatasetSpec(
    name="paveseg",
    title="pavement from a survey vehicle, grey 1280x1080, seven kinds of distress",
    url="https://github.com/FuturePave/PaveSeg-Dataset",
    licence="Apache-2.0",
    citation="https://github.com/FuturePave/PaveSeg-Dataset",
    classes=(CRACK, *named_classes(["crack", *_GREYS])[1:]),
    splits={"all": 2400},
    layout="NNNNNN.jpg beside NNNNNN_mask.png",
    scan=scan_pairs,
    pairs_by_name=True,
    read=partial(encoded, encoding=Levels(classes=_PAVESEG)),
)

NHA12D = DatasetSpec(
    name="nha12d",
    title="concrete and asphalt of the A12 from survey vehicles, 1920x1080",
    url="https://github.com/ZheningHuang/NHA12D-Crack-Detection-Dataset-and-Comparison-Study",
    licence="unstated",
    citation="Huang et al., European Conference on Computing in Construction 2022",
    classes=(CRACK,),
    splits={"all": 80},
    layout="images and colour masks in folders that pair by name",
    scan=scan_pairs,
    pairs_by_name=True,
    read=partial(encoded, encoding=Colours(classes={(84, 105, 77): 1}, others=True)),
    notes=("Colours other than crack (84, 105, 77), such as joints, are background.",),
)

SYNTH = DatasetSpec(
    name="synth",
    title="rendered drives over cracked roads, from `sam-crack data synth`",
    url="rendered on your machine by `sam-crack data synth`",
    licence="Apache-2.0",
    citation="this package",
    classes=(CRACK,),
    splits={},
    layout="images/, masks/ and lanes/ of the same names, train.txt, val.txt, test.txt; or a "
    "folder of such drives",
    scan=_scan_synth,
    pairs_by_name=True,
    read=_read_synth,
)

ROADS = (CRACKSEG, DNIT, PAVESEG, NHA12D, SYNTH)
