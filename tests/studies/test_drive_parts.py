"""Several processes share a drive out, and leave exactly what one of them would have left."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam_crack.train.state import FolderLock
from tests.studies.tiny_road import write_checkpoint

TIMES = {"summary.json", "frames.jsonl"}


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """Pictures, a broken one, a missing one, and a video that is cut short."""
    root = tmp_path_factory.mktemp("drive")
    rng = np.random.default_rng(0)
    for number in range(5):
        image = rng.integers(90, 160, (80, 112, 3), dtype=np.uint8)
        cv2.line(image, (10, 10 + 10 * number), (100, 60), (0, 0, 0), 3)
        cv2.imwrite(str(root / f"{number}.png"), image)
    (root / "2.png").write_bytes(b"broken")
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(root / "v.avi"), cv2.CAP_FFMPEG, code, 10, (112, 80))
    for _ in range(12):
        writer.write(rng.integers(0, 256, (80, 112, 3), dtype=np.uint8))
    writer.release()
    content = (root / "v.avi").read_bytes()
    (root / "v.avi").write_bytes(content[: len(content) * 2 // 3])
    write_checkpoint(root / "model")
    return root


@pytest.fixture
def predict(run_cli, drive):
    def run(out, *args):
        code, text, _ = run_cli(
            "predict", drive / "model", drive, drive / "gone.jpg", "--out", out, *args, "--json"
        )
        return code, json.loads(text)

    return run


@pytest.fixture(scope="module")
def whole(drive, tmp_path_factory):
    from sam_crack.cli import main

    out = tmp_path_factory.mktemp("whole") / "out"
    args = ["predict", drive / "model", drive, drive / "gone.jpg", "--out", out, "--quiet"]
    assert main([str(arg) for arg in args]) == 3
    return everything(out)


def without_times(record):
    return {key: value for key, value in record.items() if "second" not in key}


def everything(folder):
    """All that was written, with the times taken out."""
    kept = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name == "run.lock":
            continue
        kept[name] = path.read_bytes()
        if name in TIMES:
            text = path.read_text("utf-8")
            records = text.splitlines() if name.endswith("l") else [text]
            kept[name] = [without_times(json.loads(record)) for record in records]
    return kept


def part(number, of=3):
    return ("--num-parts", of, "--part-id", number)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_parts_in_any_order_leave_what_one_process_leaves(predict, whole, tmp_path, order):
    for number in order[:-1]:
        code, answer = predict(tmp_path / "out", *part(number))
        assert code == 0  # the last part answers for what could not be read
        assert sorted([*answer["waiting_for"], *order[: order.index(number) + 1]]) == [0, 1, 2]
        assert not (tmp_path / "out/cracks.csv").exists()
    code, answer = predict(tmp_path / "out", *part(order[-1]))
    assert (code, "waiting_for" in answer) == (3, False)
    assert everything(tmp_path / "out") == whole


def test_each_frame_is_looked_at_by_one_part(predict, whole, tmp_path):
    counts = [predict(tmp_path / "out", *part(n))[1]["frames"] for n in range(2)]
    total = len(whole["frames.jsonl"])
    assert sum(counts) < total
    assert max(counts) - min(counts) <= 1
    assert predict(tmp_path / "out", *part(2))[1]["frames"] == total


def test_a_killed_part_goes_on(predict, whole, tmp_path):
    out = tmp_path / "out"
    for number in (0, 1):
        predict(out, *part(number))
    for stray in ("masks/v/.000001.png.x1", ".run.json.x2", ".part-1-of-3.json.x3"):
        (out / stray).write_bytes(b"half")
    log = out / "part-1-of-3.jsonl"
    log.write_bytes(log.read_bytes()[:-9])
    (out / "part-1-of-3.json").unlink()
    assert predict(out, *part(1))[0] == 2  # begun before
    assert predict(out, *part(2))[1]["waiting_for"] == [1]
    predict(out, *part(1), "--continue")
    assert everything(out) == whole
    predict(out, *part(1), "--continue")  # nothing is left to do, and nothing is lost
    assert len(everything(out)["frames.jsonl"]) == len(whole["frames.jsonl"])


def test_parts_that_are_being_written_are_not_cleared(run_cli, drive, tmp_path):
    out, words = tmp_path / "out", ("predict", drive / "model", drive)
    assert run_cli(*words, "--out", out, *part(0, of=2))[0] == 0
    log = out / "part-0-of-2.jsonl"
    before = log.read_bytes()
    with FolderLock(out, "part-0-of-2.lock"):
        code, _, err = run_cli(*words, "--out", out, "--overwrite")
    assert (code, "another run is writing here" in err) == (2, True), err
    assert log.read_bytes() == before
    assert run_cli(*words, "--out", out, "--overwrite")[0] == 3
    assert not log.exists()


def test_parts_agree_on_names_when_files_are_added(run_cli, tmp_path, drive):
    home, out = tmp_path / "p", tmp_path / "out"
    home.mkdir()
    shutil.copy(drive / "0.png", home / "x.png")
    words = ("predict", drive / "model", home, "--out", out, "--overlay")
    assert run_cli(*words, *part(0, of=2))[0] == 0
    cv2.imwrite(str(home / "x.jpg"), cv2.imread(str(drive / "1.png")))
    for number in (0, 1):
        assert run_cli(*words, *part(number, of=2), "--continue")[0] == 0
    rows = map(json.loads, (out / "frames.jsonl").read_text().splitlines())
    named = {Path(row["source"]).name: row["name"] for row in rows}
    assert named["x.png"] == "x"
    assert set(named) == {"x.png", "x.jpg"}
    assert len(set(named.values())) == 2


def test_a_part_that_is_stopped_is_not_taken_for_done(predict, whole, tmp_path, monkeypatch):
    from sam_crack.infer.frame_log import FrameLog

    out, real = tmp_path / "out", FrameLog.append

    def stopping(log, record):
        if len(log) == 2:
            raise KeyboardInterrupt
        real(log, record)

    predict(out, *part(0, of=2))
    with monkeypatch.context() as patch:
        patch.setattr(FrameLog, "append", stopping)
        code, answer = predict(out, *part(1, of=2))
    assert code == 130
    assert "stopped after 2 frames" in answer["error"]
    assert not (out / "part-1-of-2.json").exists()
    predict(out, *part(1, of=2), "--continue")
    assert everything(out) == whole


@pytest.mark.parametrize("at", range(4))
def test_the_last_part_may_die_at_any_file(predict, whole, tmp_path, monkeypatch, at):
    from sam_crack.infer import rows

    out, opened = tmp_path / "out", itertools.count()
    predict(out, *part(0, of=2))

    def dying(path):
        if next(opened) == at:
            raise KeyboardInterrupt
        return real(path)

    real = rows.durable.sync
    with monkeypatch.context() as patch:
        patch.setattr(rows.durable, "sync", dying)
        assert predict(out, *part(1, of=2))[0] == 130
    assert predict(out, *part(1, of=2), "--continue")[0] == 3
    assert everything(out) == whole


def test_accelerate_and_torchrun_name_the_part(predict, whole, tmp_path, monkeypatch):
    for rank in "10":
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("LOCAL_RANK", rank)
        predict(tmp_path / "out")
    assert everything(tmp_path / "out") == whole


@pytest.mark.slow
def test_accelerate_launch_shares_out(drive, whole, tmp_path):
    launch = ["--multi_gpu", "--num_processes=2", "--main_process_port=0", "--num_machines=1"]
    launch += ["--mixed_precision=no", "--dynamo_backend=no", "--num_cpu_threads_per_process=1"]
    words = [sys.executable, "-m", "accelerate.commands.launch", *launch, "-m", "sam_crack"]
    words += ["predict", drive / "model", drive, drive / "gone.jpg", "--out", tmp_path / "out"]
    env = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(words, env=env, capture_output=True, timeout=280, check=False)
    assert done.returncode == 1, done.stderr.decode()[-2000:]  # the launcher's, for the last's 3
    assert everything(tmp_path / "out") == whole


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (["--num-parts", 3], "--part-id 0 to 2"),
        (["--num-parts", 3, "--part-id", 3], "counted from 0"),
        ([*part(0), "--road", "auto:9"], "each frame gives by itself"),
        ([*part(0), "--overwrite"], "none of them may clear"),
        ([*part(0), "--threshold", 0.7], "threshold was 0.5"),
        ([*part(0, of=4)], "shared out in 3 parts"),
        ([], "shared out in 3 parts"),
    ],
)
def test_mistakes_are_named(predict, tmp_path, wrong, named):
    predict(tmp_path / "out", *part(1))
    code, answer = predict(tmp_path / "out", *wrong)
    assert code == 2
    assert named in answer["error"]


def test_a_part_of_other_frames_is_refused(predict, drive, run_cli, tmp_path):
    predict(tmp_path / "out", *part(0, of=2))
    model, out = drive / "model", tmp_path / "out"
    code, _, err = run_cli("predict", model, drive / "0.png", "--out", out, *part(1, of=2))
    assert code == 4
    assert "part 0 was given other frames" in err
