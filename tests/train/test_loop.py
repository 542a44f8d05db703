"""The loop learns, resumes to the last bit, and fails loudly."""

from __future__ import annotations

import dataclasses
import json
import math
import multiprocessing
import os
import shutil
import signal
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput, Interrupted, SamCrackError, UsageError
from sam_crack.measure.metrics import ThresholdCounts
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.train import state
from sam_crack.train.batches import batches, crop_numbers
from sam_crack.train.session import CHECKPOINT, class_balance, prepare
from sam_crack.train.validate import Validation, choose
from tests.train.tiny_run import TINY, bars, session, with_train


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("unbroken")
    session(folder).fit(resume=False)
    return folder


def final(folder: Path) -> state.State:
    found = state.load_latest(folder / "state", Console())
    assert found is not None
    return found


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same_weights(first: Path, second: Path) -> bool:
    one, other = final(first), final(second)
    return one.step == other.step and all(
        torch.equal(value, other.trainable[name]) for name, value in one.trainable.items()
    )


def test_it_learns_what_is_easy(tmp_path: Path) -> None:
    run = session(tmp_path, with_train(steps=40, lr=5e-3, head_lr=2e-2, validate_every=40))
    before = run.validator(0)
    after = run.fit(resume=False).best
    assert after is not None
    assert after.iou > max(0.8, before.iou + 0.3)


def test_checkpoint_holds_the_validated_model(unbroken: Path) -> None:
    segmenter, meta = load_checkpoint(unbroken / CHECKPOINT)
    run = session(unbroken.parent / "other")
    run.validator.segmenter = segmenter
    run.validator.predictor.segmenter = segmenter
    again = run.validator(meta.steps)
    assert again.f1 == pytest.approx(meta.metrics["val_f1"], abs=1e-9)
    assert again.threshold == meta.threshold


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_stopped_and_resumed_equals_unbroken(
    tmp_path: Path, unbroken: Path, stop_after: int
) -> None:
    run = session(tmp_path).run
    drawn = iter(range(10**6))
    original = run.drawer.draw

    def draw(number: int) -> object:
        # The signal comes while the crops of a step are drawn, as Ctrl-C would.
        if next(drawn) == 2 * stop_after - 1:
            signal.raise_signal(signal.SIGINT)
        return original(number)

    run.drawer.draw = draw  # type: ignore[method-assign, assignment]
    with pytest.raises(Interrupted, match=f"step {stop_after} of 6"):
        dataclasses.replace(session(tmp_path), run=run).fit(resume=False)
    assert final(tmp_path).step == stop_after
    session(tmp_path).fit(resume=True)
    assert same_weights(tmp_path, unbroken)
    losses = [
        [row["loss"] for row in rows(folder) if "loss" in row] for folder in (tmp_path, unbroken)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(("step", "ema"), [(3, 0.0), (6, 0.0), (3, 0.9)])
def test_stopped_in_a_validation_and_resumed_equals_unbroken(
    tmp_path: Path, step: int, ema: float
) -> None:
    """The signal comes while the first of two frames is looked at."""
    config = with_train(ema=ema)
    whole = session(tmp_path / "whole", config).fit(resume=False)
    run = session(tmp_path / "cut", config)
    frame, seen = run.validator.predictor.frame, []

    def look(image: object) -> object:
        seen.append(image)
        if len(seen) == 1 + 2 * (step // 3 - 1):
            signal.raise_signal(signal.SIGTERM)
        return frame(image)

    run.validator.predictor.frame = look  # type: ignore[method-assign, assignment]
    with pytest.raises(Interrupted, match=f"step {step} of 6"):
        run.fit(resume=False)
    assert len(seen) == 1 + 2 * (step // 3 - 1)
    assert not any(row["step"] == step and "validation" in row for row in rows(tmp_path / "cut"))
    resumed = session(tmp_path / "cut", config).fit(resume=True)
    assert session(tmp_path / "cut", config).fit(resume=True).best == resumed.best
    assert same_weights(tmp_path / "cut", tmp_path / "whole")
    one, other = (
        [row["validation"] for row in rows(tmp_path / name) if "validation" in row]
        for name in ("whole", "cut")
    )
    assert one == other
    assert resumed.best == whole.best


def test_validation_counts_only_the_region_when_asked(tmp_path: Path) -> None:
    samples = [
        dataclasses.replace(one, region=np.arange(80)[:, None] + np.zeros(96) < 40)
        for one in bars(2, seed=1)
    ]
    quiet = Console(quiet=True, no_progress=True)

    def counted(region_only: bool, given: list[Sample]) -> Validation | None:
        config = dataclasses.replace(
            TINY, data=dataclasses.replace(TINY.data, region_only=region_only)
        )
        run = prepare(config, given, given, folder=tmp_path, classes=("bar",), console=quiet)
        return run.validator(0)

    ignored = [dataclasses.replace(one, region=None, ignore=~one.region) for one in samples]
    assert counted(True, samples) == counted(False, ignored)
    assert counted(True, samples) != counted(False, samples)


def test_dropout_resumes_exactly(tmp_path: Path) -> None:
    adapter = dataclasses.replace(TINY.model.adapter, dropout=0.5)
    config = dataclasses.replace(TINY, model=dataclasses.replace(TINY.model, adapter=adapter))
    session(tmp_path / "a", config).fit(resume=False)
    session(tmp_path / "b", config).fit(resume=False)
    newest = tmp_path / "b" / "state" / "step-00000006"
    newest.rename(newest.with_name("gone"))
    session(tmp_path / "b", config).fit(resume=True)
    assert same_weights(tmp_path / "a", tmp_path / "b")


def test_what_a_kill_left_is_cleared_on_resuming(tmp_path: Path, unbroken: Path) -> None:
    shutil.copytree(unbroken, tmp_path / "run")
    (tmp_path / "run" / CHECKPOINT).rename(tmp_path / "run" / f".{CHECKPOINT}.old-7")
    (tmp_path / "run" / "state" / ".step-00000007.tmp-7").mkdir()
    session(tmp_path / "run").fit(resume=True)
    assert load_checkpoint(tmp_path / "run")[1].steps
    assert not [*(tmp_path / "run").rglob("*-7")]


def test_damaged_lines_of_the_record_are_left_out(
    tmp_path: Path, unbroken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(unbroken, tmp_path / "run")
    record = tmp_path / "run" / "metrics.jsonl"
    whole = record.read_bytes()
    record.write_bytes(b'5\n\xff\x00\x85\n{"step": null}\n' + whole + b'{"step": 6, "lo')
    session(tmp_path / "run").fit(resume=True)
    assert record.read_bytes() == whole
    assert "4 lines cannot be read" in capsys.readouterr().err


def test_a_record_without_a_state_is_kept_aside(
    tmp_path: Path, unbroken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        shutil.copy(unbroken / "metrics.jsonl", tmp_path)
        session(tmp_path).fit(resume=True)
        shutil.rmtree(tmp_path / "state")
        aside = tmp_path / f"metrics.before-{number}.jsonl"
        assert aside.read_bytes() == (unbroken / "metrics.jsonl").read_bytes()
        assert f"the record is now {aside}" in capsys.readouterr().err


def test_a_checkpoint_that_is_gone_is_saved_again(
    tmp_path: Path, unbroken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(unbroken, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / CHECKPOINT)
    best = session(tmp_path / "run").fit(resume=True).best
    assert load_checkpoint(tmp_path / "run")[1].steps == 6
    assert best is not None
    assert best.step == 6
    assert "is gone, and with it the best model" in capsys.readouterr().err


def test_other_config_is_refused(tmp_path: Path, unbroken: Path) -> None:
    (tmp_path / "state").symlink_to(unbroken / "state")
    with pytest.raises(UsageError, match="another configuration"):
        session(tmp_path, with_train(lr=1e-4)).fit(resume=True)


def test_steps_with_infinite_loss_are_skipped_and_then_stop(tmp_path: Path) -> None:
    run = session(tmp_path, with_train(steps=15))
    before = {n: p.clone() for n, p in run.segmenter.named_parameters() if p.requires_grad}
    head = run.segmenter.head.forward
    run.segmenter.head.forward = lambda *args: head(*args) * math.nan  # type: ignore[method-assign]
    with pytest.raises(SamCrackError, match=r"not finite in 10 steps.*bar-"):
        run.fit(resume=False)
    assert sum("skipped" in row for row in rows(tmp_path)) == 10
    assert {row["loss"] for row in rows(tmp_path) if "loss" in row} == {None}  # JSON has no NaN
    assert all(
        torch.equal(before[n], p) for n, p in run.segmenter.named_parameters() if n in before
    )


def test_bad_steps_are_told_and_a_run_of_mostly_bad_ones_ends(tmp_path: Path, capsys) -> None:
    run = session(tmp_path, with_train(steps=40, bad_steps=6))
    head, passes = run.segmenter.head.forward, count(1)
    run.segmenter.head.forward = lambda *args: (  # type: ignore[method-assign]
        head(*args) * (1.0 if next(passes) % 4 == 0 else math.nan)
    )
    with pytest.raises(BadInput, match=r"not finite in \d+ steps up to step 1[0-9]"):
        run.fit(resume=False)
    said = capsys.readouterr().err
    assert "step 1 was skipped: loss nan" in said
    assert said.count("was skipped") == 1  # the next word comes at the tenth


def test_half_of_the_steps_bad_is_told_at_the_end_too(tmp_path: Path) -> None:
    run = session(tmp_path, with_train(steps=8, bad_steps=2, validate_every=0))
    head, passes = run.segmenter.head.forward, count(1)
    run.segmenter.head.forward = lambda *args: (  # type: ignore[method-assign]
        head(*args) * (1.0 if next(passes) % 2 else math.nan)
    )
    run.fit(resume=False)
    assert [row["step"] for row in rows(tmp_path) if "skipped" in row] == [2, 4, 6, 8]


def test_a_full_memory_without_a_gpu_says_what_to_change(tmp_path: Path) -> None:
    run = session(tmp_path, with_train(steps=2))

    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] . can't allocate memory: 9 GB")

    run.segmenter.head.forward = full  # type: ignore[method-assign]
    with pytest.raises(BadInput, match=r"does not fit into.*--train\.batch_size 1"):
        run.fit(resume=False)


def test_a_step_with_infinite_gradients_is_not_taken(tmp_path: Path) -> None:
    run = session(tmp_path, with_train(steps=2, validate_every=0, clip_norm=0.0))
    weight = next(iter(run.segmenter.trainable()["head"]))
    before, told = weight.detach().clone(), []
    weight.register_hook(
        lambda gradient: gradient * (told.append(1) or (math.inf, 1)[len(told) - 1])
    )
    run.fit(resume=False)
    skipped = [row for row in rows(tmp_path) if "skipped" in row]
    assert [(row["step"], row["skipped"][:4]) for row in skipped] == [(1, "loss")]
    assert "gradient norm" in skipped[0]["skipped"]
    assert len(skipped[0]["samples"]) == 2
    assert weight.isfinite().all()
    assert not torch.equal(weight, before)  # the second step was taken


def test_ranks_share_the_crops_of_one_process() -> None:
    alone = [*crop_numbers(with_train(batch_size=4), start=2)]
    ranks = [[*crop_numbers(TINY, start=2, rank=rank, world=2)] for rank in (0, 1)]
    assert [a + b for a, b in zip(*ranks, strict=True)] == alone
    assert alone[0] == [8, 9, 10, 11]


def test_workers_leave_ctrl_c_to_the_run(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, data=dataclasses.replace(TINY.data, num_workers=1))
    drawn = batches(session(tmp_path, config).run, 0)
    first = next(drawn)
    (worker,) = multiprocessing.active_children()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(int(worker.pid or 0), number)
    others = [first, *drawn]
    alone = [*batches(session(tmp_path, TINY).run, 0)]
    assert len(others) == TINY.train.steps
    assert [each.ids for each in others] == [each.ids for each in alone]


def test_empty_validation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="validation split"):
        prepare(TINY, bars(1), [], folder=tmp_path, classes=("bar",), console=Console())


def test_threshold_is_the_one_with_the_highest_f1() -> None:
    positives, negatives = np.zeros(256, np.int64), np.zeros(256, np.int64)
    positives[200], positives[120], negatives[100], negatives[10] = 60, 30, 50, 900
    found = choose(ThresholdCounts(positives, negatives), step=4)
    assert 100 < found.threshold * 255 <= 120
    assert (found.precision, found.recall, found.iou) == (1.0, 1.0, 1.0)


def test_class_balance_names_the_values_seen() -> None:
    assert class_balance(bars(3)) == {0: pytest.approx(74 / 80), 1: pytest.approx(6 / 80)}


def test_crops_may_be_smaller_than_the_window_that_looks(tmp_path):
    data = dataclasses.replace(TINY.data, crop=(32, 48))
    run = session(tmp_path, dataclasses.replace(TINY, data=data))
    assert run.run.drawer.draw(0).target.shape == (32, 48)
    assert run.validator.predictor.window == TINY.model.window
    assert run.fit(resume=False).step == TINY.train.steps
    assert load_checkpoint(tmp_path)[0].config.window == TINY.model.window
