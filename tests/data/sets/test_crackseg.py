"""CrackSeg in every form in which a copy may come."""

from pathlib import Path

import numpy as np
import pytest

from sam_crack.data.dataset import open_dataset
from sam_crack.errors import BadInput
from tests.data.sets.fake_layouts import black_white, pattern, photo, picture, text

LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncrack:250,50,83::\nroad:1,2,3::\n"
COLOURS = np.array([[0, 0, 0], [250, 50, 83], [1, 2, 3]], np.uint8)
BOX = '<box label="crack" xtl="2" ytl="1" xbr="7" ybr="4"/>'


def xml(*names: str, subset: str = "") -> str:
    images = "".join(
        f'<image id="{i}" name="{name}" subset="{subset}" width="40" height="24">{BOX}</image>'
        for i, name in enumerate(names)
    )
    return f"<annotations><version>1.1</version>{images}</annotations>"


def check(root: Path, expected: dict[str, str]) -> None:
    found = open_dataset("crackseg", root)
    assert {record.id.split("/")[-1]: record.split for record in found.records} == expected
    for sample in found:
        np.testing.assert_array_equal(sample.mask, pattern(1))


def test_images_and_masks_above_splits(tmp_path: Path):
    for split in ("train", "val", "test"):
        photo(tmp_path / "images" / split / f"{split}.jpg")
        black_white(tmp_path / "masks" / split / f"{split}.png", 1)
    check(tmp_path, {"train": "train", "val": "val", "test": "test"})


@pytest.mark.parametrize("palette", [False, True])
def test_cvat_masks_with_lists(palette: bool, tmp_path: Path):
    for name, split in (("a", "train"), ("b", "test")):
        photo(tmp_path / "JPEGImages" / f"{name}.jpg")
        target = tmp_path / "SegmentationClass" / f"{name}.png"
        if palette:
            picture(target, pattern(1, 2), COLOURS.ravel().tolist())
        else:
            picture(target, COLOURS[pattern(1, 2)])
        text(tmp_path / "ImageSets" / "Segmentation" / f"{split}.txt", name + "\n")
    text(tmp_path / "labelmap.txt", LABELMAP)
    check(tmp_path, {"a": "train", "b": "test"})


def test_cvat_masks_per_split_beside_the_pictures(tmp_path: Path):
    for split in ("train", "val"):
        photo(tmp_path / split / "images" / f"{split}.jpg")
        picture(tmp_path / split / "SegmentationClass" / f"{split}.png", COLOURS[pattern(1, 2)])
        text(tmp_path / split / "labelmap.txt", LABELMAP)
    check(tmp_path, {"train": "train", "val": "val"})


def test_cvat_xml_with_subsets(tmp_path: Path):
    photo(tmp_path / "images" / "Train" / "a.jpg")
    text(tmp_path / "annotations.xml", xml("Train/a.jpg", subset="Train"))
    check(tmp_path, {"a": "train"})


def test_cvat_xml_per_split_and_pictures_elsewhere(tmp_path: Path):
    for split in ("train", "test"):
        photo(tmp_path / "images" / split / f"{split}.jpg")
        text(tmp_path / split / "annotations.xml", xml(f"job/{split}.jpg"))
    check(tmp_path, {"train": "train", "test": "test"})


def test_a_colour_outside_the_labelmap_is_named(tmp_path: Path):
    photo(tmp_path / "JPEGImages" / "a.jpg")
    picture(tmp_path / "SegmentationClass" / "a.png", np.full((24, 40, 3), 77, np.uint8))
    text(tmp_path / "labelmap.txt", LABELMAP)
    with pytest.raises(BadInput, match="colours #4d4d4d"):
        open_dataset("crackseg", tmp_path)[0]


def test_labels_of_which_none_says_crack(tmp_path: Path):
    photo(tmp_path / "JPEGImages" / "a.jpg")
    picture(tmp_path / "SegmentationClass" / "a.png", COLOURS[pattern(1, 2)])
    text(tmp_path / "labelmap.txt", LABELMAP.replace("crack", "damage"))
    with pytest.raises(BadInput, match="labels damage, road; a label with crack in its name"):
        open_dataset("crackseg", tmp_path)[0]
