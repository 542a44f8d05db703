"""What a run may be asked for besides: a mean of weights, recomputing, other launchers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from accelerate import DistributedType
from torch import nn

from sam_crack.console import Console
from sam_crack.errors import BadInput, UsageError
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.train import state
from sam_crack.train.average import Average
from sam_crack.train.kept import Kept, save, take_up
from sam_crack.train.memory import too_small
from sam_crack.train.optim import make_optimizer
from sam_crack.train.session import CHECKPOINT, Session
from tests.train.tiny_run import TINY, session, with_train


def final(folder: Path) -> state.State:
    saved = state.load_latest(folder / "state", Console())
    assert saved is not None
    return saved


def losses_of(run: Session) -> list[object]:
    return [row["loss"] for row in run.fit(resume=False).history if "loss" in row]


def test_average_is_the_weighted_mean_of_the_steps() -> None:
    layer = nn.Linear(1, 1, bias=False)
    average = Average(layer, 0.5)
    layer.weight.data.fill_(0.0)
    average.means["weight"].fill_(0.0)
    for step, value in ((100, 1.0), (101, 3.0)):
        layer.weight.data.fill_(value)
        average.after_step(step)
    assert average.means["weight"].item() == pytest.approx(0.5 * 0.5 * 1 + 0.5 * 3)
    with average.applied():
        assert layer.weight.item() == pytest.approx(1.75)
    assert layer.weight.item() == 3.0
    assert average.means["weight"].item() == pytest.approx(1.75)


def test_early_means_follow_closely() -> None:
    layer = nn.Linear(1, 1, bias=False)
    average = Average(layer, 0.999)
    layer.weight.data.fill_(7.0)
    average.means["weight"].fill_(0.0)
    average.after_step(1)
    assert average.means["weight"].item() == pytest.approx(7 * 0.9)


def test_running_mean_is_validated_kept_and_resumed_exactly(tmp_path: Path) -> None:
    config = with_train(ema=0.9)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    best = session(whole, config).fit(resume=False).best
    session(broken, config).fit(resume=False)
    newest = broken / "state" / "step-00000006"
    newest.rename(newest.with_name("gone"))
    session(broken, config).fit(resume=True)
    one, other = final(whole), final(broken)
    assert one.average
    assert all(torch.equal(mean, other.average[name]) for name, mean in one.average.items())
    assert all(torch.equal(value, other.trainable[name]) for name, value in one.trainable.items())
    segmenter, meta = load_checkpoint(whole / CHECKPOINT)
    assert best is not None
    if meta.steps == 6:
        kept = dict(segmenter.named_parameters())
        assert all(torch.equal(mean, kept[name]) for name, mean in one.average.items())


@pytest.mark.parametrize("method", ["lora", "bottleneck", "full"])
def test_recomputing_changes_no_number(tmp_path: Path, method: str) -> None:
    def run(recompute: bool) -> list[object]:
        config = with_train(steps=3, recompute=recompute, validate_every=0)
        adapter = dataclasses.replace(TINY.model.adapter, method=method)
        model = dataclasses.replace(TINY.model, adapter=adapter)
        return losses_of(
            session(tmp_path / str(recompute), dataclasses.replace(config, model=model))
        )

    assert run(True) == run(False)


def test_recomputing_keeps_fewer_activations(tmp_path: Path) -> None:
    def kept_bytes(recompute: bool) -> int:
        run = session(tmp_path, with_train(recompute=recompute))
        weights = {p.untyped_storage().data_ptr() for p in run.segmenter.parameters()}
        alive: list[torch.Tensor] = []

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            alive.append(tensor)
            return tensor

        run.segmenter.train()
        tokens = torch.randn(4, 4, 4, 32, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            run.segmenter.encoder.blocks[1](tokens).sum()  # type: ignore[index]
        storages = {t.untyped_storage().data_ptr(): t.untyped_storage() for t in alive}
        return sum(each.nbytes() for ptr, each in storages.items() if ptr not in weights)

    assert kept_bytes(True) < 0.2 * kept_bytes(False)


def test_compile_is_asked_for_each_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[nn.Module] = []
    # A method, which a bare list.append would not become.
    monkeypatch.setattr(nn.Module, "compile", lambda self: asked.append(self))  # noqa: PLW0108
    run = session(tmp_path, with_train(compile=True))
    assert asked == [*run.segmenter.encoder.blocks]  # type: ignore[arg-type]


def test_another_data_set_is_refused_unless_allowed(tmp_path: Path) -> None:
    session(tmp_path).fit(resume=False)
    run = dataclasses.replace(session(tmp_path).run, data_hash="other")
    other = Session(run=run, validator=None, segmenter=run.segmenter)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"another set of samples.*allow-changes"):
        other.fit(resume=True)
    allowed = dataclasses.replace(other, run=dataclasses.replace(run, allow_changes=True))
    assert allowed.fit(resume=True).step == 6


@pytest.mark.parametrize("batch_size", [1, 2])
def test_crops_of_a_step_are_counted_over_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    session(tmp_path).fit(resume=False)
    run = session(tmp_path, with_train(batch_size=batch_size)).run
    monkeypatch.setattr(type(run.accelerator), "num_processes", 2)
    kept = Kept(run, make_optimizer(run.segmenter.trainable(), run.config.train))
    if batch_size == 1:
        assert take_up(run, kept) == 6
        return
    with pytest.raises(UsageError, match=r"crops per step .* processes\): 2, not 4"):
        take_up(run, kept)
    assert take_up(dataclasses.replace(run, allow_changes=True), kept) == 6


def test_crops_of_a_step_may_be_shared_out_otherwise(tmp_path: Path) -> None:
    session(tmp_path).fit(resume=False)
    again = session(tmp_path, with_train(batch_size=1, accumulate=2, recompute=True))
    assert again.fit(resume=True).step == 6


def test_a_mean_may_begin_in_mid_run(tmp_path: Path) -> None:
    session(tmp_path).fit(resume=False)
    other = session(tmp_path, with_train(ema=0.9)).with_run(allow_changes=True)
    kept = Kept(other.run, make_optimizer(other.segmenter.trainable(), other.run.config.train))
    take_up(other.run, kept)
    weights = dict(other.segmenter.named_parameters())
    assert all(torch.equal(mean, weights[name]) for name, mean in kept.average.means.items())


@pytest.mark.parametrize(("before", "after"), [("sgd", "adamw"), ("adamw", "sgd")])
def test_another_optimiser_begins_without_moments(
    tmp_path: Path, before: str, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session(tmp_path, with_train(steps=2, optimiser=before)).fit(resume=False)
    other = session(tmp_path, with_train(steps=4, optimiser=after)).with_run(allow_changes=True)
    assert other.fit(resume=True).step == 4
    assert "without its moments" in capsys.readouterr().err


def test_a_model_of_other_shapes_is_refused_in_words(tmp_path: Path) -> None:
    session(tmp_path).fit(resume=False)
    adapter = dataclasses.replace(TINY.model.adapter, rank=4)
    config = dataclasses.replace(TINY, model=dataclasses.replace(TINY.model, adapter=adapter))
    with pytest.raises(UsageError, match=r"differ in \d+ tensors, first .* \(8 x 32, not 4 x 32\)"):
        session(tmp_path, config).with_run(allow_changes=True).fit(resume=True)


def test_out_of_memory_says_what_to_change(tmp_path: Path) -> None:
    run = session(tmp_path)

    def too_much(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    run.segmenter.head.forward = too_much  # type: ignore[method-assign, assignment]
    words = r"2 crops of 64x64 px.*each needs .*batch_size 1 --train.accumulate 2.*recompute true"
    with pytest.raises(BadInput, match=words):
        run.fit(resume=False)


def test_estimate_counts_only_what_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sam_crack.train.memory.peak_bytes", lambda device: 10 * 10**9)
    error = too_small(TINY, torch.device("cpu"), at_rest=4 * 10**9)
    assert "4.0 GB are taken before the first crop, each needs 3.00 GB" in str(error)


def test_first_steps_tell_time_and_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = session(tmp_path)
    talking = dataclasses.replace(run.run, console=Console(no_progress=True))
    dataclasses.replace(run, run=talking).fit(resume=False)
    assert "for the other 1 steps at" in (said := capsys.readouterr().out)
    assert "peak memory" in said


def as_type(run: Session, kind: DistributedType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(run.run.accelerator), "distributed_type", kind)


def test_deepspeed_keeps_the_best_but_refuses_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = session(tmp_path)
    as_type(run, DistributedType.DEEPSPEED, monkeypatch)
    kept = Kept(run.run, torch.optim.AdamW(run.segmenter.head.parameters()))
    save(run.run, kept, 3)
    assert "no state is saved under DeepSpeed" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()
    with pytest.raises(UsageError, match=r"fsdp2.yaml, which shards as much and resumes"):
        take_up(run.run, kept)


def test_two_number_formats_are_not_sharded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_type(session(tmp_path), DistributedType.FSDP, monkeypatch)
    backbone = dataclasses.replace(TINY.model.backbone, precision="bf16")
    model = dataclasses.replace(TINY.model, backbone=backbone)
    with pytest.raises(UsageError, match="bf16 with FSDP"):
        session(tmp_path, dataclasses.replace(TINY, model=model))
