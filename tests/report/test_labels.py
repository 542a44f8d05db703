"""What is written for annotation tools is read back by the readers of their exports."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_crack.data.formats import cvat
from sam_crack.data.formats.encoding import Colours
from sam_crack.data.formats.rle import counts_to_mask, unpack_counts
from sam_crack.measure.cracks import measure_cracks
from sam_crack.measure.pixels import crack_pixels
from sam_crack.report import labels


def frame(mask, name="drive/a", number=0):
    cracks = measure_cracks(mask, min_length_px=5)
    seeds = [(c.id, np.concatenate(c.lines).astype(float)) for c in cracks]
    return labels.LabelledFrame(
        file=f"{name}.jpg",
        number=number,
        size=mask.shape,
        patches=tuple(crack_pixels(mask, seeds)),
        facts={c.id: {"length_px": c.length_px} for c in cracks},
    )


@pytest.fixture
def mask():
    """Three cracks, two of them touching the border of the frame."""
    drawn = np.zeros((70, 90), np.uint8)
    cv2.line(drawn, (0, 10), (60, 30), 1, 2)
    cv2.line(drawn, (20, 69), (80, 45), 1, 1)
    cv2.ellipse(drawn, (70, 15), (12, 8), 0, 0, 360, 1, 1)
    return drawn > 0


def test_pixels_of_all_cracks_make_up_the_mask(mask):
    found = np.zeros(mask.shape, int)
    for patch in frame(mask).patches:
        rows, columns = patch.pixels.shape
        found[patch.top : patch.top + rows, patch.left : patch.left + columns] += patch.pixels
    np.testing.assert_array_equal(found, mask)


def test_cvat_xml_reads_back(mask, tmp_path):
    odd = frame(mask, 'one "and" <two> & drei/ß')
    labels.write_cvat_xml(tmp_path / "annotations.xml", [frame(mask), odd])
    images = cvat.read_document(tmp_path / "annotations.xml")
    assert set(images) == {"drive/a.jpg", odd.file}
    for image in images.values():
        np.testing.assert_array_equal(cvat.draw(image, {"crack": 1}), mask)


def test_a_frame_keeps_its_number_in_the_task(mask, tmp_path):
    labels.write_cvat_xml(tmp_path / "a.xml", [frame(mask, "a", 3), frame(mask, "b", 7)])
    images = ET.parse(tmp_path / "a.xml").getroot().findall("image")
    assert [(image.get("id"), image.get("name")) for image in images] == [
        ("3", "a.jpg"),
        ("7", "b.jpg"),
    ]


def test_pictures_that_differ_in_their_suffix_have_a_mask_each(mask, tmp_path):
    same = replace(frame(mask, "a"), file="a.png")
    labels.write_cvat_masks(tmp_path, [frame(mask, "a"), same])
    assert (tmp_path / "ImageSets/Segmentation/default.txt").read_text() == "a\na_png\n"
    assert (tmp_path / "SegmentationClass/a_png.png").exists()


def test_masks_do_not_meet_where_case_is_ignored(mask, tmp_path):
    files = ["a/X.png", "a/x.jpg", "a/x_jpg.png", "A/x.JPG"]
    frames = [replace(frame(mask), file=file) for file in files]
    labels.write_cvat_masks(tmp_path, frames)
    names = (tmp_path / "ImageSets/Segmentation/default.txt").read_text().split()
    assert names[:2] == ["a/X", "a/x_jpg"]
    assert len({name.casefold() for name in names}) == 4
    assert all((tmp_path / f"SegmentationObject/{name}.png").exists() for name in names)


def test_cvat_masks_read_back(mask, tmp_path):
    labels.write_cvat_masks(tmp_path, [frame(mask)])
    table = cvat.read_labelmap(tmp_path / "labelmap.txt")
    assert cvat.foreground(table) == ["crack"]
    pixels = cv2.imread(str(tmp_path / "SegmentationClass/drive/a.png"))[..., ::-1]
    encoding = cvat.labelmap_colours(table, {"crack": 1})
    assert isinstance(encoding, Colours)
    inside = (pixels == encoding_colour(table)).all(axis=-1)
    np.testing.assert_array_equal(inside, mask)
    objects = cv2.imread(str(tmp_path / "SegmentationObject/drive/a.png"))
    assert len(np.unique(objects.reshape(-1, 3), axis=0)) == 1 + 3
    assert (tmp_path / "ImageSets/Segmentation/default.txt").read_text() == "drive/a\n"


def encoding_colour(table):
    return np.array(table["crack"])


def test_coco_reads_back(mask, tmp_path):
    labels.write_coco(tmp_path / "coco.json", [frame(mask), frame(mask, "b")])
    document = json.loads((tmp_path / "coco.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["drive/a.jpg", "b.jpg"]
    for number in (1, 2):
        mine = [a for a in document["annotations"] if a["image_id"] == number]
        runs = [unpack_counts(a["segmentation"]["counts"]) for a in mine]
        drawn = [counts_to_mask(counts, mask.shape) for counts in runs]
        np.testing.assert_array_equal(np.any(drawn, axis=0), mask)
        assert [a["area"] for a in mine] == [one.sum() for one in drawn]
        for a, one in zip(mine, drawn, strict=True):
            x, y, w, h = a["bbox"]
            assert one[y : y + h, x : x + w].sum() == one.sum()
        assert all(a["attributes"]["length_px"] > 0 for a in mine)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_run_lengths_of_a_part_are_those_of_the_whole(seed):
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 12, 2))
    rows, columns = (int(rng.integers(1, side + 1)) for side in size)
    top, left = int(rng.integers(size[0] - rows + 1)), int(rng.integers(size[1] - columns + 1))
    pixels = rng.random((rows, columns)) < 0.5
    whole = np.zeros(size, bool)
    whole[top : top + rows, left : left + columns] = pixels
    patch = labels.Patch(id=1, top=top, left=left, pixels=pixels)
    counts = labels._whole_counts(patch, size)
    np.testing.assert_array_equal(counts_to_mask(counts, size), whole)


def test_object_colours_are_those_of_pascal_voc():
    assert [labels.object_colour(n) for n in (1, 2, 3, 9)] == [
        (128, 0, 0), (0, 128, 0), (128, 128, 0), (192, 0, 0),
    ]  # fmt: skip


def test_nothing_found_is_written_too(tmp_path: Path):
    empty = frame(np.zeros((20, 30), bool))
    labels.write_cvat_xml(tmp_path / "a.xml", [empty])
    assert cvat.read_document(tmp_path / "a.xml")["drive/a.jpg"].shapes == ()
    labels.write_coco(tmp_path / "coco.json", [empty])
    assert json.loads((tmp_path / "coco.json").read_text())["annotations"] == []
