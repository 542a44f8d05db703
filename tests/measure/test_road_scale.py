import dataclasses

import numpy as np
import pytest

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.road_scale import (
    millimetres_across,
    road_rows,
    road_strips,
)

CAMERA = Camera(height_m=1.4, pitch_deg=8, focal_px=2600, size=(2160, 3840))


@pytest.mark.parametrize("roll", [0.0, 3.0, -5.0])
def test_the_road_begins_below_the_horizon(roll):
    camera = dataclasses.replace(CAMERA, roll_deg=roll)
    rows, across = road_rows(camera)
    x0, first = camera.principal[1], rows.min()
    seen = np.isfinite(camera.to_ground([[first - 2.0, x0], [first, x0]])).all(axis=1)
    assert seen.tolist() == [False, True]
    assert rows[0] == 2159
    assert (np.diff(across) > 0).all()


def test_a_pixel_is_as_wide_as_two_of_its_neighbours_are_apart():
    rows, across = road_rows(CAMERA)
    row, x0 = float(rows[600]), CAMERA.principal[1]
    left, right = CAMERA.to_ground([[row, x0 - 50], [row, x0 + 50]])
    assert across[600] == pytest.approx(np.linalg.norm(right - left) * 10, rel=1e-6)


def test_half_the_rows_are_finer_than_the_one_figure():
    rows, across = road_rows(CAMERA)
    assert (across < millimetres_across(CAMERA)).mean() == pytest.approx(0.5, abs=0.01)
    # by similar triangles: half-way down, the height over the rows to the horizon
    half = (rows[0] - rows[-1]) / 2
    assert millimetres_across(CAMERA) == pytest.approx(1400 / half, rel=0.02)


@pytest.mark.parametrize("factor", [0.5, 2])
def test_resized_frames_have_pixels_that_much_coarser(factor):
    smaller = CAMERA.resized((round(2160 * factor), round(3840 * factor)))
    assert millimetres_across(smaller) == pytest.approx(
        millimetres_across(CAMERA) / factor, rel=0.01
    )


def test_strips_cover_the_road_once_and_double_towards_the_horizon():
    strips = road_strips(CAMERA, coarsest_mm=20)
    rows, _ = road_rows(CAMERA)
    first, last = rows.min(), rows.max() + 1
    assert [strips[0].first, *(strip.last for strip in strips)] == [
        first,
        *(strip.first for strip in strips[1:]),
        last,
    ]
    sizes = np.array([strip.millimetres for strip in strips])
    np.testing.assert_allclose(sizes[:-1] / sizes[1:], 2, rtol=0.01)
    # by similar triangles a pixel k times nearer to the horizon is k times as wide: halves
    assert strips[-1].first - first == pytest.approx((last - first) / 2, abs=2)


def test_seen_from_straight_above_there_is_one_strip():
    nadir = dataclasses.replace(CAMERA, pitch_deg=90)
    (strip,) = road_strips(nadir, coarsest_mm=20)
    assert (strip.first, strip.last) == (0, 2160)
    assert strip.millimetres == pytest.approx(1400 / 2600)


def test_a_camera_that_sees_no_road_is_refused():
    with pytest.raises(BadInput, match=r"sees road in 0 of 2160 rows; .* 16 rows of road; check"):
        millimetres_across(dataclasses.replace(CAMERA, pitch_deg=-40))
