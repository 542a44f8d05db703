"""What looking at a part of the frame misses, where truth is there."""

import json

import cv2
import numpy as np
import pytest

from sam_crack.data.dataset import open_dataset
from sam_crack.infer.gate import RAMP
from tests.studies.tiny_road import SIZE, write_checkpoint, write_road


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model") / "tiny", threshold=0.42)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_road(tmp_path_factory.mktemp("road"))


@pytest.fixture
def evaluate(run_cli, checkpoint, home, tmp_path):
    def run(*args, out="out", as_json=True):
        line = ["evaluate", checkpoint, "--data", "dnit", "--root", home, "--out", tmp_path / out]
        code, stdout, err = run_cli(
            *line, "--resamples", 50, *args, *(["--json"] if as_json else [])
        )
        return code, json.loads(stdout) if as_json else stdout, err

    return run


def test_what_a_band_misses_is_counted(evaluate, home, tmp_path):
    code, result, _ = evaluate("--road", "band:0.5,1")
    assert code == 0
    truth = [each.mask > 0 for each in open_dataset("dnit", home, split="test", classes=("crack",))]
    first = (0.5 - RAMP / 2) * SIZE[0]  # where a band counts half
    rows = np.arange(SIZE[0]) + 0.5
    missed = sum(mask[rows < first].sum() for mask in truth) / sum(mask.sum() for mask in truth)
    assert 0.1 < missed < 0.9
    assert result["gate_missed"] == pytest.approx(missed, abs=0.05)
    assert result["gate_share"] == pytest.approx(0.5 + RAMP / 2, abs=0.02)
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert written["gate_missed"] == result["gate_missed"]


def test_it_is_said_on_screen(evaluate):
    code, out, err = evaluate("--road", "band:0.5,1", as_json=False)
    assert code == 0
    assert "of the foreground missed by the gate" in out + err


def test_all_of_the_frame_has_no_gate(evaluate):
    code, result, _ = evaluate()
    assert code == 0
    assert "gate_missed" not in result


def test_a_baseline_behind_the_same_gate_is_compared(evaluate, checkpoint):
    code, result, _ = evaluate("--road", "band:0.5,1", "--baseline", checkpoint)
    assert code == 0
    assert {each["value"] for each in result["baseline"]["differences"].values()} <= {0.0, None}


def test_an_evaluation_without_a_gate_may_be_the_baseline_of_one_with(evaluate, tmp_path):
    evaluate(out="whole")
    code, result, _ = evaluate("--road", "band:0.5,1", "--baseline", tmp_path / "whole")
    assert code == 0
    assert "gate_missed" in result


def test_the_heat_map_of_the_statistics_misses_next_to_nothing(evaluate, run_cli, home, tmp_path):
    code, _, err = run_cli("data", "stats", "dnit", home, "--out", tmp_path / "stats")
    assert code == 0, err
    code, result, _ = evaluate("--road", f"prior:{tmp_path / 'stats' / 'heat_test.npy'}")
    assert code == 0
    assert result["gate_missed"] < 0.01
    assert 0.2 < result["gate_share"] < 0.9


def test_a_mask_that_is_empty_is_refused_before_anything_is_done(evaluate, tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), np.zeros((8, 8), np.uint8))
    code, result, _ = evaluate("--road", f"mask:{tmp_path / 'm.png'}")
    assert code == 3
    assert "nothing lies inside" in str(result)
    assert not (tmp_path / "out").exists()
