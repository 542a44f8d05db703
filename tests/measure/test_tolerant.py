import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.morphology import dilation, disk, skeletonize

from sam_crack.measure.metrics import iou
from sam_crack.measure.tolerant import (
    Matches,
    count_boundaries,
    count_lines,
    count_tolerant,
    grow,
    skeleton_of,
)

seeds = st.integers(0, 10**6)


def pair(seed, size=(120, 150)):
    """A few strokes, and the same strokes thicker or thinner and a little off."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((2, *size), np.uint8)
    for _ in range(5):
        walk = np.cumsum(rng.normal(0, 6, (12, 2)), 0) + rng.uniform(20, 100, 2)
        for mask in masks:
            points = (walk + rng.normal(0, 2, 2)).round().astype(np.int32)
            cv2.polylines(mask, [points], False, 1, int(rng.integers(1, 7)))
    return masks.astype(bool)


def near(mask, other, radius):
    """Pixels of a mask within a radius of another, by an exact distance transform."""
    if not other.any():
        return 0
    return int((ndimage.distance_transform_edt(~other)[mask] <= radius).sum())


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(0, 5))
def test_tolerant_counts_equal_exact_distances(seed, radius):
    pred, truth = pair(seed)
    assert count_tolerant(pred, truth, radius_px=radius) == Matches(
        pred_hit=near(pred, truth, radius),
        pred_total=int(pred.sum()),
        truth_hit=near(truth, pred, radius),
        truth_total=int(truth.sum()),
    )


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(0, 5))
def test_boundary_counts_equal_scipy(seed, radius):
    sides = pair(seed)
    found, there = (mask & ~ndimage.binary_erosion(mask, border_value=1) for mask in sides)
    assert count_boundaries(*sides, radius_px=radius) == Matches(
        pred_hit=near(found, there, radius),
        pred_total=int(found.sum()),
        truth_hit=near(there, found, radius),
        truth_total=int(there.sum()),
    )


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_line_counts_equal_scikit_image(seed):
    pred, truth = pair(seed)
    lines = [skeletonize(mask, method="lee") > 0 for mask in (pred, truth)]
    found, there = (dilation(line, disk(4)) for line in lines)
    counts = count_lines(pred, truth)
    assert counts.skeletons.pred_hit == (lines[0] & truth).sum()
    assert counts.skeletons.truth_hit == (lines[1] & pred).sum()
    precision = (lines[0] & truth).sum() / lines[0].sum()
    recall = (lines[1] & pred).sum() / lines[1].sum()
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert counts.skeletons.f1(empty="skip") == pytest.approx(expected)
    assert iou(counts.dilated, empty="skip") == pytest.approx(
        (found & there).sum() / (found | there).sum()
    )


@pytest.mark.parametrize("radius", [0, 1, 2, 4, 9])
def test_growing_is_by_a_disk_even_at_the_border(radius):
    mask = np.zeros((40, 50), np.uint8)
    mask[0, 49] = mask[20, 25] = 255
    np.testing.assert_array_equal(grow(mask, radius), dilation(mask, disk(radius)))


def test_a_thin_trace_scores_low_in_area_and_high_in_lines():
    truth, trace = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    truth[45:58, 10:90] = True
    trace[51, 12:88] = True
    from sam_crack.measure.metrics import count

    assert iou(count(trace, truth), empty="skip") < 0.1
    assert count_lines(trace, truth).skeletons.f1(empty="skip") > 0.9


@pytest.mark.parametrize(("policy", "value"), [("skip", None), ("one", 1.0), ("zero", 0.0)])
def test_the_policy_speaks_only_where_both_are_empty(policy, value):
    nothing, bar = np.zeros((30, 30), bool), np.zeros((30, 30), bool)
    bar[10:13] = True
    for score in (count_tolerant, count_boundaries, lambda *pair: count_lines(*pair).skeletons):
        assert score(nothing, nothing).f1(empty=policy) == value
        assert score(nothing, bar).f1(empty=policy) == 0.0
        assert score(bar, nothing).f1(empty=policy) == 0.0
        assert score(bar, bar).f1(empty=policy) == 1.0


def test_ignored_pixels_count_for_nobody():
    pred, truth = pair(3)
    ignore = np.zeros_like(truth)
    ignore[:, 75:] = True
    cut = [mask & ~ignore for mask in (pred, truth)]
    assert count_tolerant(pred, truth, ignore=ignore) == count_tolerant(*cut)
    assert count_lines(pred, truth, ignore=ignore) == count_lines(*cut)


def test_frames_add_up():
    one, two = (count_lines(*pair(seed)) for seed in (1, 2))
    assert (one + two).skeletons.pred_total == one.skeletons.pred_total + two.skeletons.pred_total
    assert (one + two).dilated.tp == one.dilated.tp + two.dilated.tp


def test_a_blob_costs_no_minutes_and_leaves_thin_lines_as_they_are():
    mask = np.zeros((1000, 1600), np.uint8)
    mask[300:900, 100:1500] = 255
    cv2.polylines(mask, [np.array([[50, 40], [800, 120], [1550, 60]])], False, 255, 5)
    start = time.process_time()
    line = skeleton_of(mask)
    assert time.process_time() - start < 1.5
    alone = mask.copy()
    alone[200:] = 0
    np.testing.assert_array_equal(line[:200], skeleton_of(alone)[:200])
    blob = line[200:] > 0
    assert (mask[200:][blob] > 0).all()
    # The middle line of the box is 800 px long, with four arms into its corners.
    assert 700 < blob.sum() < 3200
    assert blob[400 - 60 : 400 + 60].sum() > 600


def test_blobs_up_to_the_limit_are_thinned_exactly():
    mask = np.zeros((200, 400), np.uint8)
    mask[20:114, 30:370] = 255
    theirs = skeletonize(mask > 0, method="lee") > 0
    np.testing.assert_array_equal(skeleton_of(mask) > 0, theirs)
