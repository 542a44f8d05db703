"""Cityscapes: label ids, training ids or polygons, and objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.encoding import Levels, read_mask
from sam_crack.data.formats.images import read_numbers, read_size
from sam_crack.data.sets.city_polygons import draw_city_polygons
from sam_crack.data.sets.labels import CITYSCAPES, CityLabel
from sam_crack.data.sets.layout import list_files, list_folders
from sam_crack.data.sets.spec import Annotation, ClassSpec, DatasetSpec, Record, same_shape
from sam_crack.errors import BadInput

_TRAINED = tuple(label for label in CITYSCAPES if label.train_id >= 0)
_CITY_SPLITS = ("train", "train_extra", "val", "test")
_KINDS = {
    "labelIds": ".png",
    "labelTrainIds": ".png",
    "instanceIds": ".png",
    "polygons": ".json",
}


def _city_classes(labels: tuple[CityLabel, ...]) -> tuple[ClassSpec, ...]:
    """Turn labels into classes with their published colours."""
    return tuple(ClassSpec(name=label.name, colour=label.colour) for label in labels)


def _scan_cityscapes(root: Path, *, truth: str) -> Iterator[Record]:
    """Find `leftImg8bit/<split>/<city>/` and the same under gtFine or gtCoarse."""
    for split in _CITY_SPLITS:
        for city in list_folders(root / "leftImg8bit" / split, root=root):
            folder = root / truth / split / city.name
            files = {path.name: path for path in list_files(folder, (".png", ".json"), root=root)}
            for image in list_files(city, root=root):
                stem = image.stem.removesuffix("_leftImg8bit")
                named = {
                    kind: files.get(f"{stem}_{truth}_{kind}{suffix}")
                    for kind, suffix in _KINDS.items()
                }
                masks = {kind: path for kind, path in named.items() if path}
                usable = masks.keys() - {"instanceIds"}
                yield Record(
                    id=f"{split}/{city.name}/{stem}",
                    image=image,
                    masks=masks if usable else {},
                    split=split,
                    group=city.name,
                )


def _read_cityscapes(record: Record, *, labels: tuple[CityLabel, ...]) -> Annotation:
    """Read label ids, or training ids, or polygons; objects too where the file is there.

    Labels that are not among the classes are ignored when they are never evaluated (void) and
    background otherwise.
    """
    index_of = {label.id: index for index, label in enumerate(labels, 1)}
    void = {label.id for label in CITYSCAPES if label.void and label.id not in index_of}
    if "labelIds" in record.masks:
        decoded = read_mask(record.masks["labelIds"], _city_levels(index_of, void))
        mask, ignore = decoded.mask, decoded.ignore
    elif "labelTrainIds" in record.masks:
        missing = [label.name for label in labels if label.train_id < 0]
        if missing:
            raise BadInput(
                f"{record.masks['labelTrainIds']}: training ids do not tell {', '.join(missing)}",
                "_labelIds.png or _polygons.json beside it",
                "fetch the label ids, or choose among the 19 training classes",
            )
        known = {label.train_id: 0 for label in _TRAINED}
        known |= {label.train_id: index for index, label in enumerate(labels, 1)}
        levels = Levels(classes=known, ignore=frozenset({255}))
        decoded = read_mask(record.masks["labelTrainIds"], levels)
        mask, ignore = decoded.mask, decoded.ignore
    else:
        ids = draw_city_polygons(record.masks["polygons"], read_size(record.image))
        mask = np.zeros(ids.shape, np.uint8)
        for label_id, index in index_of.items():
            mask[ids == label_id] = index
        ignore = np.isin(ids, list(void))
    instances, types = _city_objects(record, index_of, mask.shape)
    return Annotation(mask=mask, ignore=ignore, instances=instances, types=types)


def _city_levels(index_of: dict[int, int], void: set[int]) -> Levels:
    """Return the encoding of `_labelIds`, in which 255 stands for the licence plate's -1."""
    known = {label.id: 0 for label in CITYSCAPES if label.id >= 0} | index_of
    return Levels(
        classes={value: index for value, index in known.items() if value not in void},
        ignore=frozenset({value for value in void if value >= 0} | {255}),
    )


def _city_objects(
    record: Record, index_of: dict[int, int], shape: tuple[int, ...]
) -> tuple[NDArray[np.int32] | None, dict[int, int]]:
    """Read `_instanceIds`: 1000 x label + number for objects, the bare label for groups."""
    if "instanceIds" not in record.masks:
        return None, {}
    codes = read_numbers(record.masks["instanceIds"])
    same_shape(record, {"labels": shape, "instances": codes.shape})
    found = [code for code in np.unique(codes).tolist() if code >= 1000]
    kept = {code: index_of[code // 1000] for code in found if code // 1000 in index_of}
    instances = np.zeros(shape, np.int32)
    types = {}
    for number, (code, index) in enumerate(kept.items(), 1):
        instances[codes == code] = number
        types[number] = index
    return instances, types


def _adapt_cityscapes(root: Path, classes: tuple[str, ...], *, spec: DatasetSpec) -> DatasetSpec:
    """Add labels outside the 19 to the classes when they are asked for."""
    extra = tuple(each for each in CITYSCAPES if each.name in classes and each.train_id < 0)
    if not extra or any(each.id < 0 for each in extra):
        return spec
    labels = (*_TRAINED, *extra)
    return replace(
        spec, classes=_city_classes(labels), read=partial(_read_cityscapes, labels=labels)
    )


def _cityscapes(name: str, truth: str, splits: dict[str, int], title: str) -> DatasetSpec:
    """Build the entry of one kind of annotation."""
    spec = DatasetSpec(
        name=name,
        title=title,
        url="https://www.cityscapes-dataset.com/downloads/",
        licence="Cityscapes terms: non-commercial research",
        citation="Cordts et al., CVPR 2016",
        classes=_city_classes(_TRAINED),
        splits=splits,
        layout=f"leftImg8bit/<split>/<city>/<stem>_leftImg8bit.png and {truth}/<split>/<city>/"
        f"<stem>_{truth}_{{labelIds,labelTrainIds,instanceIds}}.png or _polygons.json",
        scan=partial(_scan_cityscapes, truth=truth),
        read=partial(_read_cityscapes, labels=_TRAINED),
        grouped_by="city",
        notes=(
            "19 training classes; any other label can be asked for by name, such as parking.",
            "Test labels are dummies: every pixel of them is ignored.",
        ),
    )
    return replace(spec, adapt=partial(_adapt_cityscapes, spec=spec))


CITYSCAPES_SETS = (
    _cityscapes(
        "cityscapes",
        "gtFine",
        {"train": 2975, "val": 500, "test": 1525},
        "streets of 27 cities from a car, 2048x1024, finely annotated",
    ),
    _cityscapes(
        "cityscapes_coarse",
        "gtCoarse",
        {"train": 2975, "train_extra": 19998, "val": 500},
        "the same streets and 20,000 more, coarsely annotated",
    ),
)
