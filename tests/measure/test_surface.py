import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

from sam_crack.measure import surface
from sam_crack.measure.surface import assd, hd95, measure_surfaces


def strokes(seed, size=(90, 110)):
    rng = np.random.default_rng(seed)
    masks = np.zeros((2, *size), np.uint8)
    for mask in masks:
        for _ in range(3):
            walk = np.cumsum(rng.normal(0, 6, (9, 2)), 0) + rng.uniform(0, 90, 2)
            cv2.polylines(mask, [walk.round().astype(np.int32)], False, 1, int(rng.integers(1, 7)))
    return masks.astype(bool)


def batch(mask):
    return torch.tensor(mask)[None, None]


@pytest.mark.filterwarnings("ignore:monai.metrics.utils:FutureWarning")
@pytest.mark.parametrize("many", [0, 10**9], ids=["map", "tree"])
@pytest.mark.parametrize("seed", range(6))
def test_distances_equal_monai(seed, many, monkeypatch):
    monkeypatch.setattr(surface, "MANY", many)
    pred, truth = strokes(seed)
    found = measure_surfaces(pred, truth)
    theirs = compute_hausdorff_distance(batch(pred), batch(truth), percentile=95)
    assert hd95(found, empty="skip") == pytest.approx(theirs.item(), abs=1e-4)
    sides = [
        compute_average_surface_distance(*map(batch, pair)).item()
        for pair in ((pred, truth), (truth, pred))
    ]
    pixels = len(found.pred), len(found.truth)
    mean = sum(d * n for d, n in zip(sides, pixels, strict=True)) / sum(pixels)
    assert assd(found, empty="skip") == pytest.approx(mean, abs=1e-4)


def test_a_missed_mask_costs_the_diagonal_either_way():
    nothing, bar = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    bar[10:13] = True
    for pair in ((nothing, bar), (bar, nothing)):
        for score in (hd95, assd):
            assert score(measure_surfaces(*pair), empty="skip") == math.hypot(30, 40)


@pytest.mark.parametrize(("policy", "value"), [("skip", None), ("one", 0.0), ("zero", None)])
def test_the_policy_speaks_where_both_are_empty(policy, value):
    nothing = np.zeros((5, 5), bool)
    for score in (hd95, assd):
        assert score(measure_surfaces(nothing, nothing), empty=policy) == value


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_a_mask_lies_on_itself(seed):
    mask = strokes(seed)[0]
    assert hd95(measure_surfaces(mask, mask), empty="one") == 0.0


def test_ignored_pixels_are_cut_out_of_both():
    pred, truth = strokes(3)
    ignore = np.zeros_like(truth)
    ignore[:, 50:] = True
    cut = measure_surfaces(pred & ~ignore, truth & ~ignore)
    both = measure_surfaces(pred, truth, ignore)
    np.testing.assert_array_equal(both.pred, cut.pred)
    np.testing.assert_array_equal(both.truth, cut.truth)
