"""Trackers see what happens, and cannot stop a run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.studies.training.record import show_samples
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


def test_missing_tensorboard_is_said_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'sam-crack\[tensorboard\]'"):
        session(tmp_path, with_train(track="tensorboard"))


def test_tensorboard_sees_steps_scores_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = with_train(track="tensorboard", steps=2, validate_every=0)
    run = session(tmp_path, config)
    history = run.with_run(show=partial(show_samples, run, ())).fit(resume=False).history
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    losses = [row["loss"] for row in history if "loss" in row]
    assert [event.value for event in found.Scalars("loss")] == pytest.approx(losses)
    assert [event.step for event in found.Scalars("val_f1")] == [2]
    assert len(found.Images("samples")) == 1


def test_nothing_is_tracked_unless_asked(tmp_path: Path) -> None:
    tracker = Tracker(TINY, tmp_path, Console(), write=True)
    tracker.open()
    tracker.log(1, {"loss": 1.0})
    tracker.close(tmp_path)
    assert "wandb" not in {path.name for path in tmp_path.iterdir()}
