"""`predict --scale` from the command line to summary.json."""

import cv2
import numpy as np
import pytest

from sam_crack.infer.agreement import centre
from sam_crack.measure.camera import Camera
from sam_crack.measure.road_scale import millimetres_across
from sam_crack.model.trained_scale import TrainedScale
from sam_crack.studies.drive import verb as drive
from tests.studies.test_drive import SIZE, Dark, dark_model, everything, frames, predict

__all__ = ["dark_model", "frames", "predict"]  # fixtures
CAMERA = Camera(height_m=1.4, pitch_deg=8, focal_px=200, size=SIZE)


def trained_at(monkeypatch, gsd_mm=None, factor=1.0):
    """Give the checkpoint a ground resolution, and a factor from its validation."""
    load = drive.load_checkpoint

    def know(*args, **settings):
        segmenter, meta = load(*args, **settings)
        meta.scale = TrainedScale(gsd_mm=gsd_mm, factor=factor)
        return segmenter, meta

    monkeypatch.setattr(drive, "load_checkpoint", know)


def masks(folder):
    paths = sorted((folder / "masks").glob("*.png"))
    return np.stack([cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths])


def test_a_scale_of_one_changes_nothing(frames, predict, tmp_path):
    predict(frames, "--out", tmp_path / "plain", "--no-report")
    _, summary, _ = predict(frames, "--out", tmp_path / "one", "--scale", "1", "--no-report")
    assert everything(tmp_path / "plain") == everything(tmp_path / "one")
    assert summary["scale"] == {"asked": "1", "factor": 1.0}


def test_frames_are_looked_at_smaller_and_answered_in_their_own_size(frames, predict, tmp_path):
    _, native, _ = predict(frames, "--out", tmp_path / "native")
    code, half, _ = predict(frames, "--out", tmp_path / "half", "--scale", "0.5")
    assert code == 0
    assert (half["cracks"], half["scale"]["factor"]) == (5, 0.5)
    assert half["windows"] < native["windows"]
    found, whole = masks(tmp_path / "half") > 0, masks(tmp_path / "native") > 0
    assert (found & whole).sum() / (found | whole).sum() > 0.7
    assert "0.5" in (tmp_path / "half/report.html").read_text("utf-8")


def test_unless_asked_otherwise_frames_get_the_factor_of_the_validation(
    frames, predict, tmp_path, monkeypatch
):
    predict(frames, "--out", tmp_path / "half", "--scale", "0.5", "--no-report")
    trained_at(monkeypatch, factor=0.5)
    _, summary, err = predict(frames, "--out", tmp_path / "own", "--no-report")
    np.testing.assert_array_equal(masks(tmp_path / "own"), masks(tmp_path / "half"))
    assert (summary["scale"]["asked"], summary["scale"]["factor"]) == ("own", 0.5)
    assert f"scale 0.5: {summary['scale']['why']}" in err
    _, plain, _ = predict(frames, "--out", tmp_path / "one", "--scale", "1", "--no-report")
    assert plain["scale"] == {"asked": "1", "factor": 1.0}


def test_auto_says_what_it_chose_and_from_what(frames, predict, tmp_path):
    code, summary, err = predict(frames, "--out", tmp_path / "out", "--scale", "auto")
    assert code == 0
    scale = summary["scale"]
    tried = {float(one): score for one, score in scale["tried"].items()}
    assert scale["factor"] == pytest.approx(centre(tried), rel=0.01)
    assert scale["frames"] == ["0", "1", "2", "3", "4", "5"]
    assert f"scale {scale['factor']:.3g}: {scale['why']}" in err


def test_the_camera_brings_frames_to_the_resolution_of_the_training(
    frames, predict, tmp_path, monkeypatch
):
    CAMERA.save(tmp_path / "camera.json")
    trained_at(monkeypatch, 2 * millimetres_across(CAMERA))
    for scale in ("camera", "camera:strips"):
        out = tmp_path / scale.replace(":", "-")
        code, summary, _ = predict(
            frames, "--out", out, "--scale", scale, "--camera", tmp_path / "camera.json"
        )
        assert code == 0
        assert summary["scale"]["factor"] == pytest.approx(0.5)
        assert (masks(out) > 0)[1:].any(axis=(1, 2)).all()
    assert [strip["factor"] for strip in summary["scale"]["strips"]][-1] < 0.5


@pytest.mark.parametrize(
    ("scale", "with_camera", "code", "words"),
    [
        ("huge", False, 2, ("scale 'huge'", "--scale 0.5")),
        ("camera", False, 2, ("without a camera", "add --camera FILE")),
        ("camera", True, 3, ("does not know its ground resolution", "--scale calibrate:FOLDER")),
        ("calibrate:nowhere", False, 3, ("nowhere", "no such folder")),
    ],
)
def test_what_cannot_be_is_refused_before_a_frame_is_looked_at(
    frames, run_cli, tmp_path, scale, with_camera, code, words
):
    CAMERA.save(tmp_path / "camera.json")
    camera = ("--camera", tmp_path / "camera.json") if with_camera else ()
    found, _, err = run_cli(
        "predict", "model", frames, "--out", tmp_path / "out", "--scale", scale, *camera
    )
    assert found == code
    assert all(word in err for word in words)
    assert Dark.seen == 0


def test_labelled_frames_decide(frames, predict, tmp_path):
    few = tmp_path / "few"
    for name in ("images", "masks"):
        (few / name).mkdir(parents=True)
    for number in (1, 2):
        image = cv2.imread(str(frames / f"{number}.png"))
        cv2.imwrite(str(few / "images" / f"{number}.png"), image)
        cv2.imwrite(str(few / "masks" / f"{number}.png"), (image[..., 0] < 100) * np.uint8(255))
    _, summary, _ = predict(frames, "--out", tmp_path / "out", "--scale", f"calibrate:{few}")
    assert summary["scale"]["factor"] == 1.0  # Dark is right about every pixel as it is
    assert summary["scale"]["tried"]["1"] == 1.0


def test_a_run_goes_on_at_its_own_scale(frames, run_cli, tmp_path):
    out = tmp_path / "out"
    assert run_cli("predict", "model", frames, "--out", out, "--scale", "0.5")[0] == 0
    code, _, err = run_cli("predict", "model", frames, "--out", out, "--continue")
    assert (code, "scale was 0.5 and is now 1" in err) == (2, True)
