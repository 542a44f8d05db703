import csv
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig
from sam_crack.measure.camera import Camera
from sam_crack.studies.drive import verb as drive

SIZE = (180, 260)


class Dark(nn.Module):
    """A model that knows one thing: cracks are dark."""

    config = SimpleNamespace(window=(96, 96), head=SimpleNamespace(boundary=False))
    stride = 1
    seen = 0
    stop_at: int | None = None

    def forward(self, pixels):
        Dark.seen += 1
        if Dark.seen == Dark.stop_at:
            raise KeyboardInterrupt
        return (100 - pixels.float().mean(1, keepdim=True)) / 10


@pytest.fixture(autouse=True)
def dark_model(monkeypatch, tmp_path):
    meta = SimpleNamespace(threshold=0.5, base_sha256="b", config_hash="c", scale=None)
    monkeypatch.setattr(drive, "load_checkpoint", lambda *_, **__: (Dark(), meta))
    monkeypatch.setattr(Dark, "seen", 0)
    monkeypatch.setattr(Dark, "stop_at", None)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def frames(tmp_path):
    """Six frames of grey road, each with a bar of 4 x 100 px that turns, and one without."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        image = np.full((*SIZE, 3), 200, np.uint8)
        if number:
            box = cv2.boxPoints(((130, 90), (100, 4), 30.0 * number))
            cv2.fillPoly(image, [box.round().astype(np.int32)], (20, 20, 20))
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


@pytest.fixture
def predict(run_cli):
    def run(*args):
        code, out, err = run_cli("predict", "model", *args, "--json")
        return code, json.loads(out), err

    return run


def rows(folder, name="cracks.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]


def everything(folder):
    """All outputs but times."""
    kept = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"frames.jsonl", "summary.json", "run.lock"}
    ]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def test_masks_and_tables_hold_what_was_drawn(frames, predict, tmp_path):
    out = tmp_path / "out"
    code, summary, _ = predict(frames, "--out", out)
    assert code == 0
    assert (summary["frames"], summary["cracks"], summary["errors"]) == (6, 5, [])
    for number in range(6):
        drawn = cv2.imread(str(frames / f"{number}.png"))[..., 0] < 100
        found = cv2.imread(str(out / "masks" / f"{number}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(found > 0, drawn)
    assert [row["frame"] for row in rows(out)] == ["1", "2", "3", "4", "5"]
    assert [row["length_px"] for row in rows(out)] == pytest.approx([101] * 5, abs=2.5)
    with (out / "cracks.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [float(row["length_px"]) for row in table] == [row["length_px"] for row in rows(out)]
    assert list(table[0])[2:] == [
        name for name in rows(out)[0] if name not in {"frame", "time_s", "lines"}
    ]


def test_overlays_are_drawn_unless_switched_off(frames, predict, tmp_path):
    predict(frames, "--out", tmp_path / "with")
    predict(frames, "--out", tmp_path / "without", "--no-overlay")
    overlay = cv2.imread(str(tmp_path / "with/overlays/1.jpg"))
    assert overlay.shape == (*SIZE, 3)
    assert np.abs(overlay.astype(int) - cv2.imread(str(frames / "1.png"))).max() > 50
    assert not (tmp_path / "without/overlays").exists()


def test_unreadable_frames_are_listed_and_the_others_written(frames, predict, tmp_path):
    (frames / "3.png").write_bytes((frames / "3.png").read_bytes()[:100])
    out = tmp_path / "out"
    code, summary, err = predict(frames, tmp_path / "absent.jpg", "--out", out)
    assert code == 3
    assert (summary["frames"], summary["cracks"]) == (5, 4)
    listed = rows(out, "errors.jsonl")
    assert [entry["source"].rpartition("/")[2] for entry in listed] == ["absent.jpg", "3.png"]
    assert "3.png" in err


def test_an_unnamed_output_gets_a_new_run_folder(frames, predict, tmp_path):
    assert predict(frames)[1]["out"] == "runs/predict/model-1"
    assert predict(frames)[1]["out"] == "runs/predict/model-2"


def test_a_used_folder_is_refused_and_overwriting_spares_what_is_not_ours(
    frames, predict, tmp_path
):
    out = tmp_path / "out"
    predict(frames, "--out", out)
    (out / "notes.txt").write_text("mine")
    (frames / "5.png").unlink()
    code, answer, _ = predict(frames, "--out", out)
    assert code == 2
    assert "--continue" in answer["error"]
    assert predict(frames, "--out", out, "--overwrite")[0] == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "masks/5.png").exists()


@pytest.mark.parametrize("lines", [0, 3, 5])
def test_a_killed_run_goes_on_to_the_same_outputs(frames, predict, tmp_path, lines):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    predict(frames, "--out", whole)
    predict(frames, "--out", cut)
    log = (cut / "frames.jsonl").read_bytes().splitlines(keepends=True)
    (cut / "frames.jsonl").write_bytes(b"".join(log[:lines]) + log[lines][:-9])
    (cut / "cracks.jsonl").unlink()
    for stray in ("masks/.3.png.x1", "overlays/.3.jpg.x2", ".cracks.csv.part"):
        (cut / stray).write_bytes(b"half")
    Dark.seen = 0
    code, summary, _ = predict(frames, "--out", cut, "--continue")
    assert (code, summary["frames"]) == (0, 6)
    assert everything(cut) == everything(whole)
    per_frame = summary["windows"] // 6
    assert Dark.seen == -(-(6 - lines) * per_frame // 4)


def test_other_settings_cannot_be_continued(frames, predict, tmp_path):
    predict(frames, "--out", tmp_path / "out")
    code, answer, _ = predict(frames, "--out", tmp_path / "out", "--continue", "--threshold", "0.7")
    assert code == 2
    assert "threshold was 0.5 and is now 0.7" in answer["error"]


def test_an_interrupt_leaves_whole_outputs_and_can_go_on(frames, predict, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    predict(frames, "--out", whole)
    Dark.stop_at = Dark.seen + 5
    code, answer, _ = predict(frames, "--out", out)
    assert code == 130
    assert "--continue" in answer["error"]
    done = json.loads((out / "summary.json").read_text())["frames"]
    assert 0 < done < 6
    assert [row["frame"] for row in rows(out)] == [row["frame"] for row in rows(whole)][: done - 1]
    Dark.stop_at = None
    assert predict(frames, "--out", out, "--continue")[0] == 0
    assert everything(out) == everything(whole)


def test_an_interrupt_names_the_folder_that_the_run_chose(frames, predict, tmp_path):
    Dark.stop_at = 5
    code, answer, _ = predict(frames)
    assert code == 130
    assert "with --continue and --out runs/predict/model-1 to go on" in answer["error"]


def test_a_camera_gives_millimetres(frames, predict, tmp_path):
    camera = Camera(height_m=1.4, pitch_deg=35, focal_px=500, size=(360, 520))
    camera.save(tmp_path / "camera.json")  # twice the frames' size: the same view
    out = tmp_path / "out"
    code, summary, _ = predict(frames, "--out", out, "--camera", tmp_path / "camera.json")
    assert code == 0
    assert summary["length_m"] > 0.5
    assert sum(summary["severities"].values()) == 5
    assert all(row["gsd_across_mm"] > 1 for row in rows(out))


def test_a_camera_of_another_shape_is_named_and_pixels_remain(frames, predict, tmp_path):
    Camera(height_m=1.4, pitch_deg=35, focal_px=500, size=(500, 500)).save(tmp_path / "c.json")
    code, summary, _ = predict(frames, "--out", tmp_path / "out", "--camera", tmp_path / "c.json")
    assert code == 3
    assert (summary["cracks"], summary["length_m"], len(summary["errors"])) == (5, None, 6)
    assert "same shape" in summary["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (["--road", "lane"], 2),
        (["--device", "warp"], 2),
        (["--camera", "absent.json"], 3),
        (["--continue", "--overwrite"], 2),
    ],
)
def test_mistakes_are_told_before_anything_is_written(frames, predict, tmp_path, wrong, code):
    assert predict(frames, "--out", tmp_path / "out", *wrong)[0] == code
    assert not (tmp_path / "out").exists()


def test_a_real_checkpoint_passes(frames, predict, tmp_path, monkeypatch):
    from sam_crack.model import checkpoint
    from sam_crack.model.description import CheckpointMeta
    from sam_crack.model.segmenter import build_segmenter

    monkeypatch.setattr(drive, "load_checkpoint", checkpoint.load_checkpoint)
    torch.manual_seed(0)
    config = ModelConfig(
        backbone=BackboneConfig(name="tiny", pretrained=False),
        head=HeadConfig(width=8),
        window=(64, 96),
    )
    meta = CheckpointMeta(classes=("crack",), threshold=0.4)
    checkpoint.save_checkpoint(build_segmenter(config), tmp_path / "model", meta)
    code, summary, _ = predict(frames, "--out", tmp_path / "out")
    assert (code, summary["frames"], summary["threshold"]) == (0, 6, 0.4)
