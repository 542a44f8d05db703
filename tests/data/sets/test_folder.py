"""Folders of anyone's: pairs, splits and encodings that are found out and said back."""

from pathlib import Path

import numpy as np
import pytest

from sam_crack.data.dataset import open_dataset
from sam_crack.errors import BadInput, UsageError
from tests.data.sets.fake_layouts import SIZE, black_white, pattern, photo, picture


def encoded(root: Path, values: np.ndarray, palette: list[int] | None = None) -> Path:
    """One photo and one mask."""
    photo(root / "images" / "a.jpg")
    picture(root / "masks" / "a.png", values, palette)
    return root


@pytest.mark.parametrize(
    ("image", "mask", "split"),
    [
        ("images/a.jpg", "masks/a.png", ""),
        ("imgs/a.jpg", "labels/a.png", ""),
        ("JPEGImages/a.jpg", "SegmentationClass/a.png", ""),
        ("a.jpg", "a_mask.png", ""),
        ("a.png", "gt_a.png", ""),
        ("train/images/a.jpg", "train/masks/a.png", "train"),
        ("images/validation/a.jpg", "annotations/validation/a.png", "val"),
        ("test_img/a.jpg", "test_lab/a.png", "test"),
        ("images/a.jpg", "masks/mask_a_01.png", ""),
        ("photos/a.JPG", "ground truth/a.PNG", ""),
    ],
)
def test_pairs_are_found_by_name(image: str, mask: str, split: str, tmp_path: Path):
    photo(tmp_path / image)
    black_white(tmp_path / mask, 1)
    found = open_dataset("folder", tmp_path)
    assert [record.split for record in found.records] == [split]
    assert found[0].mask.sum() == 15


def test_what_was_found_is_said_with_the_flags_to_use(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg")
    black_white(tmp_path / "masks" / "a_GT.png", 1)
    assert open_dataset("folder", tmp_path).spec.notes == (
        "pairs: images/NAME.* with masks/NAME_GT.*",
        "encoding: black and white (0, 255)",
        "flags: --classes foreground=255",
    )


GREY = [part for level in range(256) for part in (level, level, level)]


@pytest.mark.parametrize(
    ("values", "palette", "why", "names"),
    [
        (pattern(1), None, "grey levels 0, 1", ["foreground"]),
        (pattern(1) * 30, None, "grey levels 0, 30", ["foreground"]),
        (pattern(1, 2) * 60, None, "grey levels 0, 60, 120", ["class_60", "class_120"]),
        (pattern(1, 3), GREY, "palette indices 0, 1, 3", ["class_1", "class_3"]),
        (
            np.where(pattern(1, 4) == 4, 255, pattern(1)),
            GREY,
            "255 taken as ignore",
            ["foreground"],
        ),
        (pattern(1) > 0, None, "black and white (0, 1)", ["foreground"]),
    ],
)
def test_encodings(
    values: np.ndarray, palette: list[int] | None, why: str, names: list[str], tmp_path: Path
):
    found = open_dataset("folder", encoded(tmp_path, values, palette))
    assert why in found.spec.notes[1]
    assert [each.name for each in found.classes] == names
    assert (found[0].mask == 1).sum() == 15


def test_colours_become_classes_named_by_them(tmp_path: Path):
    colours = np.array([[0, 0, 0], [84, 105, 77], [255, 0, 0]], np.uint8)
    found = open_dataset("folder", encoded(tmp_path, colours[pattern(1, 2)]))
    assert found.spec.notes[2] == "flags: --classes colour_ff0000=#ff0000,colour_54694d=#54694d"
    assert (found[0].mask == 2).sum() == 15


def test_the_flags_that_are_said_read_the_same(tmp_path: Path):
    root = encoded(tmp_path, pattern(1, 2) * 60)
    guessed = open_dataset("folder", root)
    flags = guessed.spec.notes[2].removeprefix("flags: --classes ")
    stated = open_dataset("folder", root, classes=tuple(flags.split(",")))
    assert stated.classes == guessed.classes
    np.testing.assert_array_equal(stated[0].mask, guessed[0].mask)


def test_stated_values_pick_and_order_classes(tmp_path: Path):
    root = encoded(tmp_path, pattern(1, 2, 3) * 50)
    found = open_dataset("folder", root, classes=("joint=150", "crack=50"))
    assert [each.name for each in found.classes] == ["joint", "crack"]
    assert ((found[0].mask == 1).sum(), (found[0].mask == 2).sum()) == (45, 15)


def test_the_only_class_takes_the_name_it_is_given(tmp_path: Path):
    found = open_dataset("folder", encoded(tmp_path, pattern(1) * 255), classes=("crack",))
    assert [each.name for each in found.classes] == ["crack"]


def test_probability_maps_and_pictures_are_not_masks(tmp_path: Path):
    ramp = np.linspace(0, 255, SIZE[0] * SIZE[1]).astype(np.uint8).reshape(SIZE)
    with pytest.raises(BadInput, match=r"256 grey levels.*threshold them.*--classes crack=255"):
        open_dataset("folder", encoded(tmp_path, ramp))


def test_soft_edges_are_black_and_white_all_the_same(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg", size=(256, 256))
    disc = np.hypot(*(np.indices((256, 256)) - 128)) - 90
    picture(tmp_path / "masks" / "a.png", (255 * np.clip(0.5 - disc, 0, 1)).astype(np.uint8))
    found = open_dataset("folder", tmp_path)
    assert "soft edges" in found.spec.notes[1]
    assert found[0].mask.sum() == pytest.approx(np.pi * 90**2, rel=0.01)


def test_jpeg_masks_are_cut_and_named_as_lossy(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg", size=(64, 64))
    white = np.zeros((64, 64), np.uint8)
    white[8:40, 16:32] = 255
    picture(tmp_path / "masks" / "a.jpg", white)
    found = open_dataset("folder", tmp_path)
    assert "lossy" in found.spec.notes[1]
    assert found[0].mask.sum() == 512


def test_jpeg_masks_of_several_levels_are_refused(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "masks" / "a.jpg", pattern(1, 2, 3) * 60)
    with pytest.raises(BadInput, match="JPEG or WebP masks"):
        open_dataset("folder", tmp_path)


def test_empty_masks_are_said_to_be_empty(tmp_path: Path):
    with pytest.raises(BadInput, match="all 1 masks looked at are empty"):
        open_dataset("folder", encoded(tmp_path, pattern()))


@pytest.mark.parametrize("classes", [("a=1", "b"), ("a=x",), ("a=1", "b=#ff0000"), ("a=70000",)])
def test_values_without_sense_are_usage_errors(classes: tuple[str, ...], tmp_path: Path):
    with pytest.raises(UsageError):
        open_dataset("folder", encoded(tmp_path, pattern(1)), classes=classes)


def test_rare_values_met_later_are_errors_not_background(tmp_path: Path):
    for index in range(60):
        photo(tmp_path / "images" / f"{index:02d}.jpg")
        values = pattern(1) * (99 if index == 59 else 50)
        picture(tmp_path / "masks" / f"{index:02d}.png", values)
    found = open_dataset("folder", tmp_path)
    with pytest.raises(BadInput, match="values 99"):
        list(found)


def test_the_same_name_in_two_splits_is_two_frames(tmp_path: Path):
    for split in ("train", "test"):
        photo(tmp_path / split / "images" / "a.jpg")
        black_white(tmp_path / split / "masks" / "a.png", 1)
    found = open_dataset("folder", tmp_path)
    assert [record.id for record in found.records] == ["test/images/a", "train/images/a"]


def test_a_stray_picture_is_not_a_frame(tmp_path: Path):
    for name in ("01", "02"):
        photo(tmp_path / "images" / f"{name}.jpg")
        black_white(tmp_path / "masks" / f"{name}.png", 1)
    photo(tmp_path / "1.png")
    assert [record.id for record in open_dataset("folder", tmp_path).records] == ["01", "02"]
