import cv2
import numpy as np
import pytest

from sam_crack.measure.widths import typical_width


def bar(width, length=100):
    mask = np.zeros((80, 140), np.uint8)
    mask[30 : 30 + width, 20 : 20 + length] = 1
    return mask


@pytest.mark.parametrize("width", [2, 3, 4, 5, 8])
def test_the_width_of_a_bar_is_its_own(width):
    assert typical_width([bar(width)]) == pytest.approx(width, abs=0.3)


def test_length_decides_not_number():
    assert typical_width([bar(3, 20), bar(3, 20), bar(7, 100)]) == pytest.approx(7, abs=0.3)


def test_a_slanted_line_is_as_wide_as_it_was_drawn():
    mask = np.zeros((200, 200), np.uint8)
    corners = np.array([[20, 20], [26, 14], [186, 174], [180, 180]])  # 8.5 px across
    cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    assert typical_width([mask]) == pytest.approx(6 * 2**0.5, abs=1)


def test_areas_and_empty_masks_have_no_line_width():
    assert typical_width([np.zeros((50, 50), np.uint8), np.ones((50, 50), np.uint8)]) is None
