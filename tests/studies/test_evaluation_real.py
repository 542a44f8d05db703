"""Scores of classes and objects on real annotations: known answers must score as known."""

from types import SimpleNamespace

import numpy as np
import pytest

from sam_crack.console import Console
from sam_crack.data.dataset import open_dataset
from sam_crack.studies import scoring
from sam_crack.studies.evaluation.tasks import choose_ruler
from tests.studies.test_evaluation_tasks import said

QUIET = Console(quiet=True, no_progress=True)
MANY = {"cityscapes": None, "voc": None, "paveseg": None, "cocostuff": None}
NUCLEI = {"kumar": "test", "consep": "test", "hovernet": None}
FOLDERS = {"hovernet": "hovernet_mat"}


def opened(name, data_root, split):
    return open_dataset(name, data_root / FOLDERS.get(name, name), split=split)


def scored(samples, answer, ruler):
    chosen = [samples[place] for place in range(min(2, len(samples)))]
    waiting = iter([answer(sample) for sample in chosen])
    model = SimpleNamespace(threshold=0.5, frame=lambda _: next(waiting))
    found = scoring.score_frames(
        model, chosen, range(len(chosen)), empty="skip", model={}, console=QUIET, ruler=ruler
    )
    return found.scores()


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "split"), MANY.items())
def test_classes_of_real_sets(name, split, data_root):
    samples = opened(name, data_root, split)
    learnt = [each.name for each in samples.classes]
    ruler = choose_ruler("auto", samples, learnt)
    assert ruler.task == "classes"
    perfect = scored(samples, lambda sample: said_class(sample, sample.mask), ruler)
    assert perfect["miou_pooled"] == perfect["miou_bg_pooled"] == perfect["miou_per_image"] == 1
    silent = scored(samples, lambda sample: said_class(sample, sample.mask * 0), ruler)
    assert silent["miou_pooled"] == silent["miou_per_image"] == 0
    rng = np.random.default_rng(0)
    guess = scored(
        samples, lambda s: said_class(s, rng.integers(0, len(learnt) + 1, s.mask.shape)), ruler
    )
    assert guess["miou_pooled"] < 1 / len(learnt)


def said_class(sample, classes):
    """An answer, wrong on purpose wherever nobody looks."""
    if sample.ignore is not None:
        classes = np.where(sample.ignore, 1, classes)
    return SimpleNamespace(classes=classes.astype(np.uint8))


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "split"), NUCLEI.items())
def test_objects_of_real_sets(name, split, data_root):
    samples = opened(name, data_root, split)
    ruler = choose_ruler("auto", samples, [each.name for each in samples.classes])
    assert ruler.task == "instances"
    perfect = scored(samples, lambda sample: said(sample, sample.mask), ruler)
    assert perfect["pq_pooled"] > 0.9  # touching nuclei may part a pixel beside the true border
    assert perfect["f1_pooled"] == 1
    silent = scored(samples, lambda sample: said(sample, sample.mask * 0), ruler)
    assert silent["pq_pooled"] == silent["aji_pooled"] == silent["bpq@pannuke"] == 0
    shifted = scored(samples, lambda s: said(s, np.roll(s.mask, 60, (0, 1))), ruler)
    assert shifted["pq_pooled"] < 0.15
