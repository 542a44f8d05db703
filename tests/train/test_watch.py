"""Validations choose, end a run, and are doubted aloud."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.train.session import CHECKPOINT, Session, prepare
from sam_crack.train.validate import Validation
from sam_crack.train.watch import LONELY, Watch
from tests.train.tiny_run import TINY, bars, session, with_train


def found(step: int, f1: float, **changes: float) -> Validation:
    values = {"threshold": 0.5, "iou": f1, "precision": f1, "recall": f1} | changes
    return Validation(step=step, f1=f1, **values)


def test_doubts_are_said_in_words() -> None:
    watch = Watch(0)
    watch.improved(found(1, 0.0))
    assert "not one pixel of foreground" in watch.doubts(found(1, 0.0))[0]
    assert "not one pixel was given its class" in watch.doubts(found(1, 1.0, miou=0.0))[0]
    assert "no pixel is given more than 5%" in watch.doubts(found(1, 0.1, highest=0.05))[0]
    assert "95% of all pixels" in watch.doubts(found(1, 0.1, share=0.95))[0]
    assert watch.doubts(found(1, 0.4, highest=0.9, share=0.1)) == []


def test_threshold_at_its_edge_is_said_the_second_time() -> None:
    watch = Watch(0)
    said = []
    for step in (1, 2):
        watch.improved(at := found(step, 0.3, threshold=1 / 255))
        said.append(watch.doubts(at))
    assert said[0] == []
    assert "at its edge, 0.004, for 2 validations" in said[1][0]


def test_batches_without_foreground_are_said_once() -> None:
    watch = Watch(0)
    said = [watch.batch(0.0) for _ in range(2 * LONELY)]
    assert [line is not None for line in said].index(True) == LONELY - 1
    assert sum(line is not None for line in said) == 1


@pytest.mark.parametrize(
    ("logit", "words"),
    [(-20.0, "not one pixel of foreground was found"), (-4.0, "no pixel is given more than 2%")],
)
def test_a_run_that_finds_nothing_says_so_in_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logit: float,
    words: str,
) -> None:
    monkeypatch.setattr("sam_crack.train.watch.LONELY", 3)
    empty = [dataclasses.replace(one, mask=one.mask * 0) for one in bars(3)]
    quiet = Console(quiet=True, no_progress=True)
    run = prepare(TINY, empty, bars(1), folder=tmp_path, classes=("bar",), console=quiet)
    run.validator.predictor.segmenter = lambda x: torch.full((len(x), 1, 32, 32), logit)
    run.fit(resume=False)
    said = capsys.readouterr().err
    assert said.count("3 steps in a row without one pixel of foreground") == 1
    assert f"validation at step 3: {words}" in said


def test_training_ends_when_nothing_gets_better(tmp_path: Path) -> None:
    config = with_train(steps=20, validate_every=1, patience=2, save_every=0)
    run = session(tmp_path, config).run
    scores = iter([0.3, 0.5, 0.4, 0.5, 0.9])
    run = dataclasses.replace(run, validate=lambda step: found(step, next(scores)))
    result = Session(run=run, validator=None, segmenter=run.segmenter).fit(resume=False)  # type: ignore[arg-type]
    assert (result.step, result.best.step if result.best else 0) == (4, 2)
    again = session(tmp_path, config).fit(resume=True)
    assert (again.step, again.best.step if again.best else 0) == (4, 2)


def test_a_best_that_is_lost_is_no_reason_to_go_on() -> None:
    watch = Watch(2)
    for step, f1 in enumerate((0.5, 0.4, 0.4), 1):
        watch.improved(found(step, f1))
    watch.forget_best()
    assert watch.owed
    assert watch.improved(found(3, 0.4))
    assert watch.lost_patience
    assert not watch.owed


def test_share_of_foreground_is_recorded(tmp_path: Path) -> None:
    session(tmp_path).fit(resume=False)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    shares = [row["foreground"] for row in rows if "foreground" in row]
    assert len(shares) == 6
    assert 0.02 < float(np.mean(shares)) < 0.3


def test_several_classes_are_scored_by_their_mean_iou(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = []
    for number in range(3):
        image = rng.integers(60, 90, (64, 64, 3), dtype=np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        mask[8:20], mask[36:50] = 1, 2
        image[mask == 1] += 100
        image[mask == 2, 0] += 150
        ignore = np.zeros((64, 64), np.bool_)
        ignore[:, 60:] = True
        samples.append(Sample(id=f"two-{number}", image=image, mask=mask, ignore=ignore))
    head = dataclasses.replace(TINY.model.head, num_classes=2)
    config = with_train(steps=40, lr=5e-3, head_lr=2e-2, validate_every=0)
    config = dataclasses.replace(config, model=dataclasses.replace(TINY.model, head=head))
    quiet = Console(quiet=True, no_progress=True)
    run = prepare(config, samples, samples, folder=tmp_path, classes=("a", "b"), console=quiet)
    best = run.fit(resume=False).best
    assert best is not None
    said = run.validator.predictor.frame(samples[0].image).classes
    assert said is not None
    keep = ~samples[0].ignore  # type: ignore[operator]
    truth = samples[0].mask
    ious = [
        ((said == k) & (truth == k) & keep).sum() / (((said == k) | (truth == k)) & keep).sum()
        for k in (1, 2)
    ]
    assert best.miou == pytest.approx(np.mean(ious), abs=0.1)
    assert best.miou > 0.3
    assert best.score == best.miou
    _, meta = load_checkpoint(tmp_path / CHECKPOINT)
    assert meta.metrics["val_miou"] == best.miou
