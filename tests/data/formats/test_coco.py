"""COCO polygons, run lengths and panoptic codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from sam_crack.data.formats import coco, rle
from sam_crack.errors import BadInput

SIZE = (6, 8)


def document(tmp_path: Path, *objects: dict, **changes: object) -> coco.CocoDocument:
    content = {
        "images": [{"id": 5, "file_name": "a.jpg", "height": 6, "width": 8}],
        "categories": [{"id": 3, "name": "crack"}, {"id": 4, "name": "patch"}],
        "annotations": [{"image_id": 5, "category_id": 3, **each} for each in objects],
    }
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
    path.write_text(json.dumps(content | changes))
    return coco.read_document(path)


def test_run_lengths_of_a_mask_written_by_hand():
    mask = np.zeros((2, 3), bool)
    mask[1, 0] = mask[0, 1] = mask[1, 2] = True
    # Column by column: 0 1 | 1 0 | 0 1
    assert rle.mask_to_counts(mask) == [1, 2, 2, 1]
    np.testing.assert_array_equal(rle.counts_to_mask([1, 2, 2, 1], (2, 3)), mask)


def test_compressed_counts_by_hand():
    """Five bits a character from 48 up, 32 means more; the fourth is a difference to the second."""
    assert rle.unpack_counts("1221") == [1, 2, 2, 3]
    assert rle.unpack_counts("P2") == [64]  # 'P' is 32: low bits 0, more to come; '2' is 2 << 5
    assert rle.unpack_counts("o0") == [31]  # a lone 31 has its sign bit set, so a zero follows
    assert rle.unpack_counts("593O") == [5, 9, 3, 8]  # 'O' is 31, minus one


@settings(deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 70), st.integers(1, 70))))
def test_masks_survive_both_run_length_forms(mask: np.ndarray):
    counts = rle.mask_to_counts(mask)
    assert rle.unpack_counts(rle.pack_counts(counts)) == counts
    np.testing.assert_array_equal(rle.counts_to_mask(counts, mask.shape), mask)


def test_objects_of_three_kinds_agree(tmp_path: Path):
    mask = np.zeros(SIZE, bool)
    mask[1:4, 2:5] = True
    counts = rle.mask_to_counts(mask)
    shapes = [
        [[2, 1, 5, 1, 5, 4, 2, 4]],
        {"counts": counts, "size": list(SIZE)},
        {"counts": rle.pack_counts(counts), "size": list(SIZE)},
    ]
    for shape in shapes:
        drawn = coco.draw_objects(document(tmp_path, {"segmentation": shape}), 5, SIZE)
        np.testing.assert_array_equal(drawn.categories, mask * 3)
        assert drawn.types == {1: 3}


def test_small_objects_lie_on_top_and_crowds_are_apart(tmp_path: Path):
    large, small = [[0, 0, 8, 0, 8, 6, 0, 6]], [[1, 1, 3, 1, 3, 3, 1, 3]]
    crowd = {"counts": [0, 6, 42], "size": list(SIZE)}
    found = document(
        tmp_path,
        {"segmentation": small, "category_id": 4},
        {"segmentation": large},
        {"segmentation": crowd, "iscrowd": 1},
    )
    drawn = coco.draw_objects(found, 5, SIZE)
    assert (drawn.categories == 4).sum() == 4
    assert (drawn.categories == 3).sum() == 44
    assert drawn.crowd.sum() == 0


@pytest.mark.parametrize(
    "shape",
    [
        {"counts": [1, 2], "size": [6, 8]},
        {"counts": [49, -1], "size": [6, 8]},
        {"counts": [48], "size": [8, 6]},
        {"counts": "~~~", "size": [6, 8]},
        {"counts": "oooooooooooooooooo", "size": [6, 8]},
        [[1, 2, 3]],
        [["a", "b"]],
        [[1e300, 1, 2, 2, 3, 3]],
        "text",
        None,
    ],
)
def test_segmentations_without_sense_are_refused(shape: object, tmp_path: Path):
    with pytest.raises(BadInput, match="picture 5"):
        coco.draw_objects(document(tmp_path, {"segmentation": shape}), 5, SIZE)


@pytest.mark.parametrize(
    "changes",
    [
        {"images": [{"id": "5", "file_name": "a"}]},
        {"images": [{"id": True, "file_name": "a"}]},
        {"images": [{"id": 5, "file_name": None}]},
        {"images": 7},
        {"annotations": [{}]},
        {"categories": [1]},
    ],
)
def test_documents_without_sense_are_refused(changes: dict, tmp_path: Path):
    with pytest.raises(BadInput, match="COCO JSON"):
        document(tmp_path, **changes)


def test_deep_json_is_refused(tmp_path: Path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(BadInput, match="COCO JSON"):
        coco.read_document(tmp_path / "a.json")


def test_panoptic_codes(tmp_path: Path):
    coded = np.zeros((2, 3, 3), np.uint8)
    coded[0, 0], coded[0, 1], coded[1] = (1, 2, 3), (9, 0, 0), (7, 0, 0)
    Image.fromarray(coded).save(tmp_path / "p.png")
    segments = [
        {"id": 1 + 256 * 2 + 65536 * 3, "category_id": 40},
        {"id": 9, "category_id": 40},
        {"id": 7, "category_id": 90},
    ]
    drawn = coco.read_panoptic(tmp_path / "p.png", {"segments_info": segments}, {40})
    assert drawn.categories.tolist() == [[40, 40, 0], [90, 90, 90]]
    assert len(drawn.types) == 2
    assert drawn.crowd.tolist() == [[False, False, True], [False] * 3]
    with pytest.raises(BadInput, match="in its segments"):
        coco.read_panoptic(tmp_path / "p.png", {"segments_info": segments[:2]}, {40})
