import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_crack.measure import tally
from sam_crack.measure.metrics import count, iou
from sam_crack.measure.tally import SCORES, add_up, all_scores, count_frame, image_scores, sums_of


def frame(seed, size=(90, 120)):
    """Two strokes, and a soft noisy map of them a little off."""
    rng = np.random.default_rng(seed)
    truth, hint = np.zeros((2, *size), np.uint8)
    for _ in range(2):
        walk = np.cumsum(rng.normal(0, 7, (9, 2)), 0) + rng.uniform(20, 70, 2)
        for mask, shift in ((truth, 0), (hint, 1)):
            cv2.polylines(mask, [(walk + shift).round().astype(np.int32)], False, 1, 3)
    soft = cv2.GaussianBlur(hint * 230.0, (0, 0), 1) + rng.normal(10, 8, size)
    return np.clip(soft, 0, 255).astype(np.uint8), truth


def scores(*pairs, empty="skip", threshold=0.4):
    return all_scores(
        add_up(sums_of(count_frame(*pair, threshold=threshold), empty=empty) for pair in pairs),
        empty=empty,
    )


def best_of(name):
    return 0.0 if name.startswith(tally.LOWER_IS_BETTER) else 1.0


@pytest.mark.parametrize("empty", ["skip", "one"])
def test_a_perfect_mask_is_perfect_in_every_score(empty):
    truths = [frame(seed)[1] for seed in range(3)]
    found = scores(*((truth * 255, truth) for truth in truths), empty=empty)
    assert {name: value for name, value in found.items() if value is not None} == {
        name: pytest.approx(best_of(name)) for name in SCORES if name != "fp_px_per_clean_megapixel"
    }


@pytest.mark.parametrize("empty", ["skip", "one", "zero"])
def test_silence_is_never_rewarded(empty):
    _, truth = frame(1)
    silent = scores((np.zeros_like(truth), truth), empty=empty)
    for name, value in silent.items():
        if not name.startswith(tally.LOWER_IS_BETTER) and name not in ("ap", "miou2_testmax"):
            assert value == 0.0, name
    assert silent["ap"] == pytest.approx(truth.mean())
    assert silent["miou2_testmax"] < 0.5
    assert silent["ece@0.1"] == 1.0
    assert silent["hd95_px_per_image"] == silent["assd_px_per_image"] == np.hypot(90, 120)
    assert silent["betti0_error_per_image"] >= 1


def test_shuffled_labels_give_chance():
    rng = np.random.default_rng(0)
    pairs = [frame(seed) for seed in range(6)]
    shuffled = [
        (prob, rng.permutation(truth.ravel()).reshape(truth.shape)) for prob, truth in pairs
    ]
    truth_share = np.mean([truth for _, truth in pairs])
    found_share = np.mean([prob >= 102 for prob, _ in pairs])
    both = truth_share * found_share
    found = scores(*shuffled)
    assert found["iou_pooled"] == pytest.approx(both / (truth_share + found_share - both), abs=0.01)
    assert found["ap"] == pytest.approx(truth_share, abs=0.01)
    assert scores(*pairs)["ap"] > 0.6


def test_pooled_and_per_image_are_those_of_the_plain_functions():
    pairs = [frame(seed) for seed in range(4)]
    counts = [count(prob >= 102, truth) for prob, truth in pairs]
    found = scores(*pairs)
    single = [iou(one, empty="skip") for one in counts]
    assert found["iou_per_image"] == pytest.approx(np.mean(single))
    assert found["iou_pooled"] == iou(sum(counts[1:], counts[0]), empty="skip")
    assert found["f1_pooled"] <= found["ods@0px"] <= found["ois@0px_per_image"] + 0.05


@pytest.mark.parametrize(("empty", "value"), [("skip", None), ("one", 1.0), ("zero", 0.0)])
def test_empty_frames_follow_the_policy(empty, value):
    nothing = np.zeros((20, 20), np.uint8)
    one = image_scores(count_frame(nothing, nothing, threshold=0.5), empty=empty)
    for name in ("iou", "cldice", "cliou@4px", "bf1@2px", "ois@0px", "ois@2px"):
        assert one[name] == value, name
    assert one["hd95_px"] == (0.0 if empty == "one" else None)


def test_false_alarms_on_clean_frames_are_never_rewarded():
    clean = np.zeros((50, 50), np.uint8)
    alarm = clean.copy()
    alarm[10:12] = 255
    found = scores((alarm, clean), empty="one")
    assert found["iou_per_image"] == found["cldice_per_image"] == found["bf1@2px_per_image"] == 0
    assert found["fp_px_per_clean_megapixel"] == pytest.approx(1e6 * 100 / 2500)


POLICIES = st.sampled_from(["skip", "one", "zero"])
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=25, deadline=None)
@given(SIZES, st.integers(128, 255), POLICIES)
def test_everything_found_on_a_clean_frame_is_never_rewarded(size, level, empty):
    clean = np.zeros(size, np.uint8)
    frame = count_frame(clean + 255, clean, threshold=0.5)
    found = all_scores(sums_of(frame, empty=empty), empty=empty)
    found |= image_scores(frame, empty=empty)
    for name, value in found.items():
        if name.startswith(tally.LOWER_IS_BETTER):
            assert value > 0, name
        else:
            assert value == (None if name == "ap" else 0.0), name
    # Below the highest level, one threshold is silent: there the policy speaks, and only there.
    less = image_scores(count_frame(clean + min(level, 254), clean, threshold=0.5), empty=empty)
    oracles = {name for name in less if name.startswith("ois")}
    assert {less[name] for name in oracles} == {{"skip": None, "one": 1.0, "zero": 0.0}[empty]}
    at_threshold = set(less) - oracles - {"hd95_px", "assd_px", "betti0_error"}
    assert {less[name] for name in at_threshold} == {0.0}


@settings(max_examples=25, deadline=None)
@given(SIZES, st.booleans(), POLICIES)
def test_nothing_found_earns_the_policy_and_no_more(size, has_truth, empty):
    nothing = np.zeros(size, np.uint8)
    truth = np.full_like(nothing, has_truth)
    told = image_scores(count_frame(nothing, truth, threshold=0.5), empty=empty)
    expected = 0.0 if has_truth else {"skip": None, "one": 1.0, "zero": 0.0}[empty]
    better = {name for name in told if not name.startswith(tally.LOWER_IS_BETTER)}
    assert {told[name] for name in better} == {expected}


@settings(max_examples=25, deadline=None)
@given(SIZES, st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 1.0]), POLICIES)
def test_a_perfect_mask_is_perfect_also_where_it_fills_the_frame(size, seed, share, empty):
    truth = (np.random.default_rng(seed).random(size) < share).astype(np.uint8)
    other = np.full((9, 9), 1, np.uint8)  # a frame that is full, so that none is without truth
    if not truth.any():
        empty = "one"
    found = scores((truth * 255, truth), (other * 255, other), empty=empty)
    for name, value in found.items():
        if name != "fp_px_per_clean_megapixel":
            assert value == pytest.approx(best_of(name)), name


def test_a_full_mask_meets_only_a_full_one():
    full, (_, line) = np.ones((90, 120), np.uint8), frame(2)
    for prob, truth in ((full, line), (line, full)):
        one = image_scores(count_frame(prob * 255, truth, threshold=0.5), empty="one")
        assert one["bf1@2px"] == 0.0
        assert one["iou"] == pytest.approx(line.mean())


def test_the_truth_never_moves_the_threshold():
    prob, truth = frame(3)
    other = np.roll(truth, 9, 1)
    found = [count_frame(prob, side, threshold=0.4).counts for side in (truth, other)]
    assert found[0].tp + found[0].fp == found[1].tp + found[1].fp == (prob >= 102).sum()


def test_ignored_pixels_count_nowhere():
    prob, truth = frame(5)
    ignore = np.zeros(truth.shape, bool)
    ignore[:, 60:] = True
    noisy = prob.copy()
    noisy[:, 60:] = 255
    one, two = (
        sums_of(count_frame(side, truth, threshold=0.4, ignore=ignore), empty="skip")
        for side in (prob, noisy)
    )
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def test_a_4k_pair_takes_200_ms():
    rng = np.random.default_rng(0)
    truth = np.zeros((2160, 3840), np.uint8)
    prob = rng.integers(0, 20, truth.shape, dtype=np.uint8)
    for _ in range(4):
        walk = np.cumsum(rng.normal(0, 14, (60, 2)), 0) + rng.uniform(1000, 2000, 2)
        cv2.polylines(truth, [walk.round().astype(np.int32)], False, 1, int(rng.integers(4, 14)))
        cv2.polylines(prob, [(walk + 3).round().astype(np.int32)], False, 220, 8)
    times = []
    for _ in range(4):
        start = time.process_time()
        sums_of(count_frame(prob, truth, threshold=0.5), empty="skip")
        times.append(time.process_time() - start)
    assert min(times) < 0.2
