"""Features that were computed once teach a head the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.train import state
from sam_crack.train.session import Session
from tests.train.tiny_run import TINY, session, with_train


def final(folder: Path) -> state.State:
    saved = state.load_latest(folder / "state", Console())
    assert saved is not None
    return saved


def losses_of(run: Session) -> list[object]:
    return [row["loss"] for row in run.fit(resume=False).history if "loss" in row]


def head_only(cache_crops: int, **changes: object) -> RunConfig:
    adapter = dataclasses.replace(TINY.model.adapter, method="head_only")
    train = with_train(cache_crops=cache_crops, **changes)
    return dataclasses.replace(train, model=dataclasses.replace(TINY.model, adapter=adapter))


@pytest.mark.parametrize("kind", ["pyramid", "sam", "hires"])
def test_cached_features_teach_the_same(tmp_path: Path, kind: str) -> None:
    def run(cache_crops: int) -> list[object]:
        config = head_only(cache_crops, validate_every=0)
        model = dataclasses.replace(
            config.model, head=dataclasses.replace(TINY.model.head, kind=kind)
        )
        return losses_of(
            session(tmp_path / str(cache_crops), dataclasses.replace(config, model=model))
        )

    # 12 crops in 6 steps of 2: with room for all, the cache changes nothing but the rounding.
    torch.testing.assert_close(torch.tensor(run(12)), torch.tensor(run(0)), rtol=0, atol=2e-3)


def test_cached_run_resumes_exactly_and_encodes_once(tmp_path: Path) -> None:
    config = head_only(4)
    session(tmp_path / "a", config).fit(resume=False)
    run = session(tmp_path / "b", config)
    seen = []
    run.segmenter.encoder.register_forward_hook(lambda *_: seen.append(run.segmenter.training))
    run.fit(resume=False)
    assert sum(seen) == 4
    newest = tmp_path / "b" / "state" / "step-00000006"
    newest.rename(newest.with_name("gone"))
    session(tmp_path / "b", config).fit(resume=True)
    one, other = final(tmp_path / "a"), final(tmp_path / "b")
    assert all(torch.equal(value, other.trainable[name]) for name, value in one.trainable.items())


def test_cache_is_refused_where_the_encoder_learns(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cache_crops: 4 with adapter lora"):
        session(tmp_path, with_train(cache_crops=4)).fit(resume=False)
