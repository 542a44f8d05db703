import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from sam_crack.errors import BadInput
from sam_crack.measure import metrics as m


def pair(seed, shape=(37, 53), rate=0.2):
    rng = np.random.default_rng(seed)
    truth = rng.random(shape) < rate
    pred = truth ^ (rng.random(shape) < 0.1)
    return pred, truth, rng.random(shape) < 0.3


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=30)
def test_counts_equal_the_confusion_matrix(seed, with_ignore):
    pred, truth, ignore = pair(seed)
    counts = m.count(pred, truth, ignore if with_ignore else None)
    keep = ~ignore if with_ignore else np.ones_like(truth)
    tn, fp, fn, tp = sk.confusion_matrix(truth[keep], pred[keep], labels=[False, True]).ravel()
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (tp, fp, fn, tn)


@pytest.mark.parametrize(
    ("score", "reference"),
    [
        (m.iou, sk.jaccard_score),
        (m.f1, sk.f1_score),
        (m.precision, sk.precision_score),
        (m.recall, sk.recall_score),
    ],
)
def test_scores_equal_scikit_learn(score, reference):
    pred, truth, _ = pair(3)
    ours = score(m.count(pred, truth), empty="skip")
    assert ours == pytest.approx(reference(truth.ravel(), pred.ravel()))


def test_f1_equals_monai_dice():
    import torch
    from monai.metrics import compute_dice

    pred, truth, _ = pair(5)
    theirs = compute_dice(torch.tensor(pred)[None, None], torch.tensor(truth)[None, None])
    assert m.f1(m.count(pred, truth), empty="skip") == pytest.approx(theirs.item())


def test_any_nonzero_byte_is_foreground():
    pred, truth, _ = pair(1)
    assert m.count(pred.astype(np.uint8) * 2, truth.astype(np.uint8) * 255) == m.count(pred, truth)


def test_columns_of_a_wider_array_are_counted():
    pred, truth, _ = pair(2)
    assert m.count(pred[:, ::2], truth[:, ::2]).tp == (pred & truth)[:, ::2].sum()


@pytest.mark.parametrize(("policy", "value"), [("skip", None), ("one", 1.0), ("zero", 0.0)])
@pytest.mark.parametrize("name", m.SCORES)
def test_the_policy_speaks_only_where_both_are_empty(name, policy, value):
    assert m.SCORES[name](m.Counts(tn=9), empty=policy) == value
    assert m.SCORES[name](m.Counts(fn=4), empty=policy) == 0.0
    assert m.SCORES[name](m.Counts(fp=4), empty=policy) == 0.0
    assert m.SCORES[name](m.Counts(tp=4), empty=policy) == 1.0


def test_pooled_and_per_image_differ_as_defined():
    frames = [m.Counts(tp=1, fp=1), m.Counts(tp=90, fn=10), m.Counts(tn=5)]
    assert m.iou(m.pooled(frames), empty="skip") == pytest.approx(91 / 102)
    assert m.per_image(frames, m.iou, empty="skip") == pytest.approx((0.5 + 0.9) / 2)
    assert m.per_image(frames, m.iou, empty="one") == pytest.approx((0.5 + 0.9 + 1) / 3)
    assert m.per_image([m.Counts(tn=5)], m.iou, empty="skip") is None


def test_false_positives_count_per_clean_megapixel():
    frames = [m.Counts(fp=3, tn=999_997), m.Counts(fp=1, tn=999_999), m.Counts(tp=1, fp=99)]
    assert m.fp_per_clean_megapixel(frames) == pytest.approx(2.0)
    assert m.fp_per_clean_megapixel(frames[2:]) is None


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_every_threshold_of_the_histogram_equals_a_plain_count(seed):
    _, truth, ignore = pair(seed)
    prob = np.random.default_rng(seed).integers(0, 256, truth.shape, np.uint8)
    levels = m.count_levels(prob, truth, ignore)
    for level in (1, 100, 255):
        assert levels.at(level) == m.count(prob >= level, truth, ignore)


def test_average_precision_equals_scikit_learn():
    _, truth, _ = pair(8)
    rng = np.random.default_rng(8)
    prob = np.clip(60 * truth + rng.normal(90, 50, truth.shape), 0, 255).astype(np.uint8)
    ours = m.count_levels(prob, truth).average_precision()
    assert ours == pytest.approx(sk.average_precision_score(truth.ravel(), prob.ravel()))


def test_the_best_threshold_is_the_best_of_all():
    _, truth, _ = pair(9)
    rng = np.random.default_rng(9)
    prob = np.clip(80 * truth + rng.normal(90, 40, truth.shape), 0, 255).astype(np.uint8)
    threshold, best = m.count_levels(prob, truth).best()
    brute = [m.f1(m.count(prob >= level, truth), empty="zero") for level in range(1, 256)]
    assert best == pytest.approx(max(brute))
    assert brute[m.to_level(threshold) - 1] == pytest.approx(best)


def test_histograms_of_frames_add_up():
    _, truth, _ = pair(4)
    prob = np.full(truth.shape, 200, np.uint8)
    one = m.count_levels(prob, truth)
    two = m.pooled_levels([one, one])
    assert (two.positives[200], two.negatives[200]) == (2 * truth.sum(), 2 * (~truth).sum())


def test_frames_beyond_24_bit_are_counted_exactly():
    prob = np.zeros((4200, 4200), np.uint8)
    assert m.count_levels(prob, prob).negatives[0] == 4200 * 4200


@pytest.mark.parametrize("level", range(256))
def test_thresholds_and_levels_are_inverse(level):
    assert m.to_level(level / 255) == max(1, level)


def test_masks_of_other_sizes_or_types_are_refused():
    with pytest.raises(BadInput, match="share one"):
        m.count(np.zeros((2, 3), bool), np.zeros((3, 2), bool))
    with pytest.raises(BadInput, match="float64"):
        m.count(np.zeros((2, 3)), np.zeros((2, 3), bool))


def test_a_4k_pair_is_counted_in_20_ms():
    truth = np.zeros((2160, 3840), bool)
    truth[1000:1010] = True
    times = []
    for _ in range(5):
        start = time.process_time()
        m.count(truth, truth)
        times.append(time.process_time() - start)
    assert min(times) < 0.02
