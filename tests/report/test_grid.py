"""The metric grid over a frame: where its lines lie, and that nothing else is touched."""

from dataclasses import replace

import numpy as np
import pytest

from sam_crack.measure.camera import Camera
from sam_crack.measure.plane import PlaneCamera
from sam_crack.measure.sampling import SamplingMap
from sam_crack.report.grid import BOLD, FINE, MARKED, SKY, draw_grid

CAMERA = Camera(height_m=1.4, pitch_deg=8, focal_px=650, size=(540, 960), roll_deg=2)
GREY = np.full((540, 960, 3), 90, np.uint8)
CORNERS = np.array([[-1.75, 4.0], [1.75, 4.0], [-1.75, 14.0], [1.75, 14.0]])


def is_there(picture, camera, place, colour):
    """Whether a colour stands within two pixels of a place on the road."""
    y, x = camera.to_pixels(place).round().astype(int)
    near = picture[y - 2 : y + 3, x - 2 : x + 3].astype(int)
    return (np.abs(near - colour).sum(axis=-1) < 60).any()


@pytest.mark.parametrize("distortion", [(0.0,) * 5, (-0.2, 0.03, 0.0, 0.0, 0.0)])
def test_lines_lie_on_whole_metres(distortion):
    camera = replace(CAMERA, distortion=distortion)
    picture = draw_grid(GREY, camera)
    assert is_there(picture, camera, [1.5, 5.0], BOLD)
    assert is_there(picture, camera, [0.0, 4.5], BOLD)
    assert is_there(picture, camera, [1.0, 4.5], FINE)
    assert is_there(picture, camera, [-0.5, 6.0], FINE)
    assert not is_there(picture, camera, [0.5, 4.5], FINE)


def test_the_horizon_leans_with_the_camera():
    white = (draw_grid(GREY, CAMERA) == SKY).all(axis=-1)
    rows = [np.flatnonzero(white[:300, x]).mean() for x in (450, 870)]
    assert np.degrees(np.arctan((rows[0] - rows[1]) / 420)) == pytest.approx(2, abs=0.3)


def test_what_was_marked_is_drawn_and_the_frame_is_kept():
    before = GREY.copy()
    pixels = CAMERA.to_pixels(CORNERS)
    picture = draw_grid(GREY, CAMERA, lines=pixels[[0, 2]][None])
    assert is_there(picture, CAMERA, [-1.75, 6.5], MARKED)
    ringed = draw_grid(GREY, CAMERA, points=pixels[:1])
    assert (ringed != draw_grid(GREY, CAMERA)).any()
    np.testing.assert_array_equal(GREY, before)


def test_every_kind_of_camera_has_a_grid():
    table = np.column_stack([CAMERA.to_pixels(CORNERS), CORNERS])
    plane = PlaneCamera(size=CAMERA.size, points=tuple(map(tuple, table.tolist())))
    flat = SamplingMap(
        size=CAMERA.size, rows=(0, 539), across_mm=((9,), (9,)), down_mm=((9,), (9,))
    )
    assert is_there(draw_grid(GREY, plane), CAMERA, [1.5, 5.0], BOLD)
    assert is_there(draw_grid(GREY, flat), flat, [1.0, 2.5], FINE)


def test_the_verb_draws_any_camera_over_a_frame_of_any_size(run_cli, tmp_path):
    import cv2

    CAMERA.save(tmp_path / "camera.json")
    cv2.imwrite(str(tmp_path / "frame.png"), GREY[::2, ::2])
    args = ["camera", "grid", tmp_path / "camera.json", tmp_path / "frame.png"]
    code, out, err = run_cli(*args, tmp_path / "out/grid.png")
    assert (code, err) == (0, "")
    assert "2° turned" in out
    assert cv2.imread(str(tmp_path / "out/grid.png")).shape == (270, 480, 3)
    code, _, err = run_cli(*args, tmp_path / "grid.jpg")
    assert code == 3
    assert "ends in .png" in err
