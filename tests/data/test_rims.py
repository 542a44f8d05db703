"""Rims against scikit-image, and as what keeps touching objects apart."""

import numpy as np
import pytest
from skimage.segmentation import find_boundaries

from sam_crack.data.rims import need_instances, rims
from sam_crack.errors import BadInput
from sam_crack.measure.instances import split_instances


def disks(count: int = 14, size: int = 160) -> np.ndarray:
    """Disks of which many touch; later ones lie on top."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:size, :size]
    numbers = np.zeros((size, size), np.int32)
    for number in range(1, count + 1):
        row, column = rng.integers(20, size - 20, 2)
        radius = rng.integers(9, 17)
        numbers[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = number
    return numbers


def test_a_rim_of_one_pixel_is_the_inner_boundary():
    expected = find_boundaries(disks(), connectivity=1, mode="inner")
    assert np.array_equal(rims(disks(), width_px=1), expected)


def test_rims_and_foreground_give_the_objects_back():
    truth = disks()
    level = np.where(truth > 0, 255, 0).astype(np.uint8)
    border = np.where(rims(truth), 255, 0).astype(np.uint8)
    found = split_instances(level, border)
    without = split_instances(level, np.zeros_like(border))
    assert without.max() < len(np.unique(truth)) - 1
    for number in np.unique(truth[truth > 0]):
        mine = truth == number
        best = np.bincount(found[mine]).argmax()
        assert (mine & (found == best)).sum() / (mine | (found == best)).sum() > 0.9


def test_what_is_unknown_makes_no_border():
    numbers = np.full((20, 20), 7, np.int32)
    unknown = np.zeros((20, 20), np.bool_)
    unknown[:, 12:] = True
    numbers[:, 12:] = 0
    assert not rims(numbers, ignore=unknown).any()
    assert rims(numbers)[:, 10:12].all()


def test_samples_without_instances_are_refused():
    with pytest.raises(BadInput, match=r"tile-3: model.head.boundary without instances.*consep"):
        need_instances(None, "tile-3")
