"""camera.json in its three kinds, and whatever else may stand there."""

import json
import random

import numpy as np
import pytest

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.camera_file import load_camera
from sam_crack.measure.plane import PlaneCamera
from sam_crack.measure.sampling import SamplingMap

LENS = {"height_m": 1.4, "pitch_deg": 8, "focal_px": 2600, "size": [2160, 3840]}
BENT = LENS | {"distortion": [-0.2, 0.03, 0.001, -0.001], "roll_deg": 1.5, "centre": [1070, 1930]}
PLANE = {
    "size": [2160, 3840],
    "points": [
        [1860, 900, -1.75, 6],
        [1860, 2900, 1.75, 6],
        [1180, 1500, -2, 15],
        [1180, 2400, 2, 15],
    ],
}
ROWS = {"rows": [900, 2159], "across_mm": [9, 1.5], "down_mm": [90, 3], "nearest_m": 3.2}
MAP = {"size": [2160, 3840], "sampling": ROWS}
RASTER = {
    "size": [2160, 3840],
    "sampling": {
        "rows": [900, 2159],
        "columns": [0, 1900, 3839],
        "across_mm": [[9, 9, 9], [1.5, 1.4, 1.5]],
        "down_mm": [[90, 88, 90], [3, 3, 3]],
    },
}
KINDS = [(LENS, Camera), (BENT, Camera), (PLANE, PlaneCamera), (MAP, SamplingMap)]
KINDS += [(RASTER, SamplingMap)]


@pytest.fixture
def load(tmp_path):
    def write(content):
        path = tmp_path / "camera.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return load_camera(path)

    return write


@pytest.mark.parametrize(("given", "kind"), KINDS)
def test_each_kind_is_read_and_written_again(load, given, kind):
    camera = load(given)
    assert type(camera) is kind
    assert load(camera.as_json()) == camera
    assert camera.words
    there = camera.to_ground([2000.0, 2200.0])
    np.testing.assert_allclose(camera.to_pixels(there), [2000, 2200], atol=1e-3)
    assert (camera.millimetres_per_pixel([2000.0, 2200.0]) > 0.5).all()


def test_a_field_of_view_gives_the_focal_length(load):
    wide = {name: value for name, value in LENS.items() if name != "focal_px"} | {"fov_deg": 90}
    assert load(wide).focal_px == pytest.approx(1920)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"height_m": 0}, "height_m"),
        ({"height_m": "1.4"}, "height_m"),
        ({"height_m": True}, "height_m"),
        ({"pitch_deg": float("nan")}, "pitch_deg"),
        ({"pitch_deg": -44}, "no road at all"),
        ({"focal_px": float("inf")}, "focal_px"),
        ({"focal_px": 3}, "focal_px"),
        ({"fov_deg": 73}, "focal_px and fov_deg"),
        ({"size": [2160]}, "size"),
        ({"size": [2160.5, 3840]}, "size"),
        ({"size": "4K"}, "size"),
        ({"size": None}, "size"),
        ({"centre": 7}, "centre"),
        ({"roll_deg": [1]}, "roll_deg"),
        ({"distortion": [0.1]}, "distortion"),
        ({"distortion": {"k1": 0.1}}, "distortion"),
        ({"distortion": [0.1, 0, 0, 0, "x"]}, "distortion 'x'"),
        ({"distortion": [-0.9, 0, 0, 0, 0]}, "also at row"),
        ({"hight_m": 1.4}, "did you mean height_m"),
        ({"fov": 90}, "unknown 'fov'"),
    ],
)
def test_what_no_lens_can_be_is_refused_by_name(load, change, says):
    with pytest.raises(BadInput, match=says):
        load(LENS | change)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (PLANE | {"focal_px": 2600}, "unknown 'focal_px'"),
        (PLANE | {"points": 4}, "a list of 4 to 10,000"),
        (PLANE | {"points": [[1, 2, 3]] * 4}, "four numbers"),
        (PLANE | {"points": [[1, 2, 3, None]] * 4}, "points 'None'"),
        (PLANE | {"points": PLANE["points"][:3]}, "3 road points"),
        ({"points": PLANE["points"]}, "no size"),
        (MAP | {"sampling": []}, "an object of rows"),
        (MAP | {"sampling": ROWS | {"row": 3}}, "unknown 'row'"),
        (MAP | {"sampling": {"rows": [1, 2]}}, "no across_mm, down_mm"),
        (MAP | {"sampling": ROWS | {"across_mm": [9, 5, 1]}}, "across_mm of 3 x 1"),
        (MAP | {"size": [1080, 1920]}, "from 0 to 1079"),
        (MAP | {"sampling": ROWS | {"down_mm": 3}}, "a list of numbers"),
    ],
)
def test_points_and_tables_that_fit_nothing_are_refused(load, given, says):
    with pytest.raises(BadInput, match=says) as caught:
        load(given)
    assert "camera.json" in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b"{", b"[" * 100_000, b"{}", b"\xff"])
def test_what_is_no_camera_file_is_refused_with_an_example(load, text):
    with pytest.raises(BadInput, match="height_m"):
        load(text)


def test_absent_and_oversized_files_are_refused(load, tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        load_camera(tmp_path / "absent.json")
    with pytest.raises(BadInput, match="Is a directory"):
        load_camera(tmp_path)
    with pytest.raises(BadInput, match="too large"):
        load(b" " * 2_000_000)


VALUES = [None, True, -1, 0, 1e308, -1e308, 5, "x", [], {}, [[]], float("nan"), 10**400]


def mangled(value, rng):
    """A copy with one thing somewhere in it replaced, repeated or dropped."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(list(value))
        kept = dict(value)
        kept[name] = mangled(kept[name], rng)
        return kept if rng.random() < 0.95 else {k: v for k, v in kept.items() if k != name}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], mangled(value[at], rng), *value[at + rng.choice([0, 1, 1, 2]) :]]
    return rng.choice(VALUES)


def camera_or_error(load, content):
    """What a file gives: a camera, or what was said about it; anything else fails the test."""
    try:
        return load(content), "camera.json"
    except BadInput as error:
        return None, str(error)


@pytest.mark.parametrize("given", [given for given, _ in KINDS])
def test_a_camera_with_something_wrong_is_refused_or_still_a_camera(load, given):
    rng = random.Random(1)
    for _ in range(80):
        camera, said = camera_or_error(load, mangled(given, rng))
        assert "camera.json" in said
        if camera is not None:
            places = camera.to_ground(np.array([[2000.0, 2200.0], [0.0, 0.0], [2159.0, 3839.0]]))
            assert places.shape == (3, 2)


@pytest.mark.parametrize("given", [given for given, _ in KINDS])
def test_flipped_and_cut_bytes_never_crash(load, given):
    rng, text = random.Random(2), json.dumps(given).encode()
    for _ in range(80):
        changed = bytearray(text)
        changed[rng.randrange(len(changed))] = rng.randrange(256)
        cut = rng.choice([len(changed), rng.randrange(len(changed))])
        assert "camera.json" in camera_or_error(load, bytes(changed[:cut]))[1]
