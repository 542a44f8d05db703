"""Cameras found again from what they see."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.camera_file import load_camera
from sam_crack.measure.camera_fit import fit_points, focal_of
from sam_crack.measure.line_fit import Marks, fit_lines

SIZE = (2160, 3840)
LANE = np.array([[-1.75, 5.0], [1.75, 5.0], [-1.75, 14.0], [1.75, 14.0]])
cameras = st.builds(
    Camera,
    height_m=st.floats(0.9, 3),
    pitch_deg=st.floats(1, 25),
    focal_px=st.floats(1500, 4000),
    size=st.just(SIZE),
    roll_deg=st.floats(-4, 4),
)


def turned(points, degrees, shift):
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points @ matrix.T + shift


def same(found, true, rel=1e-3):
    for name in ("height_m", "pitch_deg", "focal_px", "roll_deg"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=rel, abs=2e-3), name


@given(cameras, st.floats(-8, 8), st.floats(-3, 3), st.floats(-20, 20))
@settings(max_examples=40, deadline=None)
def test_four_points_of_any_origin_give_the_camera(camera, degrees, right, ahead):
    given_metres = turned(LANE, degrees, (right, ahead))
    fit = fit_points(camera.to_pixels(LANE), given_metres, SIZE)
    same(fit.camera, camera)
    assert fit.miss_px < 0.01


def test_a_known_focal_length_is_kept_and_steadies_the_rest():
    camera = Camera(height_m=1.4, pitch_deg=6, focal_px=2600, size=SIZE, roll_deg=0.5)
    rng = np.random.default_rng(1)
    errors = {None: [], 2600.0: []}
    for _ in range(20):
        pixels = camera.to_pixels(LANE) + rng.normal(0, 2, (4, 2))
        for focal, found in errors.items():
            fit = fit_points(pixels, LANE, SIZE, focal_px=focal)
            found.append(abs(fit.camera.height_m - 1.4))
    assert np.median(errors[2600.0]) < 0.03
    assert np.median(errors[2600.0]) <= np.median(errors[None])


def test_more_points_average_the_noise():
    camera = Camera(height_m=1.4, pitch_deg=6, focal_px=2600, size=SIZE)
    x, z = np.meshgrid(np.linspace(-2, 2, 5), np.linspace(5, 15, 6))
    ground = np.stack([x.ravel(), z.ravel()], axis=1)
    pixels = camera.to_pixels(ground) + np.random.default_rng(0).normal(0, 1, ground.shape)
    fit = fit_points(pixels, ground, SIZE)
    assert fit.miss_px == pytest.approx(np.sqrt(2), rel=0.25)
    there = fit.camera.to_ground(fit.camera.to_pixels([1.0, 10.0]))
    assert there == pytest.approx([1, 10])
    assert fit.camera.height_m == pytest.approx(1.4, rel=0.02)


def test_a_known_lens_is_undone_before_points_are_fitted():
    lens = (-0.22, 0.05, 0.001, -0.0005, 0.0)
    camera = Camera(
        height_m=1.4, pitch_deg=6, focal_px=2600, size=SIZE, roll_deg=1, distortion=lens
    )
    fit = fit_points(camera.to_pixels(LANE), LANE, SIZE, focal_px=2600, distortion=lens)
    same(fit.camera, camera)
    blind = fit_points(camera.to_pixels(LANE), LANE, SIZE, focal_px=2600)
    assert fit.miss_px < 0.01
    assert blind.miss_px > 1


NOT_KNOWN = np.full(3, np.nan)
BLANK = Camera(height_m=1, pitch_deg=0, focal_px=2500, size=SIZE)
RIGHT = np.array([-1.75, 0.4, 1.75])


def marks_of(camera, yaw=0.0, right_m=NOT_KNOWN, stop_line=False):
    """Three lane marks, and perhaps a line across, of a car that stands askew in its lane."""
    ends = np.array([[[x, 5.0], [x, 25.0]] for x in RIGHT])
    across = np.array([[[-1.5, 9.0], [1.8, 9.0]]]) if stop_line else np.zeros((0, 2, 2))
    lanes, across = (camera.to_pixels(turned(part, yaw, (0.2, 0))) for part in (ends, across))
    return Marks(lanes=lanes, right_m=right_m, across=across)


@pytest.mark.parametrize("yaw", [-3, 0, 4])
@pytest.mark.parametrize("height_m", [1.3, None])
def test_lane_marks_give_tilt_and_height_of_an_upright_camera(yaw, height_m):
    camera = replace(BLANK, height_m=1.3, pitch_deg=5.5)
    marks = marks_of(camera, yaw)
    fit = fit_lines(marks if height_m else marks.with_width(3.5, SIZE), BLANK, height_m=height_m)
    same(fit.camera, camera)
    assert fit.miss_px < 1e-5
    assert not fit.has_roll


@given(
    st.floats(-5, 5),
    st.floats(-4, 4),
    st.floats(2, 12),
    st.sampled_from(["three", "measured", "stop"]),
)
@settings(max_examples=60, deadline=None)
def test_marks_give_the_roll_where_they_can(roll, yaw, pitch, how):
    lens = (-0.15, 0.02, 0.0005, 0.0, 0.0)
    blank = replace(BLANK, distortion=lens)
    camera = replace(blank, height_m=1.3, pitch_deg=pitch, roll_deg=roll)
    marks = marks_of(camera, yaw, stop_line=how == "stop")
    known = replace(marks, right_m=RIGHT + 7)
    marks = marks.with_width(3.5, SIZE) if how == "stop" else known
    fit = fit_lines(marks, blank, height_m=1.3 if how == "measured" else None)
    assert fit.has_roll
    same(fit.camera, camera)


def test_height_and_lane_width_leave_the_roll_open():
    camera = replace(BLANK, height_m=1.3, pitch_deg=2, roll_deg=-4)
    fit = fit_lines(marks_of(camera).with_width(3.5, SIZE), BLANK, height_m=1.3)
    assert not fit.has_roll
    assert fit.camera.roll_deg == 0


def test_a_stop_line_steadies_the_roll_against_a_shaky_hand():
    camera = replace(BLANK, height_m=1.3, pitch_deg=6, roll_deg=2)
    rng, errors = np.random.default_rng(3), []
    for _ in range(20):
        marks = marks_of(camera, 1.0, stop_line=True)
        shaken = replace(
            marks,
            lanes=marks.lanes + rng.normal(0, 2, (3, 2, 2)),
            across=marks.across + rng.normal(0, 2, (1, 2, 2)),
        )
        errors.append(fit_lines(shaken, BLANK, height_m=1.3).camera.roll_deg - 2)
    assert np.median(np.abs(errors)) < 0.2


def test_field_of_view_and_focal_length():
    assert focal_of((1080, 1920), 90) == pytest.approx(960)


@pytest.mark.parametrize(
    ("pixels", "ground", "says"),
    [
        (LANE[:3], LANE[:3], "3 points"),
        (LANE[:1], LANE[:1], "1 point;"),
        ([[1, 1], [2, 2], [3, 3], [4, 4]], LANE, "one line"),
        (LANE, [[0, 0], [0, 1], [0, 2], [0, 3]], "one line"),
        ([[2000, 100], [2000, 3000], [100, 300], [300, 3900]], LANE, "misses|solution|high"),
    ],
)
def test_what_no_camera_explains_is_refused(pixels, ground, says):
    with pytest.raises(BadInput, match=says):
        fit_points(np.array(pixels, float), np.array(ground, float), SIZE)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([[[0, 0], [100, 0]], [[0, 50], [100, 50]]], "hardly meet"),
        ([[[0, 0], [100, 0]]], "1 line;"),
        ([[[0, 0], [0, 0]], [[0, 50], [100, 50]]], "no length"),
        ([[[2000, 0], [2000, 900]], [[0, 50], [100, 50]]], "straight across"),
        ([[[2100, 300], [100, 1700]], [[2100, 3500], [1300, 2150]]], "above the horizon"),
    ],
)
def test_lines_that_give_no_vanishing_point_are_refused(lines, says):
    lanes = np.array(lines, float)
    marks = Marks(lanes=lanes, right_m=np.full(len(lanes), np.nan), across=np.zeros((0, 2, 2)))
    with pytest.raises(BadInput, match=says):
        fit_lines(marks, BLANK, height_m=1.4)


def test_without_a_measure_in_metres_lines_have_no_scale():
    with pytest.raises(BadInput, match="neither a height"):
        fit_lines(marks_of(replace(BLANK, height_m=1.3, pitch_deg=5)), BLANK)


def as_text(table):
    return ";".join(",".join(f"{value:.3f}" for value in row) for row in table)


def test_the_verb_writes_a_camera_that_predict_reads(run_cli, tmp_path):
    camera = Camera(height_m=1.42, pitch_deg=6.57, focal_px=2565, size=SIZE)
    points = as_text(np.concatenate([camera.to_pixels(LANE), np.add(LANE, (3, -5))], axis=1))
    path = tmp_path / "deep/camera.json"
    code, out, _ = run_cli("camera", "calibrate", path, "2160,3840", "--points", points, "--json")
    assert code == 0
    same(load_camera(path), camera, rel=2e-3)
    assert json.loads(out)["miss_px"] < 0.1


def test_the_verb_draws_a_grid_that_meets_what_was_marked(run_cli, tmp_path):
    camera = Camera(height_m=1.42, pitch_deg=6.6, focal_px=640, size=(540, 960), roll_deg=2)
    ends = np.array([[[x, 4.0], [x, 15.0]] for x in (-1.75, 1.75)])
    lines, stop = (
        as_text(camera.to_pixels(part).reshape(-1, 4)) for part in (ends, ends[::-1, 0][None])
    )
    cv2.imwrite(str(tmp_path / "frame.png"), np.full((540, 960, 3), 90, np.uint8))
    args = ["--lines", lines, "--across", stop, "--lane-width", "3.5", "--focal", "640"]
    args += ["--frame", tmp_path / "frame.png", "--json"]
    code, out, _ = run_cli("camera", "calibrate", tmp_path / "c.json", "540,960", *args)
    assert code == 0
    same(load_camera(tmp_path / "c.json"), camera, rel=5e-3)
    assert json.loads(out)["roll_found"]
    picture = cv2.imread(json.loads(out)["grid"])
    y, x = camera.to_pixels([-1.75, 6.0]).round().astype(int)
    assert picture[y - 1 : y + 2, x - 1 : x + 2, 2].max() > 200  # the marked line, in red
    assert (picture[:100] == 90).all()  # the sky has no road


def test_a_frame_of_another_size_is_refused_before_anything_is_written(run_cli, tmp_path):
    cv2.imwrite(str(tmp_path / "frame.png"), np.zeros((270, 480, 3), np.uint8))
    args = ["--lines", "500,100,300,400;500,900,300,500", "--fov", "73", "--height", "1.4"]
    out = tmp_path / "c.json"
    frame = ["--frame", tmp_path / "frame.png"]
    code, _, err = run_cli("camera", "calibrate", out, "540,960", *args, *frame)
    assert code == 3
    assert "270 x 480" in err
    assert not out.exists()


def test_the_verb_takes_lane_marks(run_cli, tmp_path):
    camera = Camera(height_m=1.42, pitch_deg=6.57, focal_px=focal_of(SIZE, 73), size=SIZE)
    ends = [[[x, 5.0], [x, 25.0]] for x in (-1.75, 1.75)]
    lines = as_text(camera.to_pixels(ends).reshape(-1, 4))
    args = ["--lines", lines, "--fov", "73", "--lane-width", "3.5"]
    code, out, _ = run_cli("camera", "calibrate", tmp_path / "c.json", "2160,3840", *args)
    assert code == 0
    assert "mm/px" in out
    same(load_camera(tmp_path / "c.json"), camera)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "one of the two"),
        (["--points", "1,2,3"], "groups of 4 numbers"),
        (["--lines", "1,2,3", "--fov", "60"], "groups of 4 or 5 numbers"),
        (["--lines", "1,2,3,4,0;1,9,3,7", "--fov", "60", "--lane-width", "3"], "fifth number"),
        (["--points", "1,2,3,4", "--distortion", "k1"], "k1,k2,p1,p2"),
        (["--lines", "1,2,3,4;1,9,3,7"], "focal"),
        (["--lines", "1,2,3,4;1,9,3,7", "--focal", "2000"], "lane-width"),
        (["--points", "1,2,3,4", "--focal", "2000", "--fov", "60"], "one of the two"),
    ],
)
def test_mistakes_of_the_command_line_are_told(run_cli, tmp_path, args, says):
    code, _, err = run_cli("camera", "calibrate", tmp_path / "c.json", "2160,3840", *args)
    assert code == 2
    assert says in err
    assert not (tmp_path / "c.json").exists()
