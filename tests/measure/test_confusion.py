import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_jaccard_index

from sam_crack.errors import BadInput
from sam_crack.measure.confusion import class_ious, count_classes, miou, pixel_accuracy


def labels(seed, classes, shape=(31, 43)):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, shape, dtype=np.uint8)
    pred = np.where(rng.random(shape) < 0.6, truth, rng.integers(0, classes, shape, dtype=np.uint8))
    truth[rng.random(shape) < 0.1] = 255
    return pred, truth


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 19, 21]))
def test_the_table_equals_scikit_learn(seed, classes):
    pred, truth = labels(seed, classes)
    table = count_classes(pred, truth, num_classes=classes)
    keep = truth != 255
    theirs = sk.confusion_matrix(truth[keep], pred[keep], labels=range(classes))
    np.testing.assert_array_equal(table, theirs)
    assert pixel_accuracy(table) == pytest.approx(sk.accuracy_score(truth[keep], pred[keep]))


@pytest.mark.parametrize("classes", [19, 21])
def test_miou_equals_torchmetrics(classes):
    pred, truth = labels(7, classes)
    table = count_classes(pred, truth, num_classes=classes)
    theirs = multiclass_jaccard_index(
        torch.tensor(pred)[None], torch.tensor(truth)[None], classes, ignore_index=255
    )
    assert miou(table, absent="skip") == pytest.approx(theirs.item())


@pytest.mark.parametrize(("policy", "value"), [("skip", 1.0), ("one", 1.0), ("zero", 1 / 19)])
def test_absent_classes_follow_the_policy(policy, value):
    road = np.zeros((4, 4), np.uint8)
    table = count_classes(road, road, num_classes=19)
    assert miou(table, absent=policy) == pytest.approx(value)
    assert class_ious(table, absent=policy)[5] == {"skip": None, "one": 1.0, "zero": 0.0}[policy]


def test_background_can_be_left_out():
    pred, truth = labels(1, 3)
    table = count_classes(pred, truth, num_classes=3)
    ious = class_ious(table, absent="skip")
    assert miou(table, absent="skip", background=False) == pytest.approx((ious[1] + ious[2]) / 2)


def test_predicting_one_class_everywhere_earns_only_that_class():
    _, truth = labels(2, 19)
    table = count_classes(np.zeros_like(truth), truth, num_classes=19)
    assert miou(table, absent="skip") < 0.01


def test_frames_add_up_and_nothing_but_ignored_gives_none():
    pred, truth = labels(3, 5)
    table = count_classes(pred, truth, num_classes=5)
    halves = [
        count_classes(pred[rows], truth[rows], num_classes=5) for rows in (slice(9), slice(9, 99))
    ]
    np.testing.assert_array_equal(table, sum(halves))
    void = count_classes(pred, np.full_like(truth, 255), num_classes=5)
    assert pixel_accuracy(void) is None
    assert miou(void, absent="skip") is None


def test_unknown_labels_are_refused():
    one = np.ones((2, 2), np.uint8)
    with pytest.raises(BadInput, match="label 7 in the prediction"):
        count_classes(one * 7, one, num_classes=3)
    with pytest.raises(BadInput, match="label 9 in the truth"):
        count_classes(one, one * 9, num_classes=3)
