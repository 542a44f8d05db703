"""A baseline is known to fit before anything is scored; a mistake in what is asked is named."""

import json
import shutil

import cv2
import pytest

from sam_crack.studies.evaluation import verb
from tests.studies.tiny_road import write_checkpoint, write_road
from tests.studies.tiny_tissue import write_tissue


@pytest.fixture
def road(tmp_path):
    return write_road(tmp_path / "road")


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path / "tiny", threshold=0.42)


@pytest.fixture
def evaluate(run_cli, checkpoint, road, tmp_path):
    def run(*args, run=checkpoint, out="out"):
        line = ["evaluate", run, "--data", "dnit", "--root", road, "--out", tmp_path / out]
        code, stdout, err = run_cli(*line, "--resamples", 20, *args, "--json")
        return code, json.loads(stdout), err

    return run


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        (("--limit", 5), "5 of its ids are among these 8; the same frames; name"),
        (("--empty", "one"), "add --empty one"),
        (("--classes", "crack,pothole", "--task", "foreground"), "another truth in 1 of 8 frames"),
    ],
)
def test_what_does_not_fit_is_refused_before_scoring(evaluate, road, monkeypatch, kept, says):
    mask = next((road / "Dataset").glob("101_*/*_CRACK.png"))
    pothole = mask.with_name(mask.name.replace("CRACK", "POTHOLE"))
    cv2.imwrite(str(pothole), 255 - cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE))
    out = road.parent / "kept"
    assert evaluate(*kept, out=out)[0] == 0
    monkeypatch.setattr(verb, "score_frames", None)
    code, result, _ = evaluate("--baseline", out)
    assert code == 3
    assert says in result["error"]


def test_the_baseline_has_a_name_on_page_and_screen(run_cli, road, checkpoint, tmp_path):
    other = write_checkpoint(tmp_path / "other", seed=3, threshold=0.1)
    line = ["evaluate", checkpoint, "--data", "dnit", "--root", road, "--resamples", 20]
    code, out, err = run_cli(*line, "--out", tmp_path / "out", "--baseline", other)
    assert code == 0
    page = (tmp_path / "out" / "report.html").read_text()
    for text in (out + err, page):
        assert "baseline: other, threshold 0.1000, hash " in text
        assert "less is better in fp_px_per_clean_megapixel, ece, ece@0.1, hd95_px" in text
    assert "compared with other" in page
    assert "Difference low" in page
    assert "ece@0.1 (less is better)" in page
    assert "Gain" not in page


def test_a_baseline_that_is_nowhere_is_told_before_scoring(evaluate, monkeypatch):
    monkeypatch.setattr(verb, "score_frames", None)
    code, result, _ = evaluate("--baseline", "nowhere")
    assert (code, "--baseline: nowhere: no such folder" in result["error"]) == (3, True)


def test_a_folder_with_one_run_in_it_names_that_run(evaluate, checkpoint, tmp_path):
    row = tmp_path / "row"
    shutil.copytree(checkpoint, row / "lora" / "checkpoint")
    assert f"did you mean {row / 'lora'}?" in evaluate(run=row)[1]["error"]
    assert evaluate("--limit", 1, run=row / "lora", out="lora")[0] == 0
    shutil.copytree(checkpoint, row / "other" / "checkpoint")
    assert "give that folder" in evaluate(run=row)[1]["error"]


def test_a_class_that_was_never_learnt_is_told(evaluate):
    code, _, err = evaluate("--classes", "pothole", "--limit", 1)
    assert code == 0
    assert "the model learnt crack, not pothole" in err
    assert "the model learnt" not in evaluate("--limit", 1, "--overwrite")[2]


def test_a_set_without_the_learnt_class_points_to_classes(run_cli, checkpoint, tmp_path):
    tissue = write_tissue(tmp_path / "tissue")
    code, out, _ = run_cli("evaluate", checkpoint, "--data", "consep", "--root", tissue, "--json")
    assert code == 2
    assert "say with --classes" in json.loads(out)["error"]
