"""A whole drive through `predict` with a track: frames that are their own true masks."""

import csv
import json
import re
import shutil
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from torch import nn

from sam_crack.data.formats import cvat
from sam_crack.data.synth.frame import cracks_near, view_of
from sam_crack.data.synth.layers import blank_layers, draw_crack
from sam_crack.data.synth.tables import csv_text, gpx_text, place_of
from sam_crack.data.video import write_video
from sam_crack.studies.drive import verb as drive

SIZE, SPACING_M, FRAMES = (540, 960), 5.0, 7


class Dark(nn.Module):
    """A model that knows one thing: cracks are dark."""

    config = SimpleNamespace(window=SIZE, head=SimpleNamespace(boundary=False))
    stride = 1

    def forward(self, pixels):
        return (100 - pixels.float().mean(1, keepdim=True)) / 10


@pytest.fixture(autouse=True)
def dark_model(monkeypatch, tmp_path):
    meta = SimpleNamespace(threshold=0.5, base_sha256="b", config_hash="c", scale=None)
    monkeypatch.setattr(drive, "load_checkpoint", lambda *_, **__: (Dark(), meta))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    """Frames of grey road with black cracks, where a rendered drive has them."""
    root = tmp_path_factory.mktemp("road")
    (root / "frames").mkdir()
    places = []
    for index in range(FRAMES):
        view = view_of(9, index, SIZE, spacing_m=SPACING_M)
        layers = blank_layers(SIZE)
        for crack in cracks_near(9, view):
            draw_crack(view, crack, layers)
        image = np.where(layers.mask[..., None] > 0, 20, 200).astype(np.uint8).repeat(3, 2)
        cv2.imwrite(str(root / "frames" / f"{index:06d}.png"), image)
        places.append(place_of(view, index, spacing_m=SPACING_M))
    view.camera.save(root / "camera.json")
    (root / "track.gpx").write_text(gpx_text(places))
    (root / "track.csv").write_text(csv_text(places))
    return root


@pytest.fixture
def predict(run_cli, road):
    def run(*args, camera=True):
        with_camera = ["--camera", road / "camera.json"] if camera else []
        code, out, err = run_cli("predict", "model", *args, *with_camera, "--json")
        return code, json.loads(out), err

    return run


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_drive_is_mapped_and_summed_up(road, predict, tmp_path):
    out = tmp_path / "out"
    code, summary, told = predict(
        road / "frames", "--out", out, "--track", road / "track.csv", "--min-length", "1"
    )
    assert code == 0
    assert summary["frames_placed"] == FRAMES
    assert "with the pieces that --min-length leaves out of frames" in told
    rows = table(out / "sections.csv")
    total = sum(float(row["length_m"]) for row in rows)
    assert total == pytest.approx(summary["road_length_m"], rel=1e-3)
    assert 0.2 * summary["length_m"] < total < 0.8 * summary["length_m"]  # overlaps left out
    features = json.loads((out / "cracks.geojson").read_text())["features"]
    assert len(features) == summary["road_cracks"]
    lon, lat = features[0]["geometry"]["coordinates"][0][0]
    first = table(road / "track.csv")[0]
    assert abs(lat - float(first["lat"])) < 1e-3
    assert abs(lon - float(first["lon"])) < 1e-3
    assert {row["properties"]["severity"] for row in features} <= {"low", "medium", "high"}
    assert ET.parse(out / "cracks.qml").getroot().find("renderer-v2").get("attr") == "severity"
    (line, *_) = json.loads((out / "sections.geojson").read_text())["features"]
    assert line["geometry"]["type"] == "LineString"


def test_the_page_holds_map_sections_frames_and_command(road, predict, tmp_path):
    predict(road / "frames", "--out", tmp_path / "out", "--track", road / "track.csv")
    html = (tmp_path / "out/report.html").read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", html)
    assert titles == [
        "Map", "Sections", "Worst frames", "Figures", "Settings", "Limits", "The same again",
    ]  # fmt: skip
    assert "--track" in html
    assert 'class="course' in html
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_without_track_or_camera_the_page_is_about_frames(road, predict, tmp_path):
    code, summary, _ = predict(road / "frames", "--out", tmp_path / "out", camera=False)
    titles = re.findall(r"<h2>(.*?)</h2>", (tmp_path / "out/report.html").read_text())
    assert (code, titles[0]) == (0, "Worst frames")
    assert "frames_placed" not in summary
    assert not (tmp_path / "out/sections.csv").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,lat,lon\n1,48,9\n2,48.1,9\n", "has no column `frame`"),
        ("frame,time,lat,lon\nx.png,1,48,9\ny,2,48.1,9\n", "names others, such as 'x.png'"),
    ],
)
def test_a_track_without_one_of_the_pictures_is_told_before_any_is_looked_at(
    road, predict, tmp_path, text, words
):
    (tmp_path / "other.csv").write_text(text)
    out = tmp_path / "out"
    code, answer, _ = predict(road / "frames", "--out", out, "--track", tmp_path / "other.csv")
    assert code == 3
    assert f"the frames carry no time, and the track {words}" in answer["error"]
    assert not out.exists()


def test_a_track_of_a_standing_car_is_told(road, predict, tmp_path):
    lines = [f"{n:06d},{n},48,9\n" for n in range(FRAMES)]
    (tmp_path / "t.csv").write_text("frame,time,lat,lon\n" + "".join(lines))
    args = ["--out", tmp_path / "out", "--track", tmp_path / "t.csv"]
    code, answer, _ = predict(road / "frames", *args)
    assert (code, "it does not move" in answer["error"]) == (3, True)


def test_frames_are_placed_by_their_file_names(road, predict, tmp_path):
    rows = table(road / "track.csv")
    lines = [f"{r['frame']}.png,{r['time']},{r['lat']},{r['lon']}\n" for r in rows]
    (tmp_path / "t.csv").write_text("frame,time,lat,lon\n" + "".join(lines))
    args = ["--out", tmp_path / "out", "--track", tmp_path / "t.csv", "--no-overlay"]
    assert predict(road / "frames", *args)[1]["frames_placed"] == FRAMES


def test_a_track_of_another_zone_is_told_with_the_offset_that_mends_it(road, predict, tmp_path):
    clip, out = tmp_path / "clip.avi", tmp_path / "out"
    write_video(clip, sorted((road / "frames").iterdir())[:3], hertz=5)
    args = [clip, "--out", out, "--track", road / "track.csv", "--no-overlay"]
    code, summary, _ = predict(*args, "--time-offset", "7200")
    (told,) = [error["reason"] for error in summary["errors"]]
    assert (code, "frame_placed" in summary) == (3, False)
    assert "from 2024-05-14 09:30:00 to" in told
    assert "the frames from 2024-05-14 11:30:00 to 2024-05-14 11:30:00" in told
    (offset,) = re.findall(r"repeat with --time-offset (\S+),", told)
    code, summary, _ = predict(*args, "--time-offset", offset, "--continue")
    assert (code, summary["frames_placed"], summary["seconds_per_frame"]) == (0, 3, None)


@pytest.mark.parametrize(
    ("stride", "names"), [("3", [0, 3, 6]), ("10m", [0, 2, 4, 6]), ("2.5m", range(FRAMES))]
)
def test_strides(road, predict, tmp_path, stride, names):
    out = tmp_path / "out"
    code, _, _ = predict(
        road / "frames", "--out", out, "--track", road / "track.csv", "--stride", stride
    )
    assert code == 0
    assert sorted(path.stem for path in (out / "masks").iterdir()) == [f"{n:06d}" for n in names]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (["--stride", "5m"], 2),
        (["--stride", "x"], 2),
        (["--track", "absent.gpx"], 3),
        (["--track", "exif"], 3),
    ],
)
def test_mistakes_are_told_before_anything_is_written(road, predict, tmp_path, wrong, code):
    assert predict(road / "frames", "--out", tmp_path / "out", *wrong)[0] == code
    assert not (tmp_path / "out").exists()


def test_a_missing_extra_is_named(road, predict, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyogrio", None)
    code, answer, _ = predict(road / "frames", "--out", tmp_path / "out", "--gpkg")
    assert code == 2
    assert "sam-crack[geo]" in answer["error"]


def test_labels_are_those_of_the_masks(road, predict, tmp_path):
    out = tmp_path / "out"
    flags = ["--coco", "--cvat", "--cvat-masks", "--probabilities", "16", "--min-length", "0"]
    assert predict(road / "frames", "--out", out, *flags)[0] == 0
    images = cvat.read_document(out / "cvat/annotations.xml")
    assert sorted(images) == [f"{n:06d}.png" for n in range(FRAMES)]
    for name, image in images.items():
        mask = cv2.imread(str(out / "masks" / name), cv2.IMREAD_GRAYSCALE) > 0
        drawn = cvat.draw(image, {"crack": 1}) > 0
        assert (drawn & ~mask).sum() == 0
        assert drawn.sum() >= 0.95 * mask.sum()  # specks without a line are no crack
        colour = cv2.imread(str(out / "cvat-masks/SegmentationClass" / name))
        np.testing.assert_array_equal(colour.any(axis=2), drawn)
        prob = cv2.imread(str(out / "probabilities" / name), cv2.IMREAD_UNCHANGED)
        assert prob.dtype == np.uint16
        np.testing.assert_array_equal(prob > 32767, mask)
    document = json.loads((out / "coco.json").read_text())
    assert len(document["images"]) == FRAMES
    assert len(document["annotations"]) == sum(len(image.shapes) for image in images.values())


def test_pictures_of_equal_names_are_told_apart_by_their_folders(road, predict, tmp_path):
    first, second, _ = sorted((road / "frames").iterdir())[:3]
    for folder, picture in (("dA", first), ("dB", second)):
        (tmp_path / folder / "img").mkdir(parents=True)
        shutil.copy(picture, tmp_path / folder / "img" / "000000.png")
    flags = ["--coco", "--cvat", "--cvat-masks", "--no-overlay"]
    predict("dA/img", "dB/img", "--out", tmp_path / "out", *flags)
    names = ["dA/img/000000.png", "dB/img/000000.png"]
    document = json.loads((tmp_path / "out/coco.json").read_text())
    assert [image["file_name"] for image in document["images"]] == names
    assert list(cvat.read_document(tmp_path / "out/cvat/annotations.xml")) == names
    assert all((tmp_path / "out/cvat-masks/SegmentationClass" / name).exists() for name in names)


def test_a_video_is_placed_by_its_clock(road, predict, tmp_path):
    pictures = [cv2.imread(str(path)) for path in sorted((road / "frames").iterdir())]
    rows = table(road / "track.csv")
    begin, end = (np.datetime64(rows[n]["time"].rstrip("Z")) for n in (0, 1))
    seconds = (end - begin) / np.timedelta64(1, "s")
    codec = cv2.VideoWriter_fourcc(*"MJPG")
    for part, some in (("1.avi", pictures[:4]), ("2.avi", pictures[4:])):
        writer = cv2.VideoWriter(str(tmp_path / part), codec, 1 / seconds, SIZE[::-1])
        for picture in some:
            writer.write(picture)
        writer.release()
    videos = [tmp_path / "1.avi", tmp_path / "2.avi"]
    code, summary, _ = predict(*videos, "--out", tmp_path / "out", "--track", road / "track.gpx")
    assert (code, summary["frames_placed"]) == (0, FRAMES)
    clocks = [
        json.loads(line)["clock_s"]
        for line in (tmp_path / "out/frames.jsonl").read_text().splitlines()
    ]
    assert clocks == pytest.approx(np.arange(FRAMES) * seconds, abs=0.02)
    late = ["--time-offset", str(-2.5 * seconds), "--out", tmp_path / "late"]
    code, summary, _ = predict(*videos, *late, "--track", road / "track.gpx")
    assert (code, summary["frames_placed"]) == (0, FRAMES - 3)


def everything(folder):
    skip = {"frames.jsonl", "summary.json", "run.lock"}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in skip]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_killed_run_goes_on_to_the_same_outputs(road, predict, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    flags = ["--track", road / "track.csv", "--coco", "--cvat", "--probabilities", "8"]
    for out in (whole, cut):
        assert predict(road / "frames", "--out", out, *flags)[0] == 0
    log = (cut / "frames.jsonl").read_bytes().splitlines(keepends=True)
    (cut / "frames.jsonl").write_bytes(b"".join(log[:3]) + log[3][:-9])
    for name in ("report.html", "sections.csv", "cracks.geojson", "coco.json"):
        (cut / name).unlink()
    assert predict(road / "frames", "--out", cut, *flags, "--continue")[0] == 0
    assert everything(cut) == everything(whole)


def test_more_outputs_can_be_had_from_a_finished_run(road, predict, tmp_path):
    out = tmp_path / "out"
    predict(road / "frames", "--out", out)
    before = (out / "frames.jsonl").read_bytes()
    args = ["--out", out, "--continue", "--coco", "--track", road / "track.csv"]
    assert predict(road / "frames", *args)[0] == 0
    assert (out / "frames.jsonl").read_bytes() == before
    assert (out / "coco.json").exists()
    assert (out / "sections.csv").exists()
