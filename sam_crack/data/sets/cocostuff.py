"""COCO-Stuff in its three published forms: 10k .mat files, 164k PNG maps, panoptic PNG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from sam_crack.data.formats.coco import CocoDocument, read_document, read_panoptic
from sam_crack.data.formats.encoding import Levels, read_mask
from sam_crack.data.formats.mat import mat_array
from sam_crack.data.sets.guess import named_classes, spread_colours
from sam_crack.data.sets.labels import COCO_STUFF
from sam_crack.data.sets.layout import by_stem, list_files, read_list
from sam_crack.data.sets.spec import Annotation, ClassSpec, DatasetSpec, Record
from sam_crack.errors import BadInput

_INDEX_OF = {number: index for index, number in enumerate(COCO_STUFF, 1)}
_YEARS = {"train2017": "train", "val2017": "val"}
# The PNG maps store the id less one, so that 255 is free for what nobody labelled.
_PNG_LEVELS = Levels(
    classes={number - 1: index for number, index in _INDEX_OF.items()}, ignore=frozenset({255})
)


def _scan(root: Path) -> Iterator[Record]:
    """Find the 10k form, or the 164k form."""
    mats = by_stem(list_files(root / "annotations", (".mat",), root=root))
    if mats:
        yield from _scan_10k(root, mats)
        return
    for year, split in _YEARS.items():
        maps: dict[str, Path] = {}
        for home in ("stuffthingmaps", "stuffthingmaps_trainval2017", "annotations", "."):
            maps = maps or by_stem(list_files(root / home / year, (".png",), root=root))
        for home in ("images", "."):
            images = list_files(root / home / year, (".jpg", ".jpeg"), root=root)
            for image in images:
                found = maps.get(image.stem)
                yield Record(
                    id=image.stem, image=image, masks={"png": found} if found else {}, split=split
                )
            if images:
                break


def _scan_10k(root: Path, mats: dict[str, Path]) -> Iterator[Record]:
    """Find photos with .mat annotations; `imageLists` says which are for training."""
    split_of = {
        name: split
        for split in ("train", "test")
        for path in [root / "imageLists" / f"{split}.txt"]
        if path.is_file()
        for name in read_list(path)
    }
    for image in list_files(root / "images", root=root):
        found = mats.get(image.stem)
        yield Record(
            id=image.stem,
            image=image,
            masks={"mat": found} if found else {},
            split=split_of.get(image.stem, ""),
        )


def _read(record: Record) -> Annotation:
    """Read `S` of a .mat, where 0 is unlabelled, or a PNG, where 255 is."""
    if "png" in record.masks:
        decoded = read_mask(record.masks["png"], _PNG_LEVELS)
        return Annotation(mask=decoded.mask, ignore=decoded.ignore)
    path = record.masks["mat"]
    labels = mat_array(path, "S")
    table = np.zeros(256, np.int16)
    table[1:] = -1
    for number, index in _INDEX_OF.items():
        table[number] = index
    if labels.min() < 0 or labels.max() > 255 or (table[labels.astype(np.int64)] < 0).any():
        raise BadInput(
            f"{path}: S holds ids outside COCO-Stuff's", "0 and its 171 ids", "fetch it again"
        )
    mask = table[labels.astype(np.int64)].astype(np.uint8)
    return Annotation(mask=mask, ignore=mask == 0)


def _panoptic_documents(root: Path) -> list[tuple[Path, list[Path]]]:
    """Find panoptic JSON files and, for each, the folders in which its pictures may lie."""
    found = []
    for folder in (root, root / "annotations", root / "panoptic"):
        for path in list_files(folder, (".json",), root=root):
            if "panoptic" in path.name:
                found.append(
                    (path, [folder / path.stem, root / path.stem, folder, root / "panoptic"])
                )
    return found


def _scan_panoptic(root: Path, *, documents: Sequence[tuple[Path, list[Path]]]) -> Iterator[Record]:
    """Find the photos that the documents name."""
    photos: dict[str, Path] = {}
    for name in ("input_images", "images", *_YEARS, *(f"images/{year}" for year in _YEARS)):
        photos |= by_stem(list_files(root / name, (".jpg", ".jpeg"), root=root))
    for path, folders in documents:
        coded: dict[str, Path] = {}
        for folder in folders:
            coded = coded or by_stem(list_files(folder, (".png",), root=root))
        document = read_document(path)
        for number in document.annotations:
            if number not in document.images:
                continue
            stem = Path(document.images[number]["file_name"]).stem
            photo, picture = photos.get(stem), coded.get(stem)
            if photo:
                yield Record(
                    id=stem,
                    image=photo,
                    masks={"panoptic": picture, "json": path} if picture else {},
                    index=number,
                    split=next((s for year, s in _YEARS.items() if year in path.stem), ""),
                )


def _read_panoptic(
    record: Record, *, index_of: dict[int, int], things: frozenset[int]
) -> Annotation:
    """Read a panoptic picture; segments of things are objects."""
    document = read_document(record.masks["json"])
    [entry] = document.annotations[record.index or 0][:1]
    drawn = read_panoptic(record.masks["panoptic"], entry, set(things))
    mask = np.zeros(drawn.categories.shape, np.uint8)
    for number, index in index_of.items():
        mask[drawn.categories == number] = index
    types = {instance: index_of[number] for instance, number in drawn.types.items()}
    return Annotation(mask=mask, instances=drawn.instances, types=types, ignore=drawn.crowd)


def _panoptic_classes(document: CocoDocument) -> tuple[ClassSpec, ...]:
    """Take names and colours from the categories of a panoptic file."""
    spare = spread_colours(len(document.categories))
    return tuple(
        ClassSpec(name=str(each.get("name", number)), colour=_colour(each.get("color"), colour))
        for (number, each), colour in zip(document.categories.items(), spare, strict=True)
    )


def _colour(stated: object, spare: tuple[int, int, int]) -> tuple[int, int, int]:
    """Accept a stated colour if it is one."""
    if isinstance(stated, list) and len(stated) == 3:
        red, green, blue = (int(part) & 255 for part in stated)
        return red, green, blue
    return spare


def _adapt(root: Path, classes: tuple[str, ...]) -> DatasetSpec:
    """Take the panoptic form where there is one and no other."""
    documents = _panoptic_documents(root)
    if not documents or next(_scan(root), None) is not None:
        return COCOSTUFF
    first = read_document(documents[0][0])
    if not 0 < len(first.categories) < 256:
        raise BadInput(
            f"{documents[0][0]}: {len(first.categories)} categories", "1 to 255", "check the file"
        )
    index_of = {number: index for index, number in enumerate(first.categories, 1)}
    things = frozenset(n for n, each in first.categories.items() if each.get("isthing"))
    return replace(
        COCOSTUFF,
        classes=_panoptic_classes(first),
        scan=partial(_scan_panoptic, documents=documents),
        read=partial(_read_panoptic, index_of=index_of, things=things),
    )


COCOSTUFF = DatasetSpec(
    name="cocostuff",
    title="COCO photos with 91 kinds of stuff and 80 of things",
    url="https://github.com/nightrome/cocostuff",
    licence="CC BY 4.0 annotations; photos under Flickr terms",
    citation="Caesar, Uijlings, Ferrari, CVPR 2018",
    classes=named_classes(list(COCO_STUFF.values())),
    splits={"train": 118287, "val": 5000},
    layout="164k: {train,val}2017/*.jpg and stuffthingmaps/{train,val}2017/*.png; 10k: images/, "
    "annotations/*.mat, imageLists/; panoptic: input_images/ and panoptic/*.{png,json}",
    scan=_scan,
    read=_read,
    adapt=_adapt,
    notes=("The 10k form has 9,000 training and 1,000 test photos.",),
)
