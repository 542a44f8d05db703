"""Outlines to pixels, against scikit-image and the area formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon

from sam_crack.data.formats.polygons import fill, trace
from sam_crack.errors import BadInput

# Hundredths: on subnormal numbers scikit-image itself goes wrong.
SIDE = st.integers(-500, 4000).map(lambda hundredths: hundredths / 100)
POINT = st.tuples(SIDE, SIDE)


def distance_to_edges(outline: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """How far every pixel centre is from the nearest edge."""
    centres = np.stack(np.indices(size), axis=-1).astype(float)
    nearest = np.full(size, np.inf)
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        along = end - start
        length = max(float(along @ along), 1e-12)
        share = np.clip((centres - start) @ along / length, 0, 1)
        nearest = np.minimum(
            nearest, np.linalg.norm(centres - start - share[..., None] * along, axis=-1)
        )
    return nearest


@settings(deadline=None)
@given(st.lists(POINT, min_size=3, max_size=12))
def test_inside_is_what_scikit_image_says(points: list[tuple[float, float]]):
    outline, size = np.array(points), (32, 36)
    ours, theirs = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    theirs[polygon(outline[:, 0], outline[:, 1], size)] = 1
    fill(ours, outline, 1)
    # Centres on an edge belong to one side here and to both there.
    clear = distance_to_edges(outline, size) > 1e-6
    if (theirs & clear).any():
        np.testing.assert_array_equal(ours[clear], theirs[clear])


def test_neighbours_share_no_pixel_and_leave_none_out():
    canvas = np.zeros((20, 20), np.uint8)
    corners = {1: (0, 0), 2: (0, 7), 3: (9, 0), 4: (9, 7)}
    ends = {1: (9, 7), 2: (9, 20), 3: (20, 7), 4: (20, 20)}
    total = np.zeros((20, 20), int)
    for value, (top, left) in corners.items():
        bottom, right = ends[value]
        box = np.array([[top, left], [top, right], [bottom, right], [bottom, left]], float)
        fill(canvas, box, value, corner=True)
        one = np.zeros((20, 20), int)
        fill(one, box, 1, corner=True)
        total += one
    assert (total == 1).all()


def test_a_large_outline_has_the_area_of_the_shoelace_formula():
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    outline = np.stack([100 + 70 * np.sin(turn), 120 + 90 * np.cos(turn)], axis=1)
    y, x = outline.T
    area = abs(np.dot(y, np.roll(x, -1)) - np.dot(x, np.roll(y, -1))) / 2
    canvas = np.zeros((200, 250), np.uint8)
    fill(canvas, outline, 1)
    assert canvas.sum() == pytest.approx(area, rel=0.002)


def test_a_speck_is_one_pixel_and_outside_is_none():
    canvas = np.zeros((9, 9), np.uint8)
    fill(canvas, np.array([[3.2, 4.3], [3.3, 4.4], [3.2, 4.4]]), 1)
    assert np.argwhere(canvas).tolist() == [[3, 4]]
    fill(canvas, np.array([[30.0, 4], [33, 4], [33, 9]]), 1)
    assert canvas.sum() == 1


def test_an_outline_made_to_take_forever_is_refused():
    zigzag = np.zeros((200_000, 2))
    zigzag[::2, 0] = 5000
    zigzag[:, 1] = np.arange(len(zigzag)) % 90
    with pytest.raises(BadInput, match="pixel rows"):
        fill(np.zeros((5000, 100), np.uint8), zigzag, 1)


def test_a_line_is_connected_and_clipped():
    canvas = np.zeros((10, 10), np.uint8)
    trace(canvas, np.array([[1.5, 1.5], [8.5, 4.5], [8.5, 40.0]]), 1)
    rows = canvas.any(axis=1)
    assert rows[1:9].all()
    assert canvas[8, 4:].all()
    assert not rows[0]
