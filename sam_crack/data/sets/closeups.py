"""Cracks from near: phones, survey scanners, drones and facades."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from sam_crack.data.formats.encoding import Binary
from sam_crack.data.formats.mat import mat_array
from sam_crack.data.sets.layout import SPLITS, by_stem, list_files, pairs
from sam_crack.data.sets.pairing import scan_pairs
from sam_crack.data.sets.parents import dash_number, parent_photo, shot_time
from sam_crack.data.sets.spec import BINARY, CRACK, Annotation, DatasetSpec, Record, encoded
from sam_crack.errors import BadInput

_PAIRED = "images and masks in folders that pair by name, such as {train,test}/{images,masks}"


def _scan_crack500(root: Path) -> Iterator[Record]:
    """Find the published crops, or else the whole photos, or else renamed folders."""
    for kind in ("crop", "data"):
        found = False
        for split in SPLITS:
            for folder in (root / f"{split}{kind}", root / f"{split}{kind}" / f"{split}{kind}"):
                masks = {
                    stem.removesuffix("_mask"): path
                    for stem, path in by_stem(list_files(folder, (".png",), root=root)).items()
                }
                images = list_files(folder, (".jpg", ".jpeg"), root=root)
                found = found or bool(images)
                yield from pairs(images, masks, group=shot_time, split=split)
        if found:
            return
    yield from scan_pairs(root, group=shot_time)


def _scan_deepcrack(root: Path) -> Iterator[Record]:
    """Find `{train,test}_img` beside `{train,test}_lab`, or renamed folders."""
    found = False
    for split in ("train", "test"):
        images = list_files(root / f"{split}_img", root=root)
        masks = by_stem(list_files(root / f"{split}_lab", root=root))
        found = found or bool(images)
        yield from pairs(images, masks, group=dash_number, split=split)
    if not found:
        yield from scan_pairs(root, group=dash_number)


def _scan_cfd(root: Path) -> Iterator[Record]:
    """Find photos and their .mat outlines."""
    masks = by_stem(list_files(root / "groundTruth", (".mat",), root=root))
    yield from pairs(list_files(root / "image", root=root), masks)


def _read_cfd(record: Record) -> Annotation:
    """Read `groundTruth.Segmentation`: 1 is background, everything above is crack.

    The rare 3 and 4 number further cracks of the same photo.
    """
    path = record.masks["mask"]
    labels = mat_array(path, "groundTruth.Segmentation")
    if labels.min() < 1 or labels.max() > 16:
        raise BadInput(
            f"{path}: Segmentation holds {labels.min()} to {labels.max()}",
            "1 for background, 2 and more for cracks",
            "check that this is a CrackForest file",
        )
    return Annotation(mask=(labels > 1).astype(np.uint8))


def _scan_cracktree(root: Path) -> Iterator[Record]:
    """Find the photos beside their one-pixel tracings."""
    for images, masks in (("cracktree200rgb", "cracktree200_gt"), ("image", "gt"), ("rgb", "gt")):
        photos = list_files(root / images, root=root)
        if photos:
            yield from pairs(photos, by_stem(list_files(root / masks, root=root)))
            return
    yield from scan_pairs(root)


CLOSEUPS = (
    DatasetSpec(
        name="crack500",
        title="pavement by phone, crops of 500 photos",
        url="https://github.com/fyangneil/pavement-crack-detection",
        licence="research only",
        citation="Zhang et al., ICIP 2016; Yang et al., IEEE T-ITS 2019",
        classes=(CRACK,),
        splits={"train": 1896, "val": 348, "test": 1124},
        layout="{train,val,test}crop/NAME.jpg beside NAME.png, or {train,val,test}data/NAME.jpg "
        "beside NAME_mask.png, or {train,val,test}/{images,masks}",
        scan=_scan_crack500,
        pairs_by_name=True,
        read=BINARY,
        grouped_by="parent photo",
    ),
    DatasetSpec(
        name="deepcrack",
        title="concrete and asphalt at many scales, 544x384",
        url="https://github.com/yhlleo/DeepCrack",
        licence="non-commercial research",
        citation="Liu et al., Neurocomputing 2019",
        classes=(CRACK,),
        splits={"train": 300, "test": 237},
        layout="{train,test}_img/*.jpg and {train,test}_lab/*.png",
        scan=_scan_deepcrack,
        pairs_by_name=True,
        read=BINARY,
        grouped_by="parent photo",
        notes=("Names end in the number of a crop: `data check` lists photos in both splits.",),
    ),
    DatasetSpec(
        name="cfd",
        title="CrackForest: urban asphalt by phone, 480x320",
        url="https://github.com/cuilimeng/CrackForest-dataset",
        licence="non-commercial research",
        citation="Shi et al., IEEE T-ITS 2016",
        classes=(CRACK,),
        splits={"all": 118},
        layout="image/NNN.jpg and groundTruth/NNN.mat",
        scan=_scan_cfd,
        read=_read_cfd,
    ),
    DatasetSpec(
        name="cracktree200",
        title="asphalt with shadows, 800x600, traced one pixel wide",
        url="https://github.com/fyangneil/pavement-crack-detection",
        licence="research only",
        citation="Zou et al., Pattern Recognition Letters 2012",
        classes=(CRACK,),
        splits={"all": 206},
        layout="cracktree200rgb/*.jpg and cracktree200_gt/*.{png,bmp}, or image/ and gt/",
        scan=_scan_cracktree,
        pairs_by_name=True,
        read=partial(encoded, encoding=Binary(rare=True)),
        notes=(
            "Copies differ in polarity: the rarer of the two levels is taken as crack.",
            "Tracings are one pixel wide: widths measured on them mean nothing.",
        ),
    ),
    DatasetSpec(
        name="khanhha",
        title="merged collection of close-up sets, 448x448, JPEG masks",
        url="https://github.com/khanhha/crack_segmentation",
        licence="that of each part; research only",
        citation="https://github.com/khanhha/crack_segmentation",
        classes=(CRACK,),
        splits={"train": 9603, "test": 1695},
        layout="{train,test}/{images,masks}/*.jpg",
        scan=partial(scan_pairs, group=parent_photo),
        pairs_by_name=True,
        read=BINARY,
        grouped_by="parent photo",
        notes=(
            "The published split is random: crops of one photo lie in train and in test.",
            "Masks are JPEG and are cut at 127.",
        ),
    ),
    DatasetSpec(
        name="crackseg9k",
        title="merged and cleaned collection, 400x400",
        url="https://doi.org/10.7910/DVN/EGIEBY",
        licence="CC0-1.0",
        citation="Kulkarni et al., ECCV workshops 2022",
        classes=(CRACK,),
        splits={"all": 9255},
        layout="Images/*.jpg and Masks/*.png, optionally train.txt, val.txt, test.txt",
        scan=partial(scan_pairs, group=parent_photo),
        pairs_by_name=True,
        read=BINARY,
        grouped_by="parent photo",
        notes=("Random splits leak crops of one photo: split by parent photo.",),
    ),
    DatasetSpec(
        name="omnicrack30k",
        title="over twenty sets in one, asphalt to ceramic",
        url="https://github.com/ben-z-original/omnicrack30k",
        licence="that of each part; research only, on request",
        citation="Benz and Rodehorst, CVPR workshops 2024",
        classes=(CRACK,),
        splits={"train": 22158, "val": 3277, "test": 4582},
        layout="{images,annotations}/{training,validation,test}/*.png",
        scan=partial(scan_pairs, group=parent_photo),
        pairs_by_name=True,
        read=BINARY,
        grouped_by="parent photo",
    ),
    DatasetSpec(
        name="road420",
        title="roads by phone, made to test transfer",
        url="https://github.com/KG-TSI-Civil/CrackSAM",
        licence="unstated",
        citation="Ge et al., Construction and Building Materials 2024 (CrackSAM)",
        classes=(CRACK,),
        splits={"all": 420},
        layout=_PAIRED,
        scan=scan_pairs,
        pairs_by_name=True,
        read=BINARY,
    ),
    DatasetSpec(
        name="facade390",
        title="facades by drone, made to test transfer",
        url="https://github.com/KG-TSI-Civil/CrackSAM",
        licence="unstated",
        citation="Ge et al., Construction and Building Materials 2024 (CrackSAM)",
        classes=(CRACK,),
        splits={"all": 390},
        layout=_PAIRED,
        scan=scan_pairs,
        pairs_by_name=True,
        read=BINARY,
    ),
    DatasetSpec(
        name="uav",
        title="pavement from a drone, 448x448",
        url="no address is stated in the copies at hand",
        licence="CC0-1.0",
        citation="unstated",
        classes=(CRACK,),
        splits={},
        layout="images/*.png and masks/*.png of the same name, train.txt, val.txt, test.txt",
        scan=scan_pairs,
        pairs_by_name=True,
        read=BINARY,
        notes=("A few files carry an alpha channel, which holds no class and is dropped.",),
    ),
)
