"""What a run may be asked for besides: a mean of weights, patience, recomputing, words of doubt."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput, UsageError
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.train import state
from sam_crack.train.average import Average
from sam_crack.train.memory import too_small
from sam_crack.train.session import CHECKPOINT, Session, prepare
from sam_crack.train.trackers import Tracker
from sam_crack.train.validate import Validation
from sam_crack.train.watch import LONELY, Watch
from tests.train.tiny_run import TINY, session, with_train


def found(step: int, f1: float, **changes: float) -> Validation:
    values = {"threshold": 0.5, "iou": f1, "precision": f1, "recall": f1} | changes
    return Validation(step=step, f1=f1, **values)


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


def test_training_ends_when_nothing_gets_better(tmp_path: Path) -> None:
    config = with_train(steps=20, validate_every=1, patience=2, save_every=0)
    run = session(tmp_path, config).run
    scores = iter([0.3, 0.5, 0.4, 0.5, 0.9])
    run = dataclasses.replace(run, validate=lambda step: found(step, next(scores)))
    result = Session(run=run, validator=None, segmenter=run.segmenter).fit(resume=False)  # type: ignore[arg-type]
    assert (result.step, result.best.step if result.best else 0) == (4, 2)
    again = session(tmp_path, config).fit(resume=True)
    assert (again.step, again.best.step if again.best else 0) == (4, 2)


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


def test_doubts_are_said_in_words() -> None:
    watch = Watch(0)
    watch.improved(found(1, 0.0))
    assert "not one pixel" in watch.doubts(found(1, 0.0))[0]
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


def test_share_of_foreground_is_recorded(tmp_path: Path) -> None:
    session(tmp_path).fit(resume=False)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    shares = [row["foreground"] for row in rows if "foreground" in row]
    assert len(shares) == 6
    assert 0.02 < float(np.mean(shares)) < 0.3


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
    config = with_train(steps=80, lr=5e-3, head_lr=2e-2, validate_every=0)
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
    assert best.miou > 0.6
    assert best.score == best.miou
    _, meta = load_checkpoint(tmp_path / CHECKPOINT)
    assert meta.metrics["val_miou"] == best.miou
