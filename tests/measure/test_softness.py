import math

import numpy as np
import pytest

from sam_crack.measure.softness import line_softness


def line(sigma, depth=90.0, size=96):
    """A slanted dark line of Gaussian section, and where it is."""
    y, x = np.mgrid[:size, :size].astype(float)
    across = (y - size / 2) * math.cos(0.3) - (x - size / 2) * math.sin(0.3)
    grey = 200 - depth * np.exp(-(across**2) / (2 * sigma**2))
    return np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2), np.abs(across)


def softness(image, mask):
    return math.exp(line_softness(image, mask).mean())


@pytest.mark.parametrize("sigma", [1.0, 1.6, 2.5, 4.0])
def test_a_line_is_as_soft_as_its_section(sigma):
    image, across = line(sigma)
    assert softness(image, across < 1.2 * sigma + 0.5) == pytest.approx(sigma, rel=0.2)


def test_how_wide_it_was_drawn_and_how_dark_it_is_have_no_say():
    image, across = line(2.0)
    faint, _ = line(2.0, depth=20)
    own = softness(image, across < 1)
    assert softness(image, across < 6) == pytest.approx(own, rel=0.02)
    assert softness(faint, across < 1) == pytest.approx(own, rel=0.05)


def test_every_pixel_of_a_centre_line_counts_once():
    image, across = line(1.5)
    found = line_softness(image, across < 3)
    assert len(found) == pytest.approx(96, abs=6)
    assert len(line_softness(image, np.zeros((96, 96), np.uint8))) == 0
