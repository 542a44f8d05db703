import numpy as np
import pytest

from sam_crack.errors import BadInput
from sam_crack.measure.pannuke import PatchCounts, bpq, class_pq, count_patch, mpq, patch_pq
from sam_crack.measure.panoptic import PanopticCounts

HIT, MISS, FALSE, NONE = (
    PanopticCounts(tp=1, iou_sum=0.8),
    PanopticCounts(fn=1),
    PanopticCounts(fp=1),
    PanopticCounts(),
)


def patch(tissue, first, second):
    return PatchCounts(tissue=tissue, binary=first + second, classes={1: first, 2: second})


@pytest.mark.parametrize(
    ("policy", "missed", "false", "nothing"),
    [
        ("truth_empty_skipped", 0.0, None, None),
        ("both_empty_skipped", 0.0, 0.0, None),
        ("both_empty_one", 0.0, 0.0, 1.0),
    ],
)
def test_what_an_empty_patch_scores_is_said(policy, missed, false, nothing):
    assert patch_pq(HIT, policy) == 0.8
    assert [patch_pq(counts, policy) for counts in (MISS, FALSE, NONE)] == [missed, false, nothing]


def test_classes_then_patches_then_tissues_are_averaged():
    patches = [patch("colon", HIT, MISS), patch("colon", HIT, NONE), patch("skin", MISS, NONE)]
    # colon: ((.8 + 0) / 2 + .8) / 2 = .6; skin: 0
    assert mpq(patches, empty_patch="truth_empty_skipped") == pytest.approx(0.3)
    assert mpq(patches, empty_patch="both_empty_one") == pytest.approx((0.65 + 0.5) / 2)
    assert class_pq(patches, empty_patch="truth_empty_skipped") == {
        1: pytest.approx(1.6 / 3),
        2: 0.0,
    }


def test_binary_quality_ignores_classes():
    patches = [patch("colon", HIT, HIT), patch("skin", FALSE, NONE)]
    assert bpq(patches, empty_patch="truth_empty_skipped") == pytest.approx(0.8)
    assert bpq(patches, empty_patch="both_empty_skipped") == pytest.approx(0.4)


def test_a_nucleus_of_the_wrong_class_counts_for_bpq_only():
    truth = np.zeros((20, 20), np.int32)
    truth[2:8, 2:8], truth[12:18, 12:18] = 1, 2
    counts = count_patch(
        truth, truth, pred_types={1: 1, 2: 1}, truth_types={1: 1, 2: 2}, num_classes=2
    )
    assert bpq([counts], empty_patch="both_empty_skipped") == 1.0
    assert counts.classes[1] == PanopticCounts(tp=1, fp=1, iou_sum=1.0)
    assert counts.classes[2] == PanopticCounts(fn=1)
    assert mpq([counts], empty_patch="both_empty_skipped") == pytest.approx((2 / 3) / 2)


def test_objects_without_a_class_are_refused():
    one = np.ones((3, 3), np.int32)
    with pytest.raises(BadInput, match="object 1 of class None"):
        count_patch(one, one, pred_types={}, truth_types={1: 1}, num_classes=5)
