"""The demo goes through every room, says what it ran on, and goes on where it was stopped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sam_crack.errors import Interrupted
from sam_crack.train.stopping import StopSignal

SMALL = ("--size", "180,320", "--frames", "2", "--steps", "2")


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has fetched nothing."""
    monkeypatch.setenv("SAM_CRACK_HOME", str(tmp_path / "home"))


@pytest.mark.usefixtures("no_weights")
def test_without_network_and_weights_it_runs_on_a_labelled_stand_in(
    tmp_path: Path, run_cli: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = run_cli("demo", "--json", "--offline", "--out", tmp_path / "demo", *SMALL)
    assert code == 0, err
    found = json.loads(out)
    assert found["backbone"] == "tiny"
    assert "random weights" in found["note"]
    page = Path(found["report"]).read_text()
    assert "Read this first" in page
    assert "sam-crack demo --seed 4 --steps 2 --frames 2 --size 180,320 --start base" in page
    assert "random weights" in page
    assert not re.search(r"(src|href)=.https?:", page)
    assert found["cracks_true"] >= found["cracks_found"] >= 0
    assert "sam-crack weights fetch mobile_sam" in err or "offline" in err


@pytest.mark.usefixtures("no_weights")
def test_stopped_by_ctrl_c_it_goes_on(
    tmp_path: Path,
    run_cli: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("demo", "--offline", "--out", tmp_path / "demo", *SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(StopSignal, "__enter__", _asked_at_once)
        code, _, err = run_cli(*words)
    assert code == 130
    assert "stopped after step 1 of 2" in err
    code, out, err = run_cli(*words)
    assert code == 0, err
    assert "resumed at step 1 of 2" in out


def test_stopped_while_fetching_it_stops(
    tmp_path: Path,
    run_cli: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object) -> Path:
        raise Interrupted("interrupted by SIGTERM")

    monkeypatch.setattr("sam_crack.studies.demo.verb.fetch", stop)
    code, _, err = run_cli("demo", "--out", tmp_path / "demo", *SMALL)
    assert code == 130
    assert "random weights" not in err


def _asked_at_once(signal: StopSignal) -> StopSignal:
    signal.asked = True
    return signal


@pytest.mark.weights
@pytest.mark.slow
def test_on_mobile_sam_it_learns(
    tmp_path: Path, run_cli: Callable[..., tuple[int, str, str]], mobile_sam_path: Path
) -> None:
    assert mobile_sam_path.is_file()
    words = ("demo", "--json", "--out", tmp_path / "demo", "--size", "1080,1920", "--frames", "2")
    code, out, err = run_cli(*words)
    assert code == 0, err
    found = json.loads(out)
    assert found["validation_after"]["iou"] > found["validation_before"]["iou"] + 0.02
