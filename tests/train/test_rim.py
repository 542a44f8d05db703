"""A head with a channel for borders: taught, validated, kept, and passed on by the predictor."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.data.rims import rims
from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Prediction
from sam_crack.measure.metrics import f1
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.train.losses import LOSSES, weighted_sum
from sam_crack.train.session import CHECKPOINT, Session, prepare
from sam_crack.train.validate import HALF, Tally
from tests.train.tiny_run import TINY, bars, with_train

BORDERS = {"bce": 1.0, "dice": 1.0, "rim": 1.0}


def pairs(count: int) -> list[Sample]:
    """Bright blocks in pairs that touch; each is one instance, with a dark rim."""
    rng = np.random.default_rng(0)
    samples = []
    for number in range(count):
        image = rng.integers(60, 90, (80, 96, 3), dtype=np.uint8)
        instances = np.zeros((80, 96), np.int32)
        for row in (8, 44):
            left = int(rng.integers(4, 30))
            instances[row : row + 24, left : left + 24] = instances.max() + 1
            instances[row : row + 24, left + 24 : left + 48] = instances.max() + 1
        image[instances > 0] += 120
        image[rims(instances)] -= 60
        mask = (instances > 0).astype(np.uint8)
        samples.append(Sample(id=f"pair-{number}", image=image, mask=mask, instances=instances))
    return samples


def with_borders(config: RunConfig, **head: object) -> RunConfig:
    head = dataclasses.replace(config.model.head, boundary=True, **head)
    return dataclasses.replace(config, model=dataclasses.replace(config.model, head=head))


def start(folder: Path, config: RunConfig, samples: list[Sample] | None = None) -> Session:
    samples = pairs(3) if samples is None else samples
    quiet = Console(quiet=True, no_progress=True)
    names = tuple("abc"[: config.model.head.num_classes])
    return prepare(config, samples, samples, folder=folder, classes=names, console=quiet)


def test_borders_are_learnt_kept_and_passed_on(tmp_path: Path) -> None:
    config = with_train(steps=60, lr=5e-3, head_lr=2e-2, validate_every=0, losses=BORDERS)
    run = start(tmp_path, with_borders(config))
    before = run.validator(0)
    best = run.fit(resume=False).best
    assert before is not None
    assert best is not None
    assert best.rim_f1 > max(0.5, before.rim_f1 + 0.3)
    assert best.f1 > 0.8
    segmenter, meta = load_checkpoint(tmp_path / CHECKPOINT)
    assert meta.metrics["val_rim_f1"] == best.rim_f1
    look = Predictor(segmenter, window=(64, 64), stride=segmenter.stride, rim=True)
    sample = pairs(1)[0]
    said = look.frame(sample.image)
    assert said.classes is None  # the channel for borders is no class
    truth = rims(sample.instances)
    assert said.rim[truth].mean() > said.rim[~truth].mean() + 80


@pytest.mark.parametrize("kind", ["pyramid", "sam", "hires"])
def test_every_head_learns_borders_beside_several_classes(tmp_path: Path, kind: str) -> None:
    config = with_borders(with_train(steps=2, losses=BORDERS), kind=kind, num_classes=2)
    result = start(tmp_path, config).fit(resume=False)
    assert result.best is not None
    assert result.best.miou is not None
    assert result.best.rim_f1 is not None


def test_cached_features_teach_borders_too(tmp_path: Path) -> None:
    config = with_borders(with_train(steps=2, cache_crops=4, losses=BORDERS))
    adapter = dataclasses.replace(TINY.model.adapter, method="head_only")
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, adapter=adapter))
    assert start(tmp_path, config).fit(resume=False).best.rim_f1 is not None


def test_border_loss_looks_at_the_last_logit_only() -> None:
    torch.manual_seed(0)
    logits, valid = torch.randn(2, 3, 8, 8), torch.rand(2, 8, 8) > 0.2
    target, rim = (torch.rand(2, 8, 8) > 0.5).to(torch.uint8), torch.rand(2, 8, 8) > 0.7
    total = weighted_sum({"bce": 1.0, "rim": 0.5})(logits, target=target, valid=valid, rim=rim)
    border = [LOSSES[name](logits[:, 2:], rim, valid) for name in ("bce", "dice")]
    expected = LOSSES["bce"](logits[:, :2], target, valid) + 0.5 * sum(border)
    torch.testing.assert_close(total, expected)


@pytest.mark.parametrize("boundary", [False, True])
def test_channel_and_loss_go_together(tmp_path: Path, boundary: bool) -> None:
    config = with_borders(TINY) if boundary else with_train(losses=BORDERS)
    with pytest.raises(UsageError, match=r"boundary: (true|false) with.*taught by the loss rim"):
        start(tmp_path, config)


def test_samples_without_instances_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"bar-0: model\.head.boundary without instances"):
        start(tmp_path, with_borders(with_train(losses=BORDERS)), bars(2))


@pytest.mark.parametrize(("factor", "width_px"), [(1, 2), (2, 1), (0.5, 4), (4, 1)])
def test_borders_are_validated_as_wide_as_they_were_taught(factor, width_px):
    sample = pairs(1)[0]
    borders = rims(sample.instances, width_px=width_px)
    said = Prediction(
        prob=sample.mask * 255,
        mask=sample.mask > 0,
        windows=1,
        seconds={},
        rim=borders.astype(np.uint8) * 255,
    )
    tally = Tally.empty(2)
    tally.add(said, sample, None, factor=factor)
    assert f1(tally.borders.at(HALF), empty="zero") == 1
