"""How many crops pass at once is tried, and changes nothing but the rounding."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.train import memory, probe
from sam_crack.train.probe import Cost, Trial, most_at_once
from sam_crack.train.session import Session
from tests.train.tiny_run import session, with_train

GB = 10**9


def passes(tried: list[int], *, fails_at: int = 10**6) -> Callable[[int], int]:
    """A machine on which the model takes 4 GB and each crop 1 GB."""

    def peak_of(crops: int) -> int:
        tried.append(crops)
        if crops >= fails_at:
            raise torch.OutOfMemoryError
        return (4 + crops) * GB

    return peak_of


@pytest.mark.parametrize(
    ("total", "room", "crops", "most_tried"),
    [
        (16, 100, 16, 16),
        (16, 11, 4, 4),  # eight would take 12 GB, which nobody has to try
        (12, 13, 6, 8),  # nine fit, and six divide twelve
        (7, 9, 1, 4),
        (1, 5, 1, 1),
    ],
)
def test_as_many_as_fit_and_divide(total: int, room: int, crops: int, most_tried: int) -> None:
    tried: list[int] = []
    found = most_at_once(total, passes(tried), at_rest=4 * GB, room=room * GB)
    assert (found.crops, max(tried)) == (crops, most_tried)


def test_running_out_of_memory_ends_the_search() -> None:
    tried: list[int] = []
    found = most_at_once(64, passes(tried, fails_at=16), at_rest=4 * GB, room=100 * GB)
    assert (found.crops, tried, found.peak) == (8, [1, 2, 4, 8, 16], 12 * GB)


def test_not_one_crop_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"not one crop fits into 4\.50 GB.*recompute"):
        most_at_once(8, passes([]), at_rest=4 * GB, room=int(4.5 * GB))


def losses_of(run: Session) -> list[object]:
    return [row["loss"] for row in run.fit(resume=False).history if "loss" in row]


@pytest.fixture
def two_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which two crops pass at once: real passes, memory by the book."""
    real = Trial.__call__

    def cost(self: Trial, crops: int) -> Cost:
        return dataclasses.replace(real(self, crops), peak=self.at_rest + crops * GB)

    monkeypatch.setattr(Trial, "__call__", cost)
    monkeypatch.setattr(memory, "room_bytes", lambda device: 10 * GB)
    monkeypatch.setattr(memory, "peak_bytes", lambda device: 6 * GB)


@pytest.mark.usefixtures("two_fit")
def test_a_step_keeps_its_crops_and_the_probe_leaves_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dropout = dataclasses.replace(with_train().model.adapter, dropout=0.3)

    def run(name: str, **changes: object) -> Session:
        config = with_train(steps=3, **changes)
        model = dataclasses.replace(config.model, adapter=dropout)
        one = session(tmp_path / name, dataclasses.replace(config, model=model))
        return one.with_run(console=Console(no_progress=True))

    by_hand = losses_of(run("hand", batch_size=2, accumulate=3))
    probed = losses_of(run("probed", batch_size=6, probe_batch=True))
    assert probed == by_hand
    assert "2 of 6 crops pass at once: peak memory 8.00 of 9.00 GB" in capsys.readouterr().out
    assert json.loads((tmp_path / "probed" / probe.NOTE).read_text()) == {
        "batch_size": 2,
        "accumulate": 3,
    }


@pytest.mark.usefixtures("two_fit")
def test_a_resumed_run_shares_out_as_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_train(batch_size=6, probe_batch=True, steps=3, save_every=1)
    whole = losses_of(session(tmp_path, config))
    (tmp_path / "state" / "step-00000003").rename(tmp_path / "gone")
    monkeypatch.setattr(memory, "room_bytes", lambda device: 100 * GB)
    again = session(tmp_path, config).fit(resume=True)
    assert [row["loss"] for row in again.history if "loss" in row] == whole


@pytest.mark.usefixtures("two_fit")
def test_shares_of_a_step_of_another_size_are_tried_anew(tmp_path: Path) -> None:
    (tmp_path / probe.NOTE).write_text('{"batch_size": 4, "accumulate": 1}')
    run = probe.share_out(session(tmp_path, with_train(batch_size=3, probe_batch=True)).run)
    assert (run.config.train.batch_size, run.config.train.accumulate) == (1, 3)


@pytest.mark.usefixtures("two_fit")
@pytest.mark.parametrize("content", [b"{", b"5", b"\xff\x00", b'{"batch_size": 1}'])
def test_a_damaged_note_is_decided_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / probe.NOTE).write_bytes(content)
    run = probe.share_out(session(tmp_path, with_train(batch_size=2, probe_batch=True)).run)
    assert run.config.train.batch_size == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("two_fit")
def test_looking_ahead_passes_what_would_fit_and_notes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = session(tmp_path, with_train(batch_size=6, probe_batch=True))
    told = probe.look_ahead(one.with_run(console=Console()).run)
    assert "2 of 6 crops pass at once" in capsys.readouterr().out
    assert told["peak_gb"] < 8.1  # 6 at rest, and 2 of the 6 crops
    assert not (tmp_path / probe.NOTE).exists()


def test_memory_is_measured(tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    trial = Trial(session(tmp_path, with_train()).run)
    # Tensors of so many crops get pages of their own, wherever earlier tests left room.
    small, large = trial(1), trial(256)
    assert large.peak - small.peak > 20e6
    assert large.seconds > small.seconds
    assert memory.room_bytes(cpu) > memory.peak_bytes(cpu) > 100e6


def test_a_system_that_tells_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "Path", lambda path: tmp_path / str(path).lstrip("/"))
    with pytest.raises(UsageError, match=r"does not tell how much memory.*batch_size"):
        memory.room_bytes(torch.device("cpu"))
    assert memory.peak_bytes(torch.device("cpu")) > 0
