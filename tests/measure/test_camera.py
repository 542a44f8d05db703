import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera, load_camera

GOOD = {"height_m": 1.4, "pitch_deg": 8, "focal_px": 2600, "size": [2160, 3840]}
cameras = st.builds(
    Camera,
    height_m=st.floats(0.5, 3),
    pitch_deg=st.floats(0, 40),
    focal_px=st.floats(800, 4000),
    size=st.just((2160, 3840)),
    roll_deg=st.floats(-10, 10),
)


@given(cameras, st.floats(-4, 4), st.floats(3, 40))
def test_ground_to_pixels_and_back(camera, x, z):
    there = camera.to_pixels([x, z])
    np.testing.assert_allclose(camera.to_ground(there), [x, z], rtol=1e-6, atol=1e-6)


@given(cameras, st.floats(-4, 4), st.floats(3, 40))
@settings(max_examples=40)
def test_projection_equals_opencv(camera, x, z):
    y0, x0 = camera.principal
    matrix = np.array([[camera.focal_px, 0, x0], [0, camera.focal_px, y0], [0, 0, 1.0]])
    pitch, _ = cv2.Rodrigues(np.array([np.radians(camera.pitch_deg), 0, 0]))
    roll, _ = cv2.Rodrigues(np.array([0, 0, -np.radians(camera.roll_deg)]))
    turn, _ = cv2.Rodrigues(roll @ pitch)
    point = np.array([[[x, camera.height_m, z]]])
    theirs, _ = cv2.projectPoints(point, turn, np.zeros(3), matrix, None)
    np.testing.assert_allclose(camera.to_pixels([x, z]), theirs.ravel()[::-1], atol=1e-4)


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
        height_m=1.2, pitch_deg=-3, focal_px=900, size=(540, 960), roll_deg=1, centre=(200, 400.5)
    )
    camera.save(tmp_path / "camera.json")
    assert load_camera(tmp_path / "camera.json") == camera


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"height_m": 0}, "height_m"),
        ({"height_m": "1.4"}, "height_m"),
        ({"height_m": True}, "height_m"),
        ({"pitch_deg": float("nan")}, "pitch_deg"),
        ({"focal_px": float("inf")}, "focal_px"),
        ({"focal_px": 3}, "focal_px"),
        ({"size": [2160]}, "size"),
        ({"size": [2160.5, 3840]}, "size"),
        ({"size": "4K"}, "size"),
        ({"size": None}, "size"),
        ({"centre": 7}, "centre"),
        ({"roll_deg": [1]}, "roll_deg"),
        ({"hight_m": 1.4}, "did you mean height_m"),
        ({"fov": 90}, "unknown 'fov'"),
    ],
)
def test_what_no_camera_can_be_is_refused_by_name(tmp_path, change, says):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(BadInput, match=says):
        load_camera(path)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "[" * 100_000, "{}", "\udcff"])
def test_what_is_no_camera_file_is_refused_with_an_example(tmp_path, text):
    path = tmp_path / "camera.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BadInput, match="height_m"):
        load_camera(path)


def test_absent_and_oversized_files_are_refused(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        load_camera(tmp_path / "camera.json")
    with pytest.raises(BadInput, match="Is a directory"):
        load_camera(tmp_path)
    (tmp_path / "big.json").write_bytes(b" " * 2_000_000)
    with pytest.raises(BadInput, match="too large"):
        load_camera(tmp_path / "big.json")


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
