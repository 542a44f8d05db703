"""Trackers see what happens, and cannot stop a run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.train.trackers import Tracker
from tests.train.tiny_run import TINY, session, with_train


class Recorder:
    """Stands in for a tracker of Accelerate."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.calls: list[tuple[object, ...]] = [("open", args, kwargs)]
        self.tracker = SimpleNamespace(log_artifact=lambda it: self.calls.append(("keep", it.name)))
        Recorder.last = self  # type: ignore[attr-defined]

    def start(self) -> None:
        self.calls.append(("start",))

    def store_init_configuration(self, values: dict[str, str]) -> None:
        self.calls.append(("config", values))

    def log(self, values: dict[str, float], step: int) -> None:
        self.calls.append(("log", step, values))
        if len(self.calls) == getattr(Recorder, "break_at", -1):
            raise ConnectionError("no route to host")

    def finish(self) -> None:
        self.calls.append(("finish",))


def tracked(**changes: object) -> RunConfig:
    return with_train(track="wandb", **changes)


def test_wandb_sees_config_steps_scores_and_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accelerate.tracking.WandBTracker", Recorder)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    session(tmp_path, tracked()).fit(resume=False)
    calls = Recorder.last.calls  # type: ignore[attr-defined]
    assert calls[0][2]["mode"] == "offline"
    assert calls[2][1]["train.steps"] == "6"
    logged = [call for call in calls if call[0] == "log"]
    assert [call[1] for call in logged] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert logged[3][2]["val_f1"] >= 0
    assert [call[0] for call in calls[-2:]] == ["keep", "finish"]


def test_a_tracker_that_fails_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("accelerate.tracking.WandBTracker", Recorder)
    monkeypatch.setattr(Recorder, "break_at", 5, raising=False)
    assert session(tmp_path, tracked()).fit(resume=False).step == 6
    assert capsys.readouterr().err.count("no route to host") == 1
    assert len(Recorder.last.calls) == 5  # type: ignore[attr-defined]


def test_missing_tensorboard_is_said_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    config = with_train(track="tensorboard", steps=2, validate_every=0)
    assert session(tmp_path, config).fit(resume=False).step == 2
    assert "pip install tensorboard" in capsys.readouterr().err


def test_nothing_is_tracked_unless_asked(tmp_path: Path) -> None:
    tracker = Tracker(TINY, tmp_path, Console(), write=True)
    tracker.open()
    tracker.log(1, {"loss": 1.0})
    tracker.close(tmp_path)
    assert "wandb" not in {path.name for path in tmp_path.iterdir()}
