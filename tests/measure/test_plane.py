"""A road seen through points: the homography against OpenCV and against a lens over it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.plane import PlaneCamera

SIZE = (2160, 3840)
LANE = np.array([[-1.75, 5.0], [1.75, 5.0], [-1.75, 14.0], [1.75, 14.0]])
cameras = st.builds(
    Camera,
    height_m=st.floats(0.9, 3),
    pitch_deg=st.floats(0, 25),
    focal_px=st.floats(1500, 4000),
    size=st.just(SIZE),
    roll_deg=st.floats(-6, 6),
)


def plane_of(camera, ground=LANE):
    table = np.column_stack([camera.to_pixels(ground), ground])
    return PlaneCamera(size=SIZE, points=tuple(map(tuple, table.tolist())))


@given(cameras, st.floats(-6, 6), st.floats(3, 60))
def test_four_points_see_what_the_camera_sees(camera, x, z):
    plane, there = plane_of(camera), camera.to_pixels([x, z])
    np.testing.assert_allclose(plane.to_pixels([x, z]), there, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(plane.to_ground(there), [x, z], rtol=1e-5, atol=1e-5)


@given(cameras)
def test_the_plane_equals_opencvs_perspective_transform(camera):
    pixels = camera.to_pixels(LANE)
    matrix = cv2.getPerspectiveTransform(
        pixels[:, ::-1].astype(np.float32), LANE.astype(np.float32)
    )
    some = np.array([[[1000.0, 1800.0], [2500.0, 2000.0]]])
    theirs = cv2.perspectiveTransform(some, matrix)[0]
    np.testing.assert_allclose(plane_of(camera).to_ground(some[0][:, ::-1]), theirs, rtol=2e-3)


def test_above_the_horizon_there_is_no_road():
    camera = Camera(height_m=1.4, pitch_deg=8, focal_px=2600, size=SIZE, roll_deg=3)
    y, x = np.mgrid[:2160:60, :3840:60]
    pixels = np.stack([y, x], axis=-1).astype(float)
    there = np.isfinite(camera.to_ground(pixels)).all(axis=-1)
    np.testing.assert_array_equal(np.isfinite(plane_of(camera).to_ground(pixels))[..., 0], there)
    assert np.isnan(plane_of(camera).to_pixels([0.0, -5.0])).all()


def test_many_points_average_what_is_marked_by_hand():
    camera = Camera(height_m=1.4, pitch_deg=8, focal_px=2600, size=SIZE)
    x, z = np.meshgrid(np.linspace(-2, 2, 5), np.linspace(5, 15, 6))
    ground = np.column_stack([x.ravel(), z.ravel()])
    pixels = camera.to_pixels(ground) + np.random.default_rng(0).normal(0, 2, ground.shape)
    points = tuple(map(tuple, np.column_stack([pixels, ground]).tolist()))
    found = PlaneCamera(size=SIZE, points=points).to_ground(camera.to_pixels([1.0, 9.0]))
    assert found == pytest.approx([1, 9], abs=0.05)


def test_sampling_distance_and_size_go_with_the_frame():
    camera = Camera(height_m=1.4, pitch_deg=8, focal_px=2600, size=SIZE)
    plane, pixel = plane_of(camera), np.array([1500.0, 2200.0])
    expected = camera.millimetres_per_pixel(pixel)
    np.testing.assert_allclose(plane.millimetres_per_pixel(pixel), expected, rtol=1e-4)
    half = plane.resized((1080, 1920))
    np.testing.assert_allclose(
        half.to_pixels([1.0, 9.0]), (plane.to_pixels([1.0, 9.0]) + 0.5) / 2 - 0.5
    )
    with pytest.raises(BadInput, match="same shape"):
        plane.resized((1000, 1000))


GOOD = [[1500, 900, -1.75, 6], [1500, 2900, 1.75, 6], [1180, 1500, -1.75, 15]]


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (GOOD, "3 road points"),
        ([*GOOD, [1500, 1900, 1.75, 15]], r"points 1, 2, 4 on one line \(pixels\)"),
        ([*GOOD, [1180, 2300, -1.75, 30]], r"points 1, 3, 4 on one line \(metres\)"),
        ([*GOOD, GOOD[0]], "on one line"),
        ([*GOOD[:2], [1180, 2300, -1.75, 15], [1180, 1500, 1.75, 15]], "horizon between"),
        ([[y, 3839 - x, *m] for y, x, *m in [*GOOD, [1180, 2300, 1.75, 15]]], "mirrored"),
        ([*GOOD, [1180, 2300, 1.75, 15], [1300, 1900, 0, 6]], "miss one plane"),
    ],
)
def test_what_no_plane_explains_is_refused_in_three_clauses(points, says):
    with pytest.raises(BadInput, match=says) as caught:
        PlaneCamera(size=SIZE, points=tuple(map(tuple, points)))
    assert caught.value.accepted
    assert caught.value.todo
