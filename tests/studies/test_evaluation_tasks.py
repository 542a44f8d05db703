"""The sceptic's checks of scores of classes and of objects: known answers must score as known."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sam_crack.console import Console
from sam_crack.data.dataset import open_dataset
from sam_crack.data.sets.pannuke import tissue_of
from sam_crack.errors import BadInput, UsageError
from sam_crack.measure.tally import LOWER_IS_BETTER
from sam_crack.studies import scoring
from sam_crack.studies.evaluation import page as evaluation_page
from sam_crack.studies.evaluation.tasks import Ruler, choose_ruler
from tests.data.sets.fake_medical import write_pannuke
from tests.studies.test_evaluation import free_port
from tests.studies.tiny_tissue import TYPES, write_tissue, write_typed_checkpoint

QUIET = Console(quiet=True, no_progress=True)
CLASSES, OBJECTS = Ruler(task="classes", classes=TYPES), Ruler(task="instances", classes=TYPES)


@pytest.fixture(scope="module")
def tissue(tmp_path_factory):
    return write_tissue(tmp_path_factory.mktemp("tissue"))


@pytest.fixture(scope="module")
def samples(tissue):
    return list(open_dataset("consep", tissue, split="test"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_typed_checkpoint(tmp_path_factory.mktemp("model") / "tiny", threshold=0.37)


@pytest.fixture
def evaluate(run_cli, checkpoint, tissue, tmp_path):
    def run(*args, out="out"):
        line = ["evaluate", checkpoint, "--data", "consep", "--root", tissue]
        line += ["--out", tmp_path / out, "--resamples", 30, *args, "--json"]
        code, stdout, err = run_cli(*line)
        return code, json.loads(stdout), err

    return run


def rim_of(sample):
    """The border pixels of true objects, in which seeds must not lie."""
    there, edge = sample.instances, np.zeros(sample.mask.shape, bool)
    for axis in (0, 1):
        step = np.diff(there, axis=axis) != 0
        before = [slice(None), slice(None)]
        before[axis] = slice(0, -1)
        edge[tuple(before)] |= step
        before[axis] = slice(1, None)
        edge[tuple(before)] |= step
    return (edge & (there > 0)).astype(np.uint8) * 255


def said(sample, classes):
    """What a model says that gives each pixel this class, and the true borders."""
    prob = (classes > 0).astype(np.uint8) * 255
    return SimpleNamespace(prob=prob, classes=classes.astype(np.uint8), rim=rim_of(sample))


def scored(samples, answers, ruler, *, empty="skip"):
    waiting = iter([said(s, a) for s, a in zip(samples, answers, strict=True)])
    model = SimpleNamespace(threshold=0.5, frame=lambda _: next(waiting))
    return scoring.score_frames(
        model,
        samples,
        range(len(samples)),
        empty=empty,
        model={"threshold": 0.5},
        console=QUIET,
        ruler=ruler,
    )


@pytest.mark.parametrize("ruler", [CLASSES, OBJECTS], ids=lambda ruler: ruler.task)
def test_perfect_masks_score_one_everywhere(samples, ruler):
    one = scored(samples, [sample.mask for sample in samples], ruler)
    for name, value in one.scores().items():
        best = 0.0 if name.startswith(LOWER_IS_BETTER) else 1.0
        assert value == pytest.approx(best), name
    for name, found in scoring.intervals(one, resamples=30).items():
        assert found is None or found.low == pytest.approx(found.high), name


@pytest.mark.parametrize("empty", ["skip", "zero"])
@pytest.mark.parametrize("ruler", [CLASSES, OBJECTS], ids=lambda ruler: ruler.task)
def test_silence_earns_nothing(samples, ruler, empty):
    silent = scored(samples, [sample.mask * 0 for sample in samples], ruler, empty=empty)
    names = ("miou_", "iou", "f1", "aji", "pq", "dq", "sq", "bpq", "mpq")  # not miou2_testmax
    own = {name: value for name, value in silent.scores().items() if name.startswith(names)}
    assert len(own) >= 8
    background = own.pop("miou_bg_pooled", 0.0)
    assert set(own.values()) <= {0.0, None}, own
    assert list(own.values()).count(None) <= 1  # sq has no pair to speak of
    assert own[ruler.headlines[0]] == 0
    # The background, which VOC counts as a class, is one of at most five.
    assert background <= 1 / 3


@pytest.mark.parametrize("ruler", [CLASSES, OBJECTS], ids=lambda ruler: ruler.task)
def test_shuffled_pixels_score_by_chance(samples, ruler):
    rng = np.random.default_rng(1)
    wrong = [rng.permuted(s.mask.ravel()).reshape(s.mask.shape) for s in samples]
    found = scored(samples, wrong, ruler).scores()
    share = np.mean([sample.mask[..., None] == np.arange(1, 5) for sample in samples], (0, 1, 2))
    if ruler is CLASSES:
        for name, one in zip(TYPES, share, strict=True):
            assert found[f"iou_pooled[{name}]"] == pytest.approx(one / (2 - one), abs=0.03)
    else:
        assert found["pq_pooled"] < 0.02
        assert found["aji_pooled"] < 0.15


def test_shuffled_types_leave_objects_whole_and_types_at_chance(samples):
    turned = [np.where(s.mask > 0, s.mask % 4 + 1, 0) for s in samples]
    found = scored(samples, turned, OBJECTS).scores()
    assert found["aji_pooled"] == found["pq_pooled"] == found["bpq@pannuke"] == 1
    assert found["mpq_pooled"] == found["mpq@pannuke"] == 0


def test_answers_to_other_frames_are_worth_little(samples):
    mixed = [samples[place].mask for place in (1, 2, 0, 3)]
    for ruler in (CLASSES, OBJECTS):
        found = scored(samples, mixed, ruler).scores()
        assert found[ruler.headlines[0]] < 0.35


def test_false_objects_and_false_classes_cost(samples):
    extra = [sample.mask.copy() for sample in samples]
    extra[-1][10:30, 10:30] = 2  # the frame without a nucleus
    for ruler in (CLASSES, OBJECTS):
        found = scored(samples, extra, ruler).scores()
        assert found[ruler.headlines[0]] < 1
    assert found["pq_per_image"] == pytest.approx(3 / 4)
    assert found["bpq@pannuke"] == 1  # as PanNuke's authors do it, and as the rules say


def test_what_is_ignored_counts_for_nobody(samples):
    one = samples[0]
    number = int(one.instances.max())
    ignored = [replace(one, ignore=one.instances == number)]
    without = [np.where(one.instances == number, 0, one.mask)]
    for ruler in (CLASSES, OBJECTS):
        for answer in ([one.mask], without):
            found = scored(ignored, answer, ruler).scores()
            assert found[ruler.headlines[0]] == pytest.approx(1)


def test_objects_without_a_type_are_found_but_not_typed(samples):
    one = said(samples[0], samples[0].mask)
    one.classes = one.classes * 0
    sums = OBJECTS.count(one, samples[0], threshold=0.5, empty="skip")
    found = OBJECTS.scores(sums, empty="skip")
    assert (found["pq_pooled"], found["mpq_pooled"]) == (1, 0)


def test_the_data_decide_what_is_scored(tissue):
    samples = open_dataset("consep", tissue, split="test")
    assert choose_ruler("auto", samples, TYPES) == OBJECTS
    assert choose_ruler("auto", samples, ("nucleus",)).classes == ()
    assert choose_ruler("classes", samples, TYPES) == CLASSES
    assert choose_ruler("foreground", samples, TYPES) == Ruler()
    with pytest.raises(UsageError, match="at least two classes"):
        choose_ruler("classes", samples, ("nucleus",))


def test_pannuke_is_averaged_over_its_tissues(tmp_path):
    write_pannuke(tmp_path)
    samples = open_dataset("pannuke", tmp_path)
    ruler = choose_ruler("auto", samples, [each.name for each in samples.classes])
    named = sorted({tissue_of(record.id) for record in samples.records})
    assert ruler.tissues == tuple(named)
    assert len(named) > 1
    assert ruler.headlines[:2] == ("bpq@pannuke", "mpq@pannuke")
    sums = ruler.count(said(samples[1], samples[1].mask), samples[1], threshold=0.5, empty="skip")
    row = named.index(tissue_of(samples[1].id))
    assert sums["bpq_tissues"][row].tolist() == [1, 1]
    assert sums["bpq_tissues"].sum() == 2


def test_the_checkpoint_alone_decides_the_threshold(evaluate, checkpoint, tmp_path, run_cli):
    found = []
    for name, seed in (("one", 0), ("two", 5)):
        other = write_tissue(tmp_path / name, seed=0)
        if seed:  # the same pictures with other truth: what is found must not move
            for path in (write_tissue(tmp_path / "three", seed=seed) / "Test/Labels").iterdir():
                (other / "Test/Labels" / path.name).write_bytes(path.read_bytes())
        line = ["evaluate", checkpoint, "--data", "consep", "--root", other, "--resamples", 0]
        code, out, _ = run_cli(*line, "--out", tmp_path / "out" / name, "--json")
        assert (code, json.loads(out)["model"]["threshold"]) == (0, 0.37)
        with (tmp_path / "out" / name / "images.csv").open() as file:
            found.append([(row["found_px"], row["found_objects"]) for row in csv.DictReader(file)])
    assert found[0] == found[1]


@pytest.mark.parametrize("task", ["classes", "instances"])
def test_the_folder_holds_every_figure(evaluate, tmp_path, task):
    code, _, err = evaluate("--task", task)
    assert code == 0, err
    kept = json.loads((tmp_path / "out" / "metrics.json").read_text())
    again = scoring.load_scored(tmp_path / "out")
    assert again.ruler == {"classes": CLASSES, "instances": OBJECTS}[task]
    assert again.scores() == {name: one["value"] for name, one in kept["scores"].items()}
    assert kept["task"]["task"] == task
    assert kept["scores"][kept["headlines"][0]]["value"] is not None
    assert kept["bootstrap"]["groups"] == 2
    assert "Worst frames by" in (tmp_path / "out" / "report.html").read_text()
    assert (tmp_path / "out" / "confusion.png").exists() == (task == "classes")
    with (tmp_path / "out" / "images.csv").open() as file:
        assert {"classes": "iou[spindle]", "instances": "aji_plus"}[task] in next(csv.reader(file))


def test_a_model_does_not_differ_from_itself(evaluate, checkpoint, tmp_path):
    other = write_typed_checkpoint(tmp_path / "other", seed=3, threshold=0.1)
    for task in ("classes", "instances"):
        _, same, _ = evaluate("--task", task, "--baseline", checkpoint, out=f"{task}-same")
        _, result, _ = evaluate("--task", task, "--baseline", other, out=f"{task}-other")
        gaps = same["baseline"]["differences"]
        assert {gap["value"] for gap in gaps.values()} <= {0.0, None}
        gaps = result["baseline"]["differences"]
        assert any(gaps[name]["value"] for name in result["headlines"]), task


def test_scores_of_two_tasks_are_not_compared(samples):
    answers = [sample.mask for sample in samples]
    one, two = scored(samples, answers, CLASSES), scored(samples, answers, OBJECTS)
    with pytest.raises(BadInput, match="one task"):
        scoring.differences(one, two, resamples=0)


def test_a_picture_shows_whole_objects(samples):
    one = samples[0]
    answer = one.mask.copy()
    cut = one.instances == 1
    answer[cut & (np.arange(one.mask.shape[0])[:, None] > np.argwhere(cut)[:, 0].mean() - 3)] = 0
    found, there = OBJECTS.shown(said(one, answer), one, threshold=0.5)
    assert not (found & there & cut).any()  # less than half was found: missed, and no half right
    assert there[cut].sum() > cut.sum() / 2
    assert evaluation_page.NAMES[OBJECTS.ranked_by] == "panoptic quality"


@pytest.mark.parametrize("task", ["instances"])
def test_two_processes_equal_one(evaluate, checkpoint, tissue, tmp_path, task):
    assert evaluate("--task", task, out="one")[0] == 0
    launch = ["torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}", "-m"]
    given = ["sam_crack", "evaluate", checkpoint, "--data", "consep", "--root", tissue]
    line = [sys.executable, "-m", *launch, *given, "--resamples", 30, "--out", tmp_path / "two"]
    env = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    words = [str(word) for word in [*line, "--task", task]]
    done = subprocess.run(words, env=env, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    for name in ("metrics.json", "images.csv", "counts.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
