"""Streets and everyday scenes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sam_crack.data.formats.encoding import Levels, read_mask
from sam_crack.data.formats.images import read_numbers
from sam_crack.data.sets.citypersons import CITYPERSONS
from sam_crack.data.sets.cityscapes import CITYSCAPES_SETS
from sam_crack.data.sets.cocostuff import COCOSTUFF
from sam_crack.data.sets.labels import VOC_NAMES, voc_colour
from sam_crack.data.sets.layout import by_stem, list_files, read_list
from sam_crack.data.sets.spec import Annotation, ClassSpec, DatasetSpec, Record, same_shape


def _scan_voc(root: Path) -> Iterator[Record]:
    """Find the listed photos; without lists, those that have a mask."""
    homes = (root / "VOCdevkit" / "VOC2012", root / "VOC2012", root)
    home = next((each for each in homes if (each / "JPEGImages").is_dir()), root)
    masks = by_stem(list_files(home / "SegmentationClass", root=root))
    objects = by_stem(list_files(home / "SegmentationObject", root=root))
    split_of = {
        line.split()[0]: path.stem
        for path in list_files(home / "ImageSets" / "Segmentation", (".txt",), root=root)
        if path.stem in {"train", "val", "test"}
        for line in read_list(path)
    }
    for image in list_files(home / "JPEGImages", root=root):
        if image.stem not in (split_of or masks):
            continue
        named = {"mask": masks.get(image.stem), "objects": objects.get(image.stem)}
        yield Record(
            id=image.stem,
            image=image,
            masks={role: path for role, path in named.items() if path} if named["mask"] else {},
            split=split_of.get(image.stem, ""),
        )


_VOC_LEVELS = Levels(classes={index: index for index in range(21)}, ignore=frozenset({255}))


def _read_voc(record: Record) -> Annotation:
    """Read palette indices: 0 background, 1 to 20 classes, 255 void; objects likewise."""
    decoded = read_mask(record.masks["mask"], _VOC_LEVELS)
    if "objects" not in record.masks:
        return Annotation(mask=decoded.mask, ignore=decoded.ignore)
    raw = read_numbers(record.masks["objects"])
    same_shape(record, {"classes": decoded.mask.shape, "objects": raw.shape})
    instances = np.where(raw == 255, 0, raw).astype(np.int32)
    types = {}
    for number in np.unique(instances[instances > 0]).tolist():
        kinds = decoded.mask[(instances == number) & (decoded.mask > 0)]
        if kinds.size:
            types[number] = int(np.bincount(kinds).argmax())
    return Annotation(mask=decoded.mask, ignore=decoded.ignore, instances=instances, types=types)


STREETS = (
    *CITYSCAPES_SETS,
    CITYPERSONS,
    DatasetSpec(
        name="voc",
        title="PASCAL VOC 2012, photos with 20 kinds of objects",
        url="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
        licence="VOC terms; photos under Flickr terms",
        citation="Everingham et al., International Journal of Computer Vision 2010",
        classes=tuple(
            ClassSpec(name=name, colour=voc_colour(index))
            for index, name in enumerate(VOC_NAMES, 1)
        ),
        splits={"train": 1464, "val": 1449},
        layout="VOC2012/{JPEGImages,SegmentationClass,ImageSets/Segmentation}, optionally "
        "SegmentationObject",
        scan=_scan_voc,
        read=_read_voc,
    ),
    COCOSTUFF,
)
