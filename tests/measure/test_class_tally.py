"""Scores of classes against plain counting, and the policies for what is nowhere."""

import numpy as np
import pytest

from sam_crack.measure.class_tally import class_scores, count_class_frame, table_of
from sam_crack.measure.tally import add_up

CLASSES = ("crack", "pothole", "patch")


def frames(number=4, seed=0):
    rng = np.random.default_rng(seed)
    truths = rng.integers(0, 4, (number, 30, 40)).astype(np.uint8)
    wrong = rng.integers(0, 4, truths.shape).astype(np.uint8)
    return truths, np.where(rng.random(truths.shape) < 0.6, truths, wrong)


def count(pred, truth, *, empty="skip", ignore=None):
    return count_class_frame(pred, truth, classes=CLASSES, empty=empty, ignore=ignore)


def reference(pred, truth, number):
    """Intersection over union of one class, pixel by pixel."""
    return ((pred == number) & (truth == number)).sum() / (
        (pred == number) | (truth == number)
    ).sum()


def test_pooled_scores_are_those_of_all_pixels():
    truths, preds = frames()
    pairs = zip(preds, truths, strict=True)
    found = class_scores(add_up(count(*p) for p in pairs), classes=CLASSES, empty="skip")
    want = [reference(preds, truths, number) for number in range(4)]
    for name, value in zip(CLASSES, want[1:], strict=True):
        assert found[f"iou_pooled[{name}]"] == pytest.approx(value)
    assert found["miou_pooled"] == pytest.approx(np.mean(want[1:]))
    assert found["miou_bg_pooled"] == pytest.approx(np.mean(want))


def test_scores_per_image_are_means_over_images():
    truths, preds = frames()
    pairs = list(zip(preds, truths, strict=True))
    found = class_scores(add_up(count(*p) for p in pairs), classes=CLASSES, empty="skip")
    want = [[reference(p, t, number) for number in (1, 2, 3)] for p, t in pairs]
    assert found["miou_per_image"] == pytest.approx(np.mean(want))
    assert found["iou[pothole]_per_image"] == pytest.approx(np.mean(want, 0)[1])


def test_ignored_pixels_count_for_nobody():
    truths, preds = frames(1)
    ignore = np.zeros(truths[0].shape, bool)
    ignore[:, 20:] = True
    other = np.where(ignore, 3 - preds[0], preds[0])
    some, same = (table_of(count(pred, truths[0], ignore=ignore)) for pred in (preds[0], other))
    np.testing.assert_array_equal(some, same)
    assert some.sum() == (~ignore).sum()


@pytest.mark.parametrize(("empty", "absent"), [("skip", None), ("one", 1.0), ("zero", 0.0)])
def test_a_class_that_is_nowhere_scores_by_the_policy(empty, absent):
    truth = np.zeros((10, 10), np.uint8)
    truth[:5] = 1
    found = class_scores(count(truth, truth, empty=empty), classes=CLASSES, empty=empty)
    assert found["iou_pooled[patch]"] == found["iou[patch]_per_image"] == absent
    assert found["miou_pooled"] == (1.0 if absent is None else pytest.approx((1 + 2 * absent) / 3))


def test_a_class_that_is_found_but_not_there_scores_zero_under_every_policy():
    truth = np.ones((10, 10), np.uint8)
    pred = truth.copy()
    pred[0] = 2
    for empty in ("skip", "one", "zero"):
        found = class_scores(count(pred, truth, empty=empty), classes=CLASSES, empty=empty)
        assert found["iou_pooled[pothole]"] == 0
