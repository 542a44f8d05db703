"""Scores of objects as sums over frames, against those computed frame by frame."""

import numpy as np
import pytest

from sam_crack.measure.object_tally import count_object_frame, drop_ignored, object_scores
from sam_crack.measure.pannuke import bpq, count_patch, mpq
from sam_crack.measure.panoptic import aji, count_aji, count_overlaps, count_panoptic, pq
from sam_crack.measure.tally import add_up

CLASSES = ("a", "b", "c")
TISSUES = (0, 1, 0, 2, 1)


def squares(rng, number):
    """Numbered squares on a grid, some shifted, some missing."""
    truth, pred = np.zeros((2, 60, 60), np.int32)
    for place in range(number):
        y, x = divmod(int(place), 4)
        truth[y * 14 + 2 : y * 14 + 11, x * 14 + 2 : x * 14 + 11] = place + 1
        if rng.random() < 0.8:
            dy, dx = rng.integers(0, 5, 2)
            pred[y * 14 + 2 + dy : y * 14 + 11, x * 14 + 2 + dx : x * 14 + 11] = number - place
    return truth, pred


@pytest.fixture
def frames():
    rng = np.random.default_rng(3)
    found = []
    for number in (12, 7, 16, 3, 0):
        truth, pred = squares(rng, number)
        kinds = [
            {int(n): int(rng.integers(1, 4)) for n in np.unique(side) if n}
            for side in (pred, truth)
        ]
        found.append((pred, truth, tuple(kinds)))
    return found


def counted(frames, *, empty="skip"):
    return [
        count_object_frame(pred, truth, types=kinds, num_classes=3, tissue=(tissue, 3), empty=empty)
        for (pred, truth, kinds), tissue in zip(frames, TISSUES, strict=True)
    ]


def test_pooled_and_per_image_scores_follow_from_the_overlaps(frames):
    found = object_scores(add_up(counted(frames)), classes=CLASSES, empty="skip")
    overlaps = [count_overlaps(pred, truth) for pred, truth, _ in frames]
    each = [pq(count_panoptic(one), empty="skip") for one in overlaps]
    known = [value for value in each if value is not None]
    assert len(known) == 4  # the last frame holds nothing and is left out
    assert found["pq_per_image"] == pytest.approx(np.mean(known))
    whole = sum((count_aji(one) for one in overlaps[1:]), count_aji(overlaps[0]))
    assert found["aji_pooled"] == pytest.approx(aji(whole, empty="skip"))
    assert found["pq_pooled"] == pytest.approx(found["dq_pooled"] * found["sq_pooled"])


def test_pannukes_scores_are_those_of_its_authors_rule(frames):
    found = object_scores(add_up(counted(frames)), classes=CLASSES, empty="skip")
    patches = [
        count_patch(
            pred, truth, pred_types=kinds[0], truth_types=kinds[1], num_classes=3, tissue=str(t)
        )
        for (pred, truth, kinds), t in zip(frames, TISSUES, strict=True)
    ]
    rule = "truth_empty_skipped"
    assert found["bpq@pannuke"] == pytest.approx(bpq(patches, empty_patch=rule))
    assert found["mpq@pannuke"] == pytest.approx(mpq(patches, empty_patch=rule))


def test_types_change_only_scores_of_types(frames):
    kept = object_scores(add_up(counted(frames)), classes=CLASSES, empty="skip")
    turned = [
        (p, t, ({n: k % 3 + 1 for n, k in kinds[0].items()}, kinds[1])) for p, t, kinds in frames
    ]
    other = object_scores(add_up(counted(turned)), classes=CLASSES, empty="skip")
    assert {name for name in kept if kept[name] != other[name]} == {
        "mpq@pannuke",
        "mpq_pooled",
        *(f"pq_pooled[{name}]" for name in CLASSES),
    }


def test_an_untyped_object_is_found_but_of_no_class(frames):
    pred, truth, (ours, theirs) = frames[0]
    first = min(ours)
    less = ({number: kind for number, kind in ours.items() if number != first}, theirs)
    one, two = (counted([(pred, truth, kinds)] * 5)[0] for kinds in ((ours, theirs), less))
    np.testing.assert_array_equal(one["objects"], two["objects"])
    assert one["typed"][:, :2].sum() == two["typed"][:, :2].sum() + 1


@pytest.mark.parametrize(("empty", "value"), [("skip", None), ("one", 1.0), ("zero", 0.0)])
def test_a_frame_without_any_object_scores_by_the_policy(empty, value):
    nothing = np.zeros((8, 8), np.int32)
    sums = count_object_frame(nothing, nothing, types=({}, {}), num_classes=1, empty=empty)
    found = object_scores(sums, classes=(), empty=empty)
    assert found["pq_per_image"] == found["aji_pooled"] == value
    assert found["bpq@pannuke"] is None


def test_objects_mostly_in_ignored_pixels_are_left_out():
    objects = np.zeros((10, 10), np.int32)
    objects[:2], objects[5:7] = 1, 7
    ignore = np.zeros((10, 10), bool)
    ignore[1:6] = True  # half of both
    np.testing.assert_array_equal(drop_ignored(objects, ignore), objects)
    ignore[6, :3] = True
    assert np.unique(drop_ignored(objects, ignore)).tolist() == [0, 1]
