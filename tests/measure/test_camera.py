from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.camera_file import load_camera

GOOD = {"height_m": 1.4, "pitch_deg": 8, "focal_px": 2600, "size": [2160, 3840]}
cameras = st.builds(
    Camera,
    height_m=st.floats(0.5, 3),
    pitch_deg=st.floats(0.1, 40),  # OpenCV's Rodrigues takes a smaller turn for none
    focal_px=st.floats(800, 4000),
    size=st.just((2160, 3840)),
    roll_deg=st.floats(-10, 10),
)
lenses = st.tuples(  # within these the picture folds back nowhere in the frame
    st.floats(-0.12, 0.15),
    st.floats(-0.02, 0.05),
    st.floats(-0.001, 0.001),
    st.floats(-0.001, 0.001),
    st.floats(-0.005, 0.01),
)
bent_cameras = st.builds(replace, cameras, focal_px=st.floats(2500, 4000), distortion=lenses)


def opencv_of(camera):
    """Camera matrix, rotation and distortion as OpenCV wants them."""
    y0, x0 = camera.principal
    matrix = np.array([[camera.focal_px, 0, x0], [0, camera.focal_px, y0], [0, 0, 1.0]])
    pitch, _ = cv2.Rodrigues(np.array([np.radians(camera.pitch_deg), 0, 0]))
    roll, _ = cv2.Rodrigues(np.array([0, 0, -np.radians(camera.roll_deg)]))
    return matrix, roll @ pitch, np.array(camera.distortion)


@given(cameras, st.floats(-4, 4), st.floats(3, 40))
def test_ground_to_pixels_and_back(camera, x, z):
    there = camera.to_pixels([x, z])
    np.testing.assert_allclose(camera.to_ground(there), [x, z], rtol=1e-6, atol=1e-6)


@given(bent_cameras, st.floats(0, 2159), st.floats(0, 3839))
def test_pixels_to_ground_and_back_through_a_lens(camera, y, x):
    there = camera.to_ground([y, x])
    if np.isfinite(there).all() and np.abs(there).max() < 200:
        np.testing.assert_allclose(camera.to_pixels(there), [y, x], atol=1e-4)


@given(st.one_of(cameras, bent_cameras), st.floats(-2, 2), st.floats(6, 40))
def test_projection_equals_opencv(camera, x, z):
    matrix, rotation, bent = opencv_of(camera)
    turn, _ = cv2.Rodrigues(rotation)
    point = np.array([[[x, camera.height_m, z]]])
    theirs, _ = cv2.projectPoints(point, turn, np.zeros(3), matrix, bent)
    seen = camera.to_pixels([x, z])
    np.testing.assert_allclose(seen, theirs.ravel()[::-1], atol=1e-4)


@given(bent_cameras, st.floats(1200, 2159), st.floats(0, 3839))
def test_the_road_under_a_pixel_equals_opencvs_undistorted_ray(camera, y, x):
    matrix, rotation, bent = opencv_of(camera)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-12)
    pixel = np.array([[[x, y]]])
    straight = cv2.undistortPoints(
        pixel, matrix, bent, R=np.eye(3), P=np.eye(3), criteria=stop
    ).ravel()
    right, down, ahead = rotation.T @ [*straight, 1.0]
    found = camera.to_ground([y, x])
    if down > 0.01:
        again = camera.focal_px * camera.lens.distort(straight) - (pixel[0, 0] - matrix[:2, 2])
        assume(np.abs(again).max() < 0.01)  # theirs has converged
        expected = np.array([right, ahead]) * camera.height_m / down
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_sky_has_no_ground():
    assert np.isnan(Camera(**{**GOOD, "size": (2160, 3840)}).to_ground([0.0, 1920.0])).all()


def test_millimetres_per_pixel_are_differences_on_the_road():
    camera = Camera(**{**GOOD, "size": (2160, 3840)})
    pixel = np.array([1500.0, 2200.0])
    step = np.array([0.5, 0])
    down = np.linalg.norm(camera.to_ground(pixel + step) - camera.to_ground(pixel - step))
    assert camera.millimetres_per_pixel(pixel)[0] == pytest.approx(1000 * down)


def test_a_camera_is_written_and_read(tmp_path):
    camera = Camera(
        height_m=1.2,
        pitch_deg=-3,
        focal_px=900,
        size=(540, 960),
        roll_deg=1,
        centre=(200, 400.5),
        distortion=(-0.1, 0.01, 0.001, 0.0, 0.0),
    )
    camera.save(tmp_path / "camera.json")
    assert load_camera(tmp_path / "camera.json") == camera


def test_a_resized_camera_sees_the_same_road():
    camera = Camera(
        height_m=1.4, pitch_deg=8, focal_px=2600, size=(2160, 3840), centre=(1000.0, 2000.0)
    )
    half = camera.resized((1080, 1920))
    np.testing.assert_allclose(
        half.to_pixels([1.0, 9.0]), (camera.to_pixels([1.0, 9.0]) + 0.5) / 2 - 0.5
    )
    with pytest.raises(BadInput, match="same shape"):
        camera.resized((1024, 640))
