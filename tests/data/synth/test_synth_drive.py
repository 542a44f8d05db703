import csv
import json
import math
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from sam_crack.config.verbs import SynthOptions
from sam_crack.console import Console
from sam_crack.data.synth.dataset import drive_camera, open_drive
from sam_crack.data.synth.drive import run_synth
from sam_crack.data.synth.look import look_of
from sam_crack.errors import BadInput

QUIET = Console(quiet=True)


def again(drive, out, **changes) -> SynthOptions:
    """The options of the shared drive, for another folder."""
    made = json.loads((drive / "drive.json").read_text())
    base = SynthOptions(
        out=out, frames=8, seed=made["seed"], size=tuple(made["size"]), video="none"
    )
    return replace(base, **changes)


def metres_between(a, b) -> float:
    """Great-circle distance (haversine) of two (lat, lon)."""
    (lat0, lon0), (lat1, lon1) = np.radians(a), np.radians(b)
    half = math.sin((lat1 - lat0) / 2) ** 2
    half += math.cos(lat0) * math.cos(lat1) * math.sin((lon1 - lon0) / 2) ** 2
    return 2 * 6371008.8 * math.asin(math.sqrt(half))


def to_pixels(truth, camera, frame, east_north):
    """Project by the words of truth.json alone, then a pinhole written out by hand."""
    d = np.asarray(east_north) - (frame["east_m"], frame["north_m"])
    sine, cosine = (f(math.radians(frame["heading_deg"])) for f in (math.sin, math.cos))
    x, z = d[:, 0] * cosine - d[:, 1] * sine, d[:, 0] * sine + d[:, 1] * cosine
    pitch = math.radians(camera["pitch_deg"])
    depth = z * math.cos(pitch) + camera["height_m"] * math.sin(pitch)
    down = camera["height_m"] * math.cos(pitch) - z * math.sin(pitch)
    height, width = camera["size"]
    y = (height - 1) / 2 + camera["focal_px"] * down / depth
    pixels = np.stack([y, (width - 1) / 2 + camera["focal_px"] * x / depth], axis=1)
    pixels[z < 0.5] = -9999
    return pixels, z


def test_same_seed_same_bytes_whatever_the_number_of_frames(drive, tmp_path):
    run_synth(again(drive, tmp_path / "d", frames=2), QUIET)
    for folder, name in (
        ("images", "000001.jpg"),
        ("masks", "000001.png"),
        ("truth", "000001.json"),
    ):
        assert (tmp_path / "d" / folder / name).read_bytes() == (drive / folder / name).read_bytes()


def test_another_seed_gives_another_drive(drive, tmp_path):
    run_synth(again(drive, tmp_path / "d", frames=1, seed=10), QUIET)
    name = "images/000000.jpg"
    assert (tmp_path / "d" / name).read_bytes() != (drive / name).read_bytes()


def test_a_drive_is_continued_and_what_is_there_is_kept(drive, tmp_path):
    root = tmp_path / "d"
    run_synth(again(drive, root, frames=2), QUIET)
    (root / "images" / "000000.jpg").write_bytes(b"kept")
    result = run_synth(again(drive, root, frames=3), QUIET)
    assert (result["rendered"], result["kept"]) == (1, 2)
    assert (root / "images" / "000000.jpg").read_bytes() == b"kept"
    assert (root / "masks" / "000002.png").read_bytes() == (drive / "masks/000002.png").read_bytes()


def test_a_folder_of_something_else_is_refused(drive, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(BadInput, match="holds other files"):
        run_synth(again(drive, tmp_path), QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"seed": 4}, "seed 9, asked 4"), ({"spacing": 2.0}, "spacing"), ({"frames": 3}, "fewer")],
)
def test_a_drive_with_other_settings_is_refused(drive, change, said):
    with pytest.raises(BadInput, match=said):
        run_synth(again(drive, drive, **change), QUIET)


def test_a_size_that_cannot_be_meant_is_refused(drive, tmp_path):
    with pytest.raises(BadInput, match="--size 3,4"):
        run_synth(again(drive, tmp_path / "d", size=(3, 4)), QUIET)
    assert not (tmp_path / "d").exists()


def test_too_small_a_disk_is_refused_before_rendering(drive, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("U", (), {"free": 1000})())
    with pytest.raises(BadInput, match=r"about \d+ MB to write and 0 MB free"):
        run_synth(again(drive, tmp_path / "d"), QUIET)


def test_gpx_points_are_as_far_apart_as_the_frames(drive):
    space = {"g": "http://www.topografix.com/GPX/1/1"}
    points = ET.parse(drive / "track.gpx").findall(".//g:trkpt", space)
    places = [(float(p.get("lat")), float(p.get("lon"))) for p in points]
    steps = [metres_between(a, b) for a, b in pairwise(places)]
    assert len(points) == 8
    assert steps == pytest.approx([5.0] * 7, rel=0.01)


def test_times_go_with_a_speed_and_the_video(drive):
    rows = list(csv.DictReader((drive / "frames.csv").read_text().splitlines()))
    seconds = [float(row["time"][-7:-1]) for row in rows]
    truth = json.loads((drive / "truth.json").read_text())
    step = truth["seconds_per_frame"]
    assert np.diff(seconds) == pytest.approx([step] * 7, abs=0.0011)
    assert step * 25 == round(step * 25)
    assert 5.0 / step == pytest.approx(look_of(9).speed_mps, rel=0.15)
    video = cv2.VideoCapture(str(drive / "drive.avi"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 8
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(1 / step, rel=0.01)


def test_camera_file_gives_the_camera_back(drive):
    camera = drive_camera(drive)
    assert camera == look_of(9).camera((270, 480))
    assert asdict(camera)["size"] == (270, 480)


def test_mask_pixels_lie_on_cracks_and_on_nothing_else(drive):
    """Lane marks, joints, seals, patches, shadows and objects are all somewhere else."""
    truth, camera = (json.loads((drive / n).read_text()) for n in ("truth.json", "camera.json"))
    checked = 0
    for frame in truth["frames"]:
        near = np.zeros(camera["size"], np.uint8)
        for crack in truth["cracks"]:
            for branch in crack["branches"]:
                pixels, z = to_pixels(truth, camera, frame, branch["east_north_m"])
                wide = np.array(branch["width_mm"]) / 1000 * camera["focal_px"] / np.maximum(z, 1)
                for (y, x), w in zip(pixels, wide, strict=True):
                    if abs(y) < 2000 and abs(x) < 2000:
                        cv2.circle(near, (round(x), round(y)), 2 + round(w), 1, -1)
        mask = cv2.imread(str(drive / "masks" / f"{frame['frame']}.png"), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(mask)) <= {0, 255}
        assert not (mask[near == 0] > 0).any()
        checked += int((mask > 0).sum())
    assert checked > 100


def test_lengths_of_a_frame_are_those_of_the_polylines_inside_it(drive):
    truth, camera = (json.loads((drive / n).read_text()) for n in ("truth.json", "camera.json"))
    cracks = {crack["id"]: crack for crack in truth["cracks"]}
    rows = [(frame, row) for frame in truth["frames"] for row in frame["cracks"]]
    assert len(rows) > 5
    bonnet = 0.9 * camera["size"][0]
    for frame, row in rows:
        total, hidden = 0.0, False
        for branch in cracks[row["id"]]["branches"]:
            line = np.array(branch["east_north_m"])
            steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
            pixels, z = to_pixels(truth, camera, frame, (line[1:] + line[:-1]) / 2)
            inside = (z < truth["reach_m"]) & (pixels > -0.5).all(axis=1)
            inside &= (pixels < np.array(camera["size"]) - 0.5).all(axis=1)
            hidden |= bool((pixels[inside, 0] > bonnet).any())
            total += 1000 * float(steps[inside].sum())
        assert row["length_mm"] <= total + 40
        if not hidden:
            assert row["length_mm"] > 0.5 * total


def test_total_length_is_the_sum_of_the_segments(drive):
    for crack in json.loads((drive / "truth.json").read_text())["cracks"]:
        lines = [np.array(branch["east_north_m"]) for branch in crack["branches"]]
        total = sum(np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in lines)
        assert crack["length_mm"] == pytest.approx(1000 * total, rel=0.01)


def test_splits_are_consecutive_and_apart(drive):
    names = {s: (drive / f"{s}.txt").read_text().split() for s in ("train", "val", "test")}
    everything = [name for split in names.values() for name in split]
    assert everything == sorted(set(everything))
    assert all(names.values())


def test_an_opened_drive_yields_samples_with_the_lane_as_region(drive):
    frames = open_drive(drive)
    sample = frames[0].load()
    assert len(frames) == 8
    assert sample.image.shape == (270, 480, 3)
    assert sample.region is not None
    assert 0.05 < sample.region.mean() < 0.6
    assert sample.mask.max() <= 1
    assert [f.id for f in open_drive(drive, "test")] == (drive / "test.txt").read_text().split()


def test_a_folder_that_is_no_drive_is_said_so(tmp_path):
    with pytest.raises(BadInput, match="not a rendered drive"):
        open_drive(tmp_path)
