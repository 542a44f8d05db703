"""Tiny trees of street scenes and everyday photos in their published layouts."""

import json
from pathlib import Path

import numpy as np

from tests.data.sets.fake_layouts import (
    SIZE,
    Frame,
    Tree,
    Writer,
    areas,
    pattern,
    photo,
    picture,
    text,
)

# Training classes road, sidewalk, building, wall of `pattern`, as label ids; 0 stays unlabelled.
LABEL_IDS = np.array([0, 7, 8, 11, 12], np.uint8)
BARE = SIZE[0] * SIZE[1]


def write_cityscapes(root: Path, truth: str = "gtFine") -> Tree:
    tree = {}
    for split, city in (("train", "aachen"), ("val", "munster")):
        stem = f"{city}_000000_000019"
        photo(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
        home = root / truth / split / city
        ids = LABEL_IDS[pattern(1, 2)]
        ids[20, 30:34] = 26
        codes = ids.astype(np.uint16)
        codes[20, 30:32], codes[20, 32:34] = 26000, 26001
        picture(home / f"{stem}_{truth}_labelIds.png", ids)
        picture(home / f"{stem}_{truth}_instanceIds.png", codes)
        tree[f"{split}/{city}/{stem}"] = Frame(
            split=split,
            group=city,
            areas=areas(1, 2) | {14: 4},
            instances=2,
            ignored=BARE - 49,
        )
    return tree


def write_cityscapes_coarse(root: Path) -> Tree:
    return write_cityscapes(root, "gtCoarse")


def write_citypersons(root: Path) -> Tree:
    stem = "zurich_000000_000019"
    photo(root / "leftImg8bit" / "train" / "zurich" / f"{stem}_leftImg8bit.png")
    codes = np.zeros(SIZE, np.uint16)
    codes[2:8, 4:6] = 24000
    picture(root / "gtFine" / "train" / "zurich" / f"{stem}_gtFine_instanceIds.png", codes)
    objects = [
        {"label": "pedestrian", "bbox": [3, 1, 4, 9], "bboxVis": [4, 2, 2, 6], "instanceId": 24000},
        {"label": "rider", "bbox": [10, 2, 3, 5], "bboxVis": [10, 2, 3, 4], "instanceId": -1},
        {"label": "ignore", "bbox": [30, 0, 5, 2], "bboxVis": [30, 0, 5, 2], "instanceId": -1},
    ]
    content = {"imgHeight": SIZE[0], "imgWidth": SIZE[1], "objects": objects}
    path = root / "gtBboxCityPersons" / "train" / "zurich" / f"{stem}_gtBboxCityPersons.json"
    text(path, json.dumps(content))
    frame = Frame(split="train", group="zurich", areas={1: 12, 2: 12}, instances=2, ignored=10)
    return {f"train/zurich/{stem}": frame}


def write_citypersons_boxes(root: Path) -> Tree:
    """Boxes without object ids: a person is a box."""
    write_citypersons(root)
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    frame = Frame(split="train", group="zurich", areas={1: 12, 2: 12}, instances=2, ignored=10)
    return {"train/zurich/zurich_000000_000019": frame}


def write_voc(root: Path) -> Tree:
    home = root / "VOCdevkit" / "VOC2012"
    grey = [part for level in range(256) for part in (level, 0, 255 - level)]
    tree = {}
    for split, name in (("train", "2007_000032"), ("val", "2007_000033")):
        values = pattern(1, 2, 3)
        values[23, :7] = 255
        objects = np.where(values == 255, 255, (values > 1) * values).astype(np.uint8)
        photo(home / "JPEGImages" / f"{name}.jpg")
        picture(home / "SegmentationClass" / f"{name}.png", values, grey)
        picture(home / "SegmentationObject" / f"{name}.png", objects, grey)
        text(home / "ImageSets" / "Segmentation" / f"{split}.txt", name + "\n")
        tree[name] = Frame(split=split, areas=areas(1, 2, 3), instances=2, ignored=7)
    photo(home / "JPEGImages" / "2008_000001.jpg")
    return tree


def write_cocostuff(root: Path) -> Tree:
    """The 164k form: PNG values are ids less one. Ids 1, 2, 3 are classes 1, 2, 3; 13 is 12."""
    tree = {}
    for year, split in (("train2017", "train"), ("val2017", "val")):
        values = np.array([255, 0, 1, 12], np.uint8)[pattern(1, 2, 3)]
        photo(root / "images" / year / f"00000000{split}.jpg")
        picture(root / "stuffthingmaps" / year / f"00000000{split}.png", values)
        tree[f"00000000{split}"] = Frame(
            split=split, areas={1: 15, 2: 30, 12: 45}, ignored=BARE - 90
        )
    return tree


def write_cocostuff_10k(root: Path) -> Tree:
    """The 10k form: `S` holds ids, 0 is unlabelled; 182 is the last class, the 171st."""
    import scipy.io

    tree = {}
    (root / "annotations").mkdir()
    for split, name in (("train", "COCO_train2014_000000000077"), ("test", "COCO_train2014_9")):
        photo(root / "images" / f"{name}.jpg")
        content = {"S": np.array([0, 1, 182], np.float64)[pattern(1, 2)]}
        scipy.io.savemat(root / "annotations" / f"{name}.mat", content)
        text(root / "imageLists" / f"{split}.txt", name + "\n")
        tree[name] = Frame(split=split, areas={1: 15, 171: 30}, ignored=BARE - 45)
    return tree


STREETS: dict[str, Writer] = {
    "cityscapes": write_cityscapes,
    "cityscapes_coarse": write_cityscapes_coarse,
    "citypersons": write_citypersons,
    "voc": write_voc,
    "cocostuff": write_cocostuff,
}
