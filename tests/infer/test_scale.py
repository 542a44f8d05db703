import numpy as np
import pytest

from sam_crack.errors import UsageError
from sam_crack.infer.scale import (
    GRID,
    grid_for,
    parse_scale,
    resize_classes,
    resize_image,
    resize_levels,
    scaled_size,
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("own", "own"),
        ("1", "factor"),
        ("0.35", "factor"),
        ("camera", "camera"),
        ("camera:strips", "strips"),
        ("auto", "auto"),
        ("calibrate:few/frames", "calibrate"),
    ],
)
def test_what_may_be_written_is_read(text, kind):
    assert parse_scale(text).kind == kind


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "9", "nan", "inf", "half", "auto:3", "camera:rows", "calibrate:"]
)
def test_anything_else_is_refused_in_three_clauses(text):
    with pytest.raises(UsageError) as error:
        parse_scale(text)
    assert error.value.given == f"scale {text!r}"
    assert error.value.accepted
    assert "--scale 0.5" in error.value.todo


@pytest.mark.parametrize("size", [(33, 47), (1, 1), (2, 301), (480, 320)])
@pytest.mark.parametrize("factor", [0.05, 0.3, 0.707, 1.0, 1.41, 3.0])
def test_there_and_back_is_the_same_size(size, factor):
    shown = scaled_size(size, factor)
    image = resize_image(np.zeros((*size, 3), np.uint8), shown)
    assert image.shape == (*shown, 3)
    assert min(shown) >= 1
    assert resize_levels(image[..., 0], size).shape == size
    assert resize_classes(image[..., 0], size).shape == size


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_levels_keep_their_mean_when_they_shrink(kind):
    levels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (64, 96)).astype(kind)
    small = resize_levels(levels, (32, 48))
    assert small.dtype == kind
    blocks = levels.reshape(32, 2, 48, 2).mean((1, 3))
    assert np.abs(small - blocks).max() <= 0.51


def test_the_same_size_is_the_same_array():
    levels = np.random.default_rng(0).integers(0, 255, (31, 17), np.uint8)
    assert resize_levels(levels, (31, 17)) is levels


def test_classes_are_never_mixed():
    classes = np.array([[1, 3], [3, 1]], np.uint8).repeat(5, 0).repeat(5, 1)
    assert set(np.unique(resize_classes(classes, (23, 17)))) == {1, 3}


def test_the_grid_is_geometric_and_holds_one():
    steps = np.diff(np.log2(GRID))
    np.testing.assert_allclose(steps, 0.5)
    assert 1.0 in GRID


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [
        ((2160, 3840), 0.25, 1.0),
        ((640, 1024), 0.25, 2.0),
        ((192, 384), 0.5, 2**1.5),
        ((60, 80), 1.0, 2**1.5),
        ((9000, 9000), 0.25, 1.0),
    ],
)
def test_small_frames_are_shrunk_less_and_large_ones_not_enlarged(size, least, most):
    grid = grid_for(size)
    assert (grid[0], grid[-1]) == pytest.approx((least, most))
    assert 1.0 in grid
