"""What goes into `predict` and what it says: lists, broken videos, dry runs, videos of overlays."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

from sam_crack.measure.camera import Camera
from tests.studies.tiny_road import write_checkpoint

SIZE = (80, 112)


def write_clip(path, count, *, hertz=8.0, codec="MJPG"):
    rng = np.random.default_rng(count)
    code = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, hertz, SIZE[::-1])
    for number in range(count):
        frame = rng.integers(90, 160, (*SIZE, 3), dtype=np.uint8)
        cv2.line(frame, (10, 10 + 5 * number % 60), (100, 60), (0, 0, 0), 3)
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model") / "checkpoint")


@pytest.fixture
def predict(run_cli, model):
    def run(*args):
        code, out, err = run_cli("predict", model, *args, "--json")
        return code, json.loads(out), err

    return run


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((*SIZE, 3), 60 * number, np.uint8))
    return folder


def test_a_list_on_stdin_is_read_and_what_is_missing_is_told(
    pictures, predict, tmp_path, monkeypatch
):
    text = f"{pictures}/2.png\n# not this: {pictures}/1.png\n{pictures}/gone.png\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, summary, err = predict("-", "--out", tmp_path / "out")
    assert (code, summary["frames"]) == (3, 1)
    assert (tmp_path / "out/masks/2.png").exists()
    assert "gone.png: no such file" in err


def test_a_cut_video_is_exit_3_with_everything_else_written(predict, tmp_path, pictures):
    clip = write_clip(tmp_path / "v.avi", 40)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    code, summary, err = predict(clip, pictures, "--out", tmp_path / "out")
    assert code == 3
    read = summary["videos"]["v"]["read"]
    assert 10 < read < 30
    assert summary["frames"] == read + 3
    assert f"read {read} of 40 frames; fetch the file again" in err
    assert (tmp_path / "out/report.html").stat().st_size > 1000


def test_the_time_of_every_stage_is_told(predict, tmp_path, pictures):
    _, summary, _ = predict(pictures, "--out", tmp_path / "out")
    per_frame, total = summary["stage_seconds_per_frame"], summary["stage_seconds"]
    assert {"decode", "cut", "encode", "head", "stitch", "measure", "write"} <= per_frame.keys()
    for stage, seconds in total.items():
        assert per_frame[stage] == pytest.approx(seconds / 3, abs=1e-3)
    assert total["encode"] > 0 < total["head"]


def test_overlays_become_videos_at_the_rate_of_their_source(predict, tmp_path, pictures):
    clip = write_clip(tmp_path / "v.mp4", 9, hertz=12.5, codec="mp4v")
    out = tmp_path / "out"
    predict(clip, pictures, "--out", out, "--video", "--video-rate", "2", "--stride", "2")
    for name, count, hertz in (("videos/v.mp4", 5, 6.25), ("pictures.mp4", 1, 2)):
        video = cv2.VideoCapture(str(out / name))
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) == count
        assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(hertz, rel=0.001)
    shown = cv2.VideoCapture(str(out / "videos/v.mp4")).read()[1]
    assert cv2.PSNR(shown, cv2.imread(str(out / "overlays/v/000000.jpg"))) > 25


def test_annotation_tools_find_each_frame_by_its_own_name(predict, tmp_path, pictures):
    (pictures / "a[1]").mkdir()
    (pictures / "2.png").rename(pictures / "a[1]/x'y.PNG")
    clips = [write_clip(tmp_path / "v.avi", 6), write_clip(tmp_path / "w.avi", 5)]
    flags = ["--stride", "2", "--coco", "--cvat", "--cvat-masks"]
    predict(clips[0], pictures, clips[1], "--out", tmp_path / "out", *flags)
    images = {
        path.stem: [(one.get("id"), one.get("name")) for one in ET.parse(path).iter("image")]
        for path in (tmp_path / "out/cvat").rglob("*.xml")
    }
    stills = [(str(n), f"frame_{n:06d}.PNG") for n in (0, 2, 4)]
    assert images["v"] == stills
    assert images["annotations"] == [("0", "0.png"), ("1", "a[1]/x'y.PNG")]
    assert [name for _, name in images["w"]] == ["frame_000001.PNG", "frame_000003.PNG"]
    listed = "ImageSets/Segmentation/default.txt"
    masks = tmp_path / "out/cvat-masks"
    assert (masks / listed).read_text() == "0\na[1]/x'y\n"
    assert (masks / "videos/v" / listed).read_text().split() == [n[:-4] for _, n in stills]
    assert (masks / "videos/w/SegmentationObject/frame_000003.png").exists()
    coco = json.loads((tmp_path / "out/coco.json").read_text())
    assert "v/frame_000002.PNG" in {image["file_name"] for image in coco["images"]}


def test_masks_among_the_frames_are_seen_on_the_first_screen(
    pictures, run_cli, model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    _, alone, _ = run_cli("predict", model, "in", "--dry-run")
    (tmp_path / "in/masks").mkdir()
    cv2.imwrite("in/masks/0.png", np.zeros(SIZE, np.uint8))
    _, both, _ = run_cli("predict", model, "in", "--dry-run")
    assert "pictures of in (3), masks (1): name the folder of the frames" in both
    assert "pictures of" not in alone


def test_what_is_wrong_with_every_frame_is_told_once(pictures, predict, tmp_path):
    Camera(height_m=1.4, pitch_deg=35, focal_px=500, size=(500, 500)).save(tmp_path / "c.json")
    code, summary, err = predict(
        pictures, "--out", tmp_path / "out", "--camera", tmp_path / "c.json"
    )
    assert (code, len(summary["errors"]), err.count("same shape")) == (3, 3, 1)
    assert "these frames (3 times)" in err
    assert (tmp_path / "out/report.html").read_text().count("same shape") == 1


def test_a_mask_that_was_removed_is_named_with_what_to_do(pictures, predict, tmp_path):
    predict(pictures, "--out", tmp_path / "out")
    (tmp_path / "out/masks/1.png").unlink()
    code, answer, _ = predict(pictures, "--out", tmp_path / "out", "--continue", "--coco")
    assert code == 3
    assert "masks/1.png: gone or damaged" in answer["error"]
    assert "line from frames.jsonl" in answer["error"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--section", "1km"], ["--section has no effect without --track"]),
        (["--video-rate", "9"], ["--video-rate has no effect without --video"]),
        (["--scheme", "ltpp"], ["--scheme has no effect without --camera"]),
        (["--track", "t.csv"], ["--track without --camera places frames, but no crack"]),
        (["--video-rate", "9", "--video"], []),
    ],
)
def test_what_changes_nothing_is_warned_of(pictures, predict, tmp_path, monkeypatch, flags, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("time,lat,lon,frame\n0,48,9,0\n1,48.1,9,1\n")
    _, _, err = predict(pictures, "--dry-run", *flags)
    assert err.count("warning: ") == len(told)
    assert all(one in err for one in told)


def test_videos_need_overlays(predict, tmp_path, pictures):
    code, answer, _ = predict(pictures, "--out", tmp_path / "out", "--video", "--no-overlay")
    assert code == 2
    assert "made of overlays" in answer["error"]
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_is_ahead_and_writes_nothing(
    predict, run_cli, model, tmp_path, pictures, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, plan, _ = predict(pictures, tmp_path / "gone", "--dry-run", "--stride", "2", "--coco")
    assert sorted(tmp_path.rglob("*")) == before
    assert (code, plan["files"], plan["frames"], plan["frame_size"]) == (3, 3, 2, [*SIZE])
    assert plan["windows_per_frame"] == 4
    assert plan["seconds"] == pytest.approx(2 * plan["seconds_per_frame"], abs=0.1)
    assert {"masks/", "coco.json", "summary.json"} <= set(plan["outputs"])
    _, text, _ = run_cli("predict", model, pictures, "--out", "found", "--dry-run")
    assert "112 x 80 px, 4 windows" in text
    assert "would write into found: masks/, overlays/" in text
    assert not (tmp_path / "found").exists()


@pytest.mark.parametrize("with_clip", [True, False])
def test_what_a_dry_run_names_is_what_is_written(predict, tmp_path, pictures, with_clip):
    paths = [pictures, write_clip(tmp_path / "v.avi", 2)][: 1 + with_clip]
    args = [
        *paths,
        "--out",
        tmp_path / "out",
        "--coco",
        "--cvat",
        "--probabilities",
        "8",
        "--video",
    ]
    (tmp_path / "t.csv").write_text("time,lat,lon,frame\n0,48,9,0\n1,48.1,9,1\n")
    args += ["--track", tmp_path / "t.csv"]
    _, plan, _ = predict(*args, "--dry-run")
    predict(*args)
    written = {path.name for path in (tmp_path / "out").iterdir()} - {"run.json", "run.lock"}
    assert written == {name.partition("/")[0] for name in plan["outputs"]}


def killed_run(args, *, after_s):
    """Run predict in a process of its own and kill it; return whether it had ended before."""
    command = [sys.executable, "-m", "sam_crack", "predict", *map(str, args)]
    process = subprocess.Popen([*command, "--quiet"], env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        process.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return process.returncode in {0, 3}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("parts", [1, 2])
def test_runs_killed_at_random_moments_go_on_to_the_same_outputs(predict, model, tmp_path, parts):
    from tests.studies.test_drive_parts import everything

    clip = write_clip(tmp_path / "v.avi", 60)
    predict(clip, "--out", tmp_path / "whole", "--coco")
    began = time.monotonic()
    assert killed_run([model, clip, "--out", tmp_path / "timed", "--coco"], after_s=300)
    needed, rng = time.monotonic() - began, random.Random(4)
    out, kills = tmp_path / "out", 0
    all_args = [[model, clip, "--out", out, "--coco", "--continue"] for _ in range(parts)]
    if parts > 1:
        for part, args in enumerate(all_args):
            args += ["--num-parts", parts, "--part-id", part]
    for args in all_args:
        for _ in range(4 // parts):  # from before the first frame to within the tables
            kills += not killed_run(args, after_s=rng.uniform(0.5, 1) * needed)
        assert killed_run(args, after_s=300)
    if list(out.glob("part-*")):  # killed once all was summed up: the repeated part waits for all
        assert all(killed_run(args, after_s=300) for args in all_args)
    assert kills >= 2
    assert everything(out) == everything(tmp_path / "whole")


def test_a_merged_file_sees_what_its_checkpoint_sees(predict, run_cli, model, tmp_path, pictures):
    merged = tmp_path / "road.safetensors"
    assert run_cli("merge", model, "--out", merged)[0] == 0
    _, ours, _ = predict(pictures, "--out", tmp_path / "out", "--probabilities", "8")
    code, text, _ = run_cli(
        *("predict", merged, pictures, "--out", tmp_path / "two", "--probabilities", "8", "--json")
    )
    assert code == 0
    for key in ("threshold", "base_sha256", "config", "frames"):
        assert json.loads(text)[key] == ours[key]
    first, second = (
        cv2.imread(str(tmp_path / out / "probabilities/1.png"), cv2.IMREAD_UNCHANGED)
        for out in ("out", "two")
    )
    assert np.abs(first.astype(int) - second).max() <= 1
