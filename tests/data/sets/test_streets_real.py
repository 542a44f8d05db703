"""Street scenes and photos on the real files, against counts made another way."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sam_crack.data.dataset import open_dataset

pytestmark = pytest.mark.realdata


def _ids(root: Path, kind: str) -> np.ndarray:
    return np.asarray(Image.open(next(root.rglob(f"*_{kind}.png"))))


def test_cityscapes_label_ids_become_training_classes(data_root: Path):
    root = data_root / "cityscapes"
    ids, trained = _ids(root, "labelIds"), _ids(root, "labelTrainIds")
    sample = open_dataset("cityscapes", root)[0]
    for label in np.unique(ids):
        # The two files were reduced apart and differ in 0.2 % of the pixels: ask the majority.
        [kind] = {int(np.bincount(trained[ids == label]).argmax())}
        assert (sample.ignore[ids == label] == (kind == 255)).all()
        assert (sample.mask[ids == label] == (0 if kind == 255 else kind + 1)).all()
    assert (sample.group, sample.id[:4]) == ("frankfurt", "val/")


def test_cityscapes_without_label_ids_reads_training_ids(data_root: Path, tmp_path: Path):
    root = data_root / "cityscapes"
    for path in root.rglob("*.png"):
        if "labelIds" not in path.name:
            copy = tmp_path / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    trained = _ids(root, "labelTrainIds")
    sample = open_dataset("cityscapes", tmp_path)[0]
    np.testing.assert_array_equal(sample.ignore, trained == 255)
    np.testing.assert_array_equal(sample.mask, np.where(trained == 255, 0, trained + 1))


def test_cityscapes_objects(data_root: Path):
    root = data_root / "cityscapes"
    codes = cv2.imread(str(next(root.rglob("*_instanceIds.png"))), cv2.IMREAD_UNCHANGED)
    sample = open_dataset("cityscapes", root)[0]
    assert len(sample.types) == np.count_nonzero(np.unique(codes) >= 1000)
    people = [number for number, kind in sample.types.items() if kind == 12]
    assert np.isin(sample.instances, people).sum() == np.count_nonzero(codes // 1000 == 24)


def test_cityscapes_chosen_classes_are_foreground(data_root: Path):
    root = data_root / "cityscapes"
    ids = np.asarray(Image.open(next(root.rglob("*_labelIds.png"))))
    sample = open_dataset("cityscapes", root, classes=("car", "ego vehicle", "road"))[0]
    for index, label in enumerate((26, 1, 7), 1):
        np.testing.assert_array_equal(sample.mask == index, ids == label)
    assert not sample.ignore[ids == 1].any()
    assert sample.ignore[ids == 3].all()


def test_citypersons_from_object_ids(data_root: Path):
    root = data_root / "cityscapes"
    codes = np.asarray(Image.open(next(root.rglob("*_instanceIds.png"))))
    sample = open_dataset("citypersons", root)[0]
    np.testing.assert_array_equal(sample.mask == 1, codes // 1000 == 24)
    assert len(sample.types) == 4


def test_voc_palette_indices_survive(data_root: Path):
    root = data_root / "voc"
    found = open_dataset("voc", root)
    assert [record.split for record in found.records] == ["train", "train", "val"]
    for sample in found:
        path = root / "VOC2012" / "SegmentationClass" / f"{sample.id}.png"
        image = Image.open(path)
        colours = np.asarray(image.convert("RGB"))
        palette = np.array(image.getpalette()).reshape(-1, 3)
        for index in np.unique(sample.mask[sample.mask > 0]):
            same = (colours == palette[index]).all(axis=-1)
            np.testing.assert_array_equal(sample.mask == index, same)
            assert found.classes[index - 1].colour == tuple(palette[index])
        np.testing.assert_array_equal(sample.ignore, np.asarray(image) == 255)


def test_cocostuff_panoptic_areas_are_those_in_the_json(data_root: Path):
    root = data_root / "cocostuff"
    content = json.loads((root / "panoptic" / "panoptic_examples.json").read_text())
    names = {each["id"]: each["name"] for each in content["categories"]}
    found = open_dataset("cocostuff", root)
    assert len(found) == 2
    by_id = {f"{entry['image_id']:012d}": entry for entry in content["annotations"]}
    for sample in found:
        segments = by_id[sample.id]["segments_info"]
        for name in {names[each["category_id"]] for each in segments}:
            [index] = [i for i, each in enumerate(found.classes, 1) if each.name == name]
            stated = sum(
                each["area"]
                for each in segments
                if names[each["category_id"]] == name and not each["iscrowd"]
            )
            assert (sample.mask == index).sum() == stated
