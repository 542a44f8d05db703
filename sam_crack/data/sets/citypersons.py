"""CityPersons: pedestrians and riders on Cityscapes frames, as boxes, pixels or both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.images import read_numbers, read_size
from sam_crack.data.formats.json_file import MALFORMED, load_json
from sam_crack.data.sets.layout import list_files, list_folders
from sam_crack.data.sets.spec import Annotation, ClassSpec, DatasetSpec, Record
from sam_crack.errors import BadInput

_PERSONS = ("pedestrian", "rider", "sitting person", "other person")
_PERSON_LABELS = {"pedestrian": 1, "rider": 2, "sitting person": 3, "person (other)": 4}
_PERSON_IDS = {24: 1, 25: 2}


def _scan_citypersons(root: Path) -> Iterator[Record]:
    """Find Cityscapes frames with person boxes, object ids, or both."""
    for split in ("train", "val", "test"):
        for city in list_folders(root / "leftImg8bit" / split, root=root):
            folders = (root / kind / split / city.name for kind in ("gtBboxCityPersons", "gtFine"))
            files = {
                path.name: path
                for folder in folders
                for path in list_files(folder, (".png", ".json"), root=root)
            }
            for image in list_files(city, root=root):
                stem = image.stem.removesuffix("_leftImg8bit")
                named = {
                    "boxes": files.get(f"{stem}_gtBboxCityPersons.json"),
                    "instanceIds": files.get(f"{stem}_gtFine_instanceIds.png"),
                }
                yield Record(
                    id=f"{split}/{city.name}/{stem}",
                    image=image,
                    masks={role: path for role, path in named.items() if path},
                    split=split,
                    group=city.name,
                )


def _read_citypersons(record: Record) -> Annotation:
    """Give each person its pixels where object ids are there, and its visible box otherwise."""
    codes = None
    if "instanceIds" in record.masks:
        codes = read_numbers(record.masks["instanceIds"])
    if "boxes" not in record.masks:
        assert codes is not None
        found = [code for code in np.unique(codes).tolist() if code // 1000 in _PERSON_IDS]
        people = [(codes == code, _PERSON_IDS[code // 1000]) for code in found]
        return _people(people, np.isin(codes, list(_PERSON_IDS)), codes.shape)
    shape = codes.shape if codes is not None else read_size(record.image)
    people, ignore = [], np.zeros(shape, np.bool_)
    for entry in read_boxes(record.masks["boxes"]):
        x, y, width, height = entry["bboxVis"]
        box = (slice(max(y, 0), max(y + height, 0)), slice(max(x, 0), max(x + width, 0)))
        kind = _PERSON_LABELS.get(entry["label"])
        if kind is None:
            ignore[box] = True
            continue
        here = np.zeros(shape, np.bool_)
        if codes is not None and (codes == entry["instanceId"]).any():
            here = codes == entry["instanceId"]
        else:
            here[box] = True
        people.append((here, kind))
    return _people(people, ignore, shape)


def _people(
    people: list[tuple[NDArray[np.bool_], int]],
    ignore: NDArray[np.bool_],
    shape: tuple[int, ...],
) -> Annotation:
    """Draw persons in order; those that are certain are never ignored."""
    mask, instances = np.zeros(shape, np.uint8), np.zeros(shape, np.int32)
    for number, (here, kind) in enumerate(people, 1):
        mask[here], instances[here] = kind, number
    types = {number: kind for number, (_, kind) in enumerate(people, 1)}
    return Annotation(mask=mask, instances=instances, types=types, ignore=ignore & (mask == 0))


def read_boxes(path: Path) -> list[dict[str, Any]]:
    """Read a CityPersons file: label, visible box (x, y, width, height) and object id."""
    try:
        found = []
        for entry in load_json(path, max_bytes=16 << 20)["objects"]:
            box = [int(side) for side in entry.get("bboxVis", entry["bbox"])]
            if len(box) != 4 or max(map(abs, box)) > 1_000_000:
                raise ValueError(f"box {box}")
            number = int(entry.get("instanceId", -1))
            found.append({"label": str(entry["label"]), "bboxVis": box, "instanceId": number})
    except MALFORMED as error:
        raise BadInput(
            f"{path}: {type(error).__name__} {error}",
            "CityPersons JSON with objects, label and bboxVis",
            "fetch the file again",
        ) from error
    return found


CITYPERSONS = DatasetSpec(
    name="citypersons",
    title="pedestrians and riders on the Cityscapes frames",
    url="https://github.com/cvgroup-njust/CityPersons",
    licence="Cityscapes terms: non-commercial research",
    citation="Zhang et al., CVPR 2017",
    classes=tuple(
        ClassSpec(name=name, colour=colour)
        for name, colour in zip(
            _PERSONS, [(220, 20, 60), (255, 0, 0), (250, 170, 30), (0, 160, 255)], strict=True
        )
    ),
    splits={"train": 2975, "val": 500, "test": 1525},
    layout="leftImg8bit/<split>/<city>/ and gtBboxCityPersons/ with .json boxes, gtFine/ with "
    "_instanceIds.png, or both",
    scan=_scan_citypersons,
    read=_read_citypersons,
    grouped_by="city",
    notes=(
        "Texts state 1,575 test frames; Cityscapes itself has 1,525.",
        "Groups and unclear regions are ignored; without object ids a person is a box.",
    ),
)
