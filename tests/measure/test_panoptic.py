import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_panoptic_quality
from pycocotools import mask as coco
from scipy import ndimage

from sam_crack.errors import BadInput
from sam_crack.measure import panoptic as p

seeds = st.integers(0, 10**6)


def cells(seed, size=(64, 80), count=9):
    """Discs, and the same discs moved, merged, dropped or invented."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    pred, truth = np.zeros((2, *size), np.int32)
    for number in range(1, count + 1):
        cy, cx, radius = rng.uniform(6, 58), rng.uniform(6, 74), rng.uniform(3, 7)
        disc = (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
        moved = (y - cy - rng.normal(0, 1.5)) ** 2 + (x - cx - rng.normal(0, 1.5)) ** 2 <= radius**2
        fate = rng.random()
        if fate < 0.85:
            truth[disc] = number
        if fate > 0.15:
            pred[moved] = number if rng.random() < 0.9 else max(1, number - 1)
    return pred, truth


def brute_aji(pred, truth):
    """Algorithm 1 of Kumar et al., object by object over masks."""
    common = union = 0
    used = set()
    others = [j for j in np.unique(pred) if j]
    for i in (i for i in np.unique(truth) if i):
        mine = truth == i
        ious = [((mine & (pred == j)).sum() / (mine | (pred == j)).sum(), j) for j in others]
        best, j = max(ious, key=lambda pair: (pair[0], -pair[1]), default=(0, 0))
        if best > 0:
            common += (mine & (pred == j)).sum()
            union += (mine | (pred == j)).sum()
            used.add(j)
        else:
            union += mine.sum()
    return common, union + sum((pred == j).sum() for j in others if j not in used)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_aji_equals_the_published_algorithm(seed):
    pred, truth = cells(seed)
    counts = p.count_aji(p.count_overlaps(pred, truth))
    assert (counts.common, counts.union) == brute_aji(pred, truth)


def table_of(overlaps):
    """(truth, prediction) IoU, all pairs."""
    table = np.zeros((len(overlaps.truth), len(overlaps.pred)))
    table[tuple(overlaps.pairs.T)] = overlaps.iou
    return table


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_overlaps_equal_pycocotools(seed):
    pred, truth = cells(seed)
    sides = [
        [coco.encode(np.asfortranarray(side == n, np.uint8)) for n in np.unique(side) if n]
        for side in (truth, pred)
    ]
    theirs = coco.iou(*sides, [0] * len(sides[1]))
    np.testing.assert_allclose(table_of(p.count_overlaps(pred, truth)), theirs)


def relabelled(objects):
    """MONAI wants numbers without gaps."""
    return torch.tensor(np.unique(objects, return_inverse=True)[1].reshape(objects.shape))


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_panoptic_quality_equals_monai(seed):
    pred, truth = cells(seed)
    counts = p.count_panoptic(p.count_overlaps(pred, truth))
    for name, score in (("rq", p.dq), ("sq", p.sq), ("pq", p.pq)):
        theirs = compute_panoptic_quality(
            relabelled(pred), relabelled(truth), metric_name=name, match_iou_threshold=0.5
        )
        assert score(counts, empty="skip") == pytest.approx(float(theirs), abs=1e-5)


def test_aji_plus_pairs_one_to_one():
    truth, pred = np.zeros((2, 10, 40), np.int32)
    truth[:, :10], truth[:, 10:20], pred[:, :20] = 1, 2, 1
    overlaps = p.count_overlaps(pred, truth)
    # One prediction over two cells: AJI uses it twice, AJI+ once.
    assert p.aji(p.count_aji(overlaps), empty="skip") == pytest.approx(200 / 400)
    assert p.aji(p.count_aji_plus(overlaps), empty="skip") == pytest.approx(100 / 300)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_aji_plus_equals_the_best_of_all_pairings(seed):
    from itertools import permutations

    pred, truth = cells(seed, count=4)
    overlaps = p.count_overlaps(pred, truth)
    square = np.zeros((5, 5))
    table = table_of(overlaps)
    square[: table.shape[0], : table.shape[1]] = table
    best = max(permutations(range(5)), key=lambda way: sum(square[i, j] for i, j in enumerate(way)))
    chosen = [overlaps.pairs.tolist().index([i, j]) for i, j in enumerate(best) if square[i, j] > 0]
    common = int(overlaps.common[chosen].sum())
    union = int(overlaps.truth.sum() + overlaps.pred.sum()) - common
    assert p.count_aji_plus(overlaps) == p.AjiCounts(common=common, union=union)


def test_perfect_is_one_and_silence_is_zero():
    _, truth = cells(4)
    for pred, value in ((truth + (truth > 0) * 100, 1.0), (np.zeros_like(truth), 0.0)):
        overlaps = p.count_overlaps(pred, truth)
        counts = p.count_panoptic(overlaps)
        assert [score(counts, empty="one") for score in (p.dq, p.sq, p.pq)] == [value] * 3
        assert p.aji(p.count_aji(overlaps), empty="one") == value
        assert p.aji(p.count_aji_plus(overlaps), empty="one") == value


@pytest.mark.parametrize(("policy", "value"), [("skip", None), ("one", 1.0), ("zero", 0.0)])
def test_the_policy_speaks_only_without_any_object(policy, value):
    nothing = np.zeros((8, 8), np.int32)
    overlaps = p.count_overlaps(nothing, nothing)
    assert p.pq(p.count_panoptic(overlaps), empty=policy) == value
    assert p.aji(p.count_aji(overlaps), empty=policy) == value
    assert p.pq(p.count_panoptic(p.count_overlaps(nothing + 1, nothing)), empty=policy) == 0.0


def test_counts_of_frames_add_up():
    one, two = (p.count_panoptic(p.count_overlaps(*cells(seed))) for seed in (1, 2))
    assert (one + two).tp == one.tp + two.tp
    assert (one + two).iou_sum == pytest.approx(one.iou_sum + two.iou_sum)


def test_a_match_that_is_not_unique_is_refused():
    with pytest.raises(BadInput, match="unique"):
        p.count_panoptic(p.count_overlaps(*cells(1)), match_iou=0.3)


def test_large_numbers_and_many_objects_are_quick():
    labels, _ = ndimage.label(np.random.default_rng(0).random((500, 500)) < 0.3)
    counts = p.count_panoptic(p.count_overlaps(labels * 7919, labels))
    assert (counts.fp, counts.fn, counts.iou_sum) == (0, 0, counts.tp)
