"""CVAT XML 1.1 shapes and Segmentation mask colours."""

from pathlib import Path

import numpy as np
import pytest

from sam_crack.data.formats import cvat
from sam_crack.errors import BadInput


def read(tmp_path: Path, shapes: str, *, version: str = "1.1", name: str = "a.jpg"):
    path = tmp_path / "annotations.xml"
    image = f'<image id="0" name="{name}" subset="Train" width="12" height="9">{shapes}</image>'
    path.write_text(f"<annotations><version>{version}</version>{image}</annotations>")
    return cvat.read_document(path)


def drawn(tmp_path: Path, shapes: str) -> np.ndarray:
    return cvat.draw(read(tmp_path, shapes)["a.jpg"], {"crack": 1, "patch": 2})


def test_polygons_and_boxes_cover_their_corners(tmp_path: Path):
    box = '<box label="crack" xtl="1" ytl="2" xbr="5" ybr="4"/>'
    outline = '<polygon label="crack" points="1,2;5,2;5,4;1,4"/>'
    expected = np.zeros((9, 12), np.uint8)
    expected[2:4, 1:5] = 1
    np.testing.assert_array_equal(drawn(tmp_path, box), expected)
    np.testing.assert_array_equal(drawn(tmp_path, outline), expected)


def test_mask_runs_go_row_by_row_from_background(tmp_path: Path):
    mask = drawn(
        tmp_path, '<mask label="patch" rle="1, 2, 2, 1" left="3" top="4" width="3" height="2"/>'
    )
    assert np.argwhere(mask == 2).tolist() == [[4, 4], [4, 5], [5, 5]]


def test_a_mask_that_sticks_out_is_clipped(tmp_path: Path):
    mask = drawn(
        tmp_path, '<mask label="crack" rle="0,12" left="-2" top="7" width="3" height="4"/>'
    )
    assert np.argwhere(mask).tolist() == [[7, 0], [8, 0]]


def test_higher_shapes_lie_on_top_whatever_their_place_in_the_file(tmp_path: Path):
    low = '<box label="patch" xtl="0" ytl="0" xbr="9" ybr="9" z_order="0"/>'
    high = '<box label="crack" xtl="2" ytl="2" xbr="4" ybr="4" z_order="3"/>'
    assert (drawn(tmp_path, high + low) == 1).sum() == 4


def test_polylines_ellipses_points_and_unknown_labels(tmp_path: Path):
    assert drawn(tmp_path, '<polyline label="crack" points="0.5,0.5;11.5,8.5"/>').sum() == 12
    assert drawn(tmp_path, '<points label="crack" points="3.5,2.5"/>')[2, 3] == 1
    assert drawn(tmp_path, '<box label="car" xtl="1" ytl="2" xbr="5" ybr="4"/>').sum() == 0
    area = drawn(tmp_path, '<ellipse label="crack" cx="6" cy="4.5" rx="5" ry="3"/>').sum()
    assert area == pytest.approx(np.pi * 15, rel=0.1)


@pytest.mark.parametrize(
    "shapes",
    [
        '<mask label="crack" rle="5" left="0" top="0" width="3" height="2"/>',
        '<mask label="crack" rle="-1,7" left="0" top="0" width="3" height="2"/>',
        '<mask label="crack" rle="6" left="0" top="0" width="-3" height="-2"/>',
        '<polygon label="crack" points="1,2;x"/>',
        '<polygon label="crack" points="1,nan;2,3;4,5"/>',
        '<box label="crack" xtl="1"/>',
    ],
)
def test_shapes_that_make_no_sense_are_refused(shapes: str, tmp_path: Path):
    with pytest.raises(BadInput, match=r"annotations\.xml"):
        drawn(tmp_path, shapes)


def test_video_exports_and_other_versions_are_refused(tmp_path: Path):
    with pytest.raises(BadInput, match="CVAT for images"):
        read(tmp_path, "", version="1.0")


def test_a_picture_is_found_by_its_file_name(tmp_path: Path):
    images = read(tmp_path, "", name="task 7/frames/b.jpg")
    assert cvat.matching_name(images, tmp_path / "b.jpg").subset == "Train"
    assert cvat.matching_name(images, tmp_path / "c.jpg") is None


def test_labelmap_names_may_hold_colons(tmp_path: Path):
    path = tmp_path / "labelmap.txt"
    path.write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad: crack:1,2,3::\n")
    table = cvat.read_labelmap(path)
    assert table == {"background": (0, 0, 0), "road: crack": (1, 2, 3)}
    assert cvat.foreground(table) == ["road: crack"]


@pytest.mark.parametrize("content", ["", "crack", "crack:1,2::", "crack:1,2,300::", "\x00:::"])
def test_labelmaps_without_sense_are_refused(content: str, tmp_path: Path):
    (tmp_path / "labelmap.txt").write_text(content)
    with pytest.raises(BadInput):
        cvat.read_labelmap(tmp_path / "labelmap.txt")
