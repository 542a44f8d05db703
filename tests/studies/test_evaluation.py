"""An evaluation that can be believed: checked by giving it answers that are known."""

import csv
import dataclasses
import json
import os
import socket
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from sam_crack.console import Console
from sam_crack.data.dataset import open_dataset
from sam_crack.errors import BadInput
from sam_crack.measure.tally import LOWER_IS_BETTER
from sam_crack.studies import scoring
from sam_crack.studies.evaluation import page as evaluation_page
from sam_crack.train.state import FolderLock
from tests.studies.tiny_road import write_checkpoint, write_road
from tests.studies.tiny_transfers import write_cpm17

QUIET = Console(quiet=True, no_progress=True)


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    return write_road(tmp_path_factory.mktemp("road"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model") / "tiny", threshold=0.42)


@pytest.fixture
def evaluate(run_cli, checkpoint, road, tmp_path):
    def run(*args, root=road, out="out"):
        line = ["evaluate", checkpoint, "--data", "dnit", "--root", root, "--out", tmp_path / out]
        code, stdout, err = run_cli(*line, "--resamples", 50, *args, "--json")
        return code, json.loads(stdout), err

    return run


def answer(probs):
    """A model that gives prepared answers, frame by frame."""
    waiting = iter(probs)
    return SimpleNamespace(
        threshold=0.5, frame=lambda _: SimpleNamespace(prob=next(waiting).astype(np.uint8))
    )


def scored(road, probs, **changes):
    samples = changes.get("samples") or open_dataset("dnit", road, split="test", classes=("crack",))
    return scoring.score_frames(
        answer(probs),
        samples,
        range(len(samples)),
        empty=changes.get("empty", "skip"),
        model={"threshold": 0.5},
        console=QUIET,
    )


@pytest.fixture
def truths(road):
    return [sample.mask for sample in open_dataset("dnit", road, split="test", classes=("crack",))]


def test_perfect_masks_score_one_everywhere(road, truths):
    one = scored(road, [truth * 255 for truth in truths])
    for name, value in one.scores().items():
        assert value == pytest.approx(0.0 if name.startswith(LOWER_IS_BETTER) else 1.0), name
    for name, found in scoring.intervals(one, resamples=50).items():
        assert found is None or found.low == pytest.approx(found.high), name


def test_silence_earns_nothing(road, truths):
    silent = scored(road, [truth * 0 for truth in truths], empty="one").scores()
    share = np.mean([truth.mean() for truth in truths])
    assert silent["iou_pooled"] == silent["cldice_pooled"] == silent["bf1@2px_pooled"] == 0
    assert silent["iou_per_image"] == pytest.approx(1 / 8)  # of the one frame that is empty
    assert silent["ap"] == pytest.approx(share)
    without = scored(road, [truth * 0 for truth in truths]).scores()
    assert without["iou_per_image"] == 0


def test_answers_to_other_frames_score_by_chance(road, truths):
    rng = np.random.default_rng(1)
    wrong = [rng.permuted(truth.ravel()).reshape(truth.shape) * 255 for truth in truths]
    found, share = scored(road, wrong).scores(), np.mean([truth.mean() for truth in truths])
    assert found["ap"] == pytest.approx(share, abs=0.01)
    assert found["iou_pooled"] == pytest.approx(share / (2 - share), abs=0.01)


def test_the_checkpoint_alone_decides_the_threshold(evaluate, tmp_path):
    # The same pictures with other truth: what is found must not move.
    other = write_road(tmp_path / "other")
    for mask in other.rglob("*_CRACK.png"):
        mask.write_bytes(next(other.rglob("*_CRACK.png")).read_bytes())
    found = []
    for name, root in (("one", None), ("two", other)):
        code, result, _ = evaluate(out=name, **({"root": root} if root else {}))
        assert (code, result["model"]["threshold"]) == (0, 0.42)
        with (tmp_path / name / "images.csv").open() as file:
            found.append([row["found_px"] for row in csv.DictReader(file)])
    assert found[0] == found[1]


def test_lists_of_ones_own_say_which_frames_a_split_has(evaluate, road, tmp_path):
    names = (road / "test.txt").read_text().split()
    for lists, listed in (("three", names[2:5]), ("none", [])):
        (tmp_path / lists).mkdir()
        (tmp_path / lists / "test.txt").write_text("".join(f"{name}\n" for name in listed))
    _, result, err = evaluate("--lists", tmp_path / "three")
    assert (result["data"]["frames"], result["data"]["own_lists"]) == (3, True)
    assert "test: 3 of 3 frames" in err
    with (tmp_path / "out" / "images.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == names[2:5]
    code, _, err = evaluate("--lists", tmp_path / "gone", out="gone")
    assert (code, "no test.txt in it" in err) == (3, True), err
    code, _, err = evaluate("--lists", tmp_path / "none", out="none")
    assert (code, "no frame in split test" in err) == (3, True), err
    code, _, err = evaluate("--lists", tmp_path / "three", "--split", "none", out="whole")
    assert (code, "beside --split none" in err) == (2, True), err


def test_lists_that_a_published_split_would_win_over_are_refused(evaluate, tmp_path):
    root, lists = write_cpm17(tmp_path / "cpm17"), tmp_path / "lists"
    lists.mkdir()
    (lists / "test.txt").write_text("image_00\n")
    given = ("--data", "cpm17", "--classes", "nucleus", "--lists", lists)
    code, _, err = evaluate(*given, root=root)
    assert (code, "published splits win over them" in err) == (2, True), err


def test_a_baseline_whose_counts_are_gone_is_named(evaluate, tmp_path):
    assert evaluate(out="kept")[0] == 0
    (tmp_path / "kept" / "counts.npz").unlink()
    code, _, err = evaluate("--baseline", tmp_path / "kept")
    assert (code, "kept has no counts.npz" in err) == (3, True), err


def test_the_folder_is_taken_before_anything_is_scored(evaluate, tmp_path, monkeypatch):
    scored = Mock(side_effect=AssertionError)
    monkeypatch.setattr("sam_crack.studies.evaluation.verb.score_frames", scored)
    with FolderLock(tmp_path / "out"):
        code, _, err = evaluate()
    assert (code, scored.called) == (2, False)
    assert "another run is writing here" in err


def test_the_folder_holds_every_figure(evaluate, tmp_path):
    code, result, _ = evaluate()
    kept = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert code == 0
    assert kept["scores"] == result["scores"]
    assert kept["data"]["frames"] == 8
    assert kept["data"]["frames_with_truth"] == 7
    assert kept["bootstrap"] | {"seed": 0} == {
        "unit": "group",
        "groups": 4,
        "resamples": 50,
        "level": 0.95,
        "seed": 0,
    }
    again = scoring.load_scored(tmp_path / "out").scores()
    assert again == {name: one["value"] for name, one in kept["scores"].items()}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Worst frames by IoU" in page
    assert "left out of means" in page
    assert str(tmp_path) not in json.dumps(kept)


def test_evaluating_twice_gives_the_same_bytes(evaluate, tmp_path):
    for name in ("one", "two"):
        evaluate(out=name)
    for name in ("metrics.json", "images.csv", "precision-recall.png", "reliability.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_model_does_not_differ_from_itself(evaluate, checkpoint):
    _, result, _ = evaluate("--baseline", checkpoint)
    for name, gap in result["baseline"]["differences"].items():
        assert gap["value"] in (0.0, None), name
        assert {gap["low"], gap["high"]} <= {0.0, None}, name


def test_a_baseline_may_be_its_evaluation(evaluate, checkpoint, run_cli, road, tmp_path):
    other = write_checkpoint(tmp_path / "other", seed=3, threshold=0.1)
    run_cli("evaluate", other, "--data", "dnit", "--root", road, "--out", tmp_path / "kept")
    results = [
        evaluate("--baseline", baseline, out=name)[1]["baseline"]
        for name, baseline in (("live", other), ("read", tmp_path / "kept"))
    ]
    assert results[0] == results[1]
    assert any(gap["value"] for gap in results[0]["differences"].values())


def test_paired_differences_are_tighter_than_the_scores(road, truths):
    rng = np.random.default_rng(0)
    shares = (1, 1, 0.4, 0.4, 0.7, 0.7, 0.2, 0.2)
    probs = [t * 255 * (rng.random(t.shape) < s) for t, s in zip(truths, shares, strict=True)]
    good = scored(road, probs)
    worse = scored(road, [prob * (rng.random(prob.shape) < 0.9) for prob in probs])
    gap, within = scoring.differences(good, worse, resamples=300)["iou_pooled"]
    alone = scoring.intervals(good, resamples=300)["iou_pooled"]
    assert gap == pytest.approx(good.scores()["iou_pooled"] - worse.scores()["iou_pooled"])
    assert 0 < within.low <= gap <= within.high
    assert within.high - within.low < (alone.high - alone.low) / 3


def test_scores_of_other_frames_are_not_compared(road, truths, tmp_path):
    one = scored(road, truths)
    short = open_dataset("dnit", road, split="test", classes=("crack",))[:5]
    two = scored(road, truths, samples=short)
    with pytest.raises(BadInput, match="5 of its ids are among these 8"):
        scoring.differences(one, two, resamples=0)
    with pytest.raises(BadInput, match="policy"):
        scoring.differences(one, scored(road, truths, empty="one"), resamples=0)
    apart = dataclasses.replace(
        one, frames=tuple(dataclasses.replace(frame, group=frame.id) for frame in one.frames)
    )
    with pytest.raises(BadInput, match="in other groups"):
        scoring.differences(one, apart, resamples=0)


def test_damaged_counts_are_named(road, truths, tmp_path):
    scoring.save_scored(scored(road, truths), tmp_path)
    whole = (tmp_path / scoring.COUNTS).read_bytes()
    assert len(scoring.load_scored(tmp_path).frames) == len(truths)
    flipped = bytearray(whole)
    flipped[100] ^= 255
    for damaged in (b"PK nothing", b"", whole[: len(whole) // 2], whole[:-30], bytes(flipped)):
        (tmp_path / scoring.COUNTS).write_bytes(damaged)
        with pytest.raises(BadInput, match="not the counts"):
            scoring.load_scored(tmp_path)


def test_limit_takes_evenly_spaced_frames(evaluate, tmp_path):
    _, result, _ = evaluate("--limit", 3)
    with (tmp_path / "out" / "images.csv").open() as file:
        ids = [row["id"].split("_")[0] for row in csv.DictReader(file)]
    assert ids == ["100", "104", "107"]
    assert result["data"]["limited_to"] == 3


def test_best_median_and_worst_are_shown_once(road, truths):
    shares = (0.0, 0.9, 0.1, 0.5, 1.0, 0.3, 0.7, 0.0)
    rng = np.random.default_rng(0)
    probs = [t * 255 * (rng.random(t.shape) < s) for t, s in zip(truths, shares, strict=True)]
    picked = evaluation_page.pick_frames(scored(road, probs))
    assert [frame.index for frame in picked["Worst"]] == [0, 2, 5]
    assert [frame.index for frame in picked["Best"]] == [4, 1, 6]
    assert [frame.index for frame in picked["Median"]] == [3]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--split", "tset"), "--split tset; train, val or test; none"),
        (("--classes", "crak"), "--classes: class 'crak' of dnit"),
        (("--road", "left"), "road"),
        (("--baseline", "nowhere"), "--baseline: nowhere"),
        (("--empty", "none"), "skip"),
    ],
)
def test_mistakes_are_named(evaluate, args, says):
    code, result, _ = evaluate(*args)
    assert code in (2, 3, 4)
    assert says in result["error"]


def test_an_evaluation_is_not_overwritten_by_accident(evaluate, run_cli, checkpoint, tmp_path):
    evaluate()
    code, result, _ = evaluate()
    assert code == 2
    assert "--overwrite" in result["error"]
    assert evaluate("--overwrite")[0] == 0
    assert run_cli("evaluate", checkpoint, "--data", "dnit")[0] == 2  # no --root


def test_two_processes_equal_one(evaluate, checkpoint, road, tmp_path):
    assert evaluate(out="one")[0] == 0
    launch = ["torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}", "-m"]
    given = ["sam_crack", "evaluate", checkpoint, "--data", "dnit", "--root", road]
    line = [sys.executable, "-m", *launch, *given, "--resamples", 50, "--out", tmp_path / "two"]
    env = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [str(word) for word in line], env=env, capture_output=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    for name in ("metrics.json", "images.csv", "counts.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_scale_is_found_without_labels_and_kept_beside_the_scores(evaluate, tmp_path):
    code, _, err = evaluate("--scale", "auto")
    assert code == 0
    facts = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["model"]["scale"]
    assert facts["asked"] == "auto"
    assert len(facts["frames"]) == 8  # all there are: it looks at twelve at the most
    assert f"scale {facts['factor']:.3g}: " in err
    assert " 8 frames" in err.split("scale ", 1)[1]


def test_another_scale_gives_other_scores(evaluate):
    native, half = evaluate(out="one")[1], evaluate("--scale", "0.5", out="half")[1]
    assert native["scores"] != half["scores"]
