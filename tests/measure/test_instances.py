import numpy as np
import pytest
from scipy import ndimage

from sam_crack.errors import BadInput
from sam_crack.measure.instances import (
    inmost,
    split_by_shape,
    split_instances,
    vote_types,
)
from sam_crack.measure.metrics import to_level
from sam_crack.measure.panoptic import aji, count_aji, count_overlaps


def discs(centres, radius, size=(80, 100)):
    """Numbered discs, each pixel given to the nearest centre."""
    y, x = np.mgrid[: size[0], : size[1]]
    away = np.array([np.hypot(y - cy, x - cx) for cy, cx in centres])
    return np.where(away.min(0) <= radius, away.argmin(0) + 1, 0).astype(np.int32)


def maps(truth, width=1):
    """What a perfect model would say: foreground, and the border between objects."""
    edge = np.zeros(truth.shape, bool)
    for axis in (0, 1):
        step = np.diff(truth, axis=axis, prepend=0) != 0
        edge |= step & (truth > 0)
    border = ndimage.binary_dilation(edge, iterations=width) & (truth > 0)
    return (truth > 0).astype(np.uint8) * 250, border.astype(np.uint8) * 250


def test_touching_objects_are_told_apart_and_keep_their_shape():
    truth = discs([(30, 30), (30, 44), (50, 38), (60, 80)], 9)
    found = split_instances(*maps(truth))
    assert found.max() == 4
    assert aji(count_aji(count_overlaps(found, truth)), empty="skip") > 0.9
    np.testing.assert_array_equal(found > 0, truth > 0)


def test_without_borders_touching_objects_stay_one():
    truth = discs([(30, 30), (30, 44)], 9)
    prob, border = maps(truth)
    assert split_instances(prob, border * 0).max() == 1


def test_apart_objects_equal_connected_parts_in_reading_order():
    truth = discs([(15, 80), (40, 20), (65, 60)], 8)
    found = split_instances(*maps(truth))
    np.testing.assert_array_equal(found, ndimage.label(truth > 0)[0])


def test_what_is_all_border_is_kept_as_one_object():
    truth = discs([(20, 20), (50, 60)], 6)
    prob, border = maps(truth)
    border[truth == 2] = 250
    found = split_instances(prob, border)
    assert {int(found[20, 20]), int(found[50, 60])} == {1, 2}


def test_crumbs_are_dropped_and_nothing_gives_nothing():
    prob = np.zeros((40, 40), np.uint8)
    assert split_instances(prob, prob).max() == 0
    prob[5:7, 5:7] = 255
    assert split_instances(prob, prob * 0, min_area_px=10).max() == 0
    assert split_instances(prob, prob * 0, min_area_px=4).max() == 1


def test_types_are_the_majority_of_their_pixels():
    instances = discs([(20, 20), (50, 60), (20, 80)], 6)
    classes = np.zeros(instances.shape, np.uint8)
    classes[instances == 1] = 3
    classes[20, 18:22] = 1
    classes[instances == 2] = 2
    assert vote_types(instances, classes) == {1: 3, 2: 2}
    assert vote_types(instances * 0, classes) == {}


def test_maps_that_do_not_fit_are_refused():
    one = np.zeros((4, 4), np.uint8)
    with pytest.raises(BadInput, match="two uint8 maps"):
        split_instances(one, one[:2])
    with pytest.raises(BadInput, match="two uint8 maps"):
        split_instances(one / 255, one)


def test_by_shape_alone_bulges_are_objects_and_waists_part_them():
    truth = discs([(30, 30), (30, 44), (55, 80), (10, 90)], 9)
    found = split_by_shape(truth > 0)
    assert found.max() == 4
    assert aji(count_aji(count_overlaps(found, truth)), empty="skip") > 0.9
    np.testing.assert_array_equal(found > 0, truth > 0)


def test_by_shape_alone_one_convex_object_stays_one_wherever_it_lies():
    y, x = np.mgrid[:80, :100]
    for centre in ((40, 50), (3, 50), (40, 97)):  # at the frame's edge too
        ellipse = ((y - centre[0]) / 12) ** 2 + ((x - centre[1]) / 20) ** 2 <= 1
        assert split_by_shape(ellipse).max() == 1


def test_by_shape_alone_thin_pieces_are_kept_whole_and_crumbs_dropped():
    mask = np.zeros((40, 60), bool)
    mask[5:7, 5:45], mask[20:22, 20:22] = True, True
    found = split_by_shape(mask)
    assert np.unique(found[5:7, 5:45]).tolist() == [1]
    assert found.max() == 1
    assert split_by_shape(mask & False).max() == 0


def test_the_inmost_pixel_is_farthest_from_what_lies_outside():
    rng = np.random.default_rng(0)
    for _ in range(5):
        mask = ndimage.binary_dilation(rng.random((40, 50)) > 0.97, iterations=3)
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        y, x = inmost(mask)
        assert mask[y, x]
        assert depth[y, x] >= depth.max() - 0.5  # OpenCV's distances are not exact


def test_objects_hold_the_pixels_that_the_mask_holds():
    prob = np.zeros((40, 60), np.uint8)
    prob[5:20, 5:20], prob[5:20, 30:45], prob[25:35, 5:20] = 76, 77, 78
    objects = split_instances(prob, prob * 0, threshold=0.3)  # .3 lies between 76 and 77 of 255
    np.testing.assert_array_equal(objects > 0, prob >= to_level(0.3))
    assert set(prob[objects > 0].tolist()) == {77, 78}
