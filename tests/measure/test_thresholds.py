import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sam_crack.measure.metrics import count_levels, f1
from sam_crack.measure.tally import add_up, all_scores, count_frame, sums_of
from sam_crack.measure.thresholds import (
    TolerantLevels,
    count_tolerant_levels,
    ods,
    ois,
)
from sam_crack.measure.tolerant import count_tolerant


def miou2(*pairs, empty):
    """The score as tables have it, over frames that are added up."""
    sums = (sums_of(count_frame(*pair, threshold=0.5), empty=empty) for pair in pairs)
    return all_scores(add_up(sums), empty=empty)["miou2_testmax"]


seeds = st.integers(0, 10**6)


def scene(seed, shape=(40, 50)):
    """A few lines, and a noisy blurred probability of them."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(shape, bool)
    for row in rng.integers(3, shape[0] - 3, 2):
        truth[row : row + 2, 5 : int(rng.integers(20, 45))] = True
    soft = ndimage.gaussian_filter(np.roll(truth, 1, 0) * 1.0, 1) + rng.normal(0, 0.1, shape)
    return np.clip(soft * 255, 0, 255).astype(np.uint8), truth, rng.random(shape) < 0.2


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from([0, 1, 2, 5]), st.booleans())
def test_every_level_equals_a_plain_tolerant_count(seed, radius, with_ignore):
    prob, truth, drop = scene(seed)
    ignore = drop if with_ignore else None
    curve = count_tolerant_levels(prob, truth, radius_px=radius, ignore=ignore).f1_curve()
    for level in (1, 40, 128, 200, 255):
        plain = count_tolerant(prob >= level, truth, radius_px=radius, ignore=ignore)
        assert curve[level] == pytest.approx(plain.f1(empty="zero"))


def test_without_tolerance_it_is_the_best_f1():
    prob, truth, _ = scene(5)
    zero = count_tolerant_levels(prob, truth, radius_px=0)
    assert ods(zero, empty="skip") == pytest.approx(count_levels(prob, truth).best()[1])


def test_one_threshold_for_all_never_beats_one_for_each():
    frames = [count_tolerant_levels(*scene(seed)[:2], radius_px=2) for seed in range(4)]
    total = sum(frames, TolerantLevels.zero())
    best = [max(frame.f1_curve()[1:]) for frame in frames]
    assert ois(frames, empty="skip") == pytest.approx(np.mean(best))
    assert ods(total, empty="skip") == pytest.approx(max(total.f1_curve()[1:]))


@pytest.mark.parametrize(("policy", "value"), [("skip", None), ("one", 1.0), ("zero", 0.0)])
def test_without_truth_the_policy_speaks(policy, value):
    nothing = np.zeros((9, 9), np.uint8)
    frame = count_tolerant_levels(nothing + 200, nothing, radius_px=2)
    assert ods(frame, empty=policy) == value
    assert ois([frame], empty=policy) == value


def test_silence_is_not_rewarded():
    prob, truth, _ = scene(1)
    silent = np.zeros_like(prob)
    assert ods(count_tolerant_levels(silent, truth, radius_px=2), empty="one") == 0.0
    assert miou2((silent, truth), empty="one") < 0.5


def reference_miou2(pairs, empty_score):
    """The published procedure, spelled out in floats over masks."""
    means = []
    for number in range(100):
        values = []
        for prob, truth in pairs:
            top = prob.max() or 1
            pred = prob.astype(int) * 100 > number * int(top)
            ious = []
            for p, t in ((pred, truth), (~pred, ~truth)):
                whole = (p | t).sum()
                ious.append((p & t).sum() / whole if whole else empty_score)
            values.append(np.mean(ious))
        means.append(np.nanmean(values))
    return max(means)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_the_published_miou_is_reproduced(seed):
    pairs = [scene(seed + n)[:2] for n in range(3)]
    assert miou2(*pairs, empty="zero") == pytest.approx(reference_miou2(pairs, 0.0))


def test_the_published_miou_flatters():
    prob, truth, _ = scene(2)
    faint = prob // 5
    counts = count_levels(faint, truth)
    assert miou2((faint, truth), empty="skip") > 0.6
    assert f1(counts.at(128), empty="skip") == 0.0
