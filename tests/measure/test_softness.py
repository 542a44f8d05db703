import math

import numpy as np
import pytest

from sam_crack.measure.softness import along, dark_lines


def line(sigma, depth=90.0, size=96, noise=0.0):
    """A slanted dark line of Gaussian section, and where it is."""
    y, x = np.mgrid[:size, :size].astype(float)
    across = (y - size / 2) * math.cos(0.3) - (x - size / 2) * math.sin(0.3)
    grey = 200 - depth * np.exp(-(across**2) / (2 * sigma**2))
    grey += np.random.default_rng(0).normal(0, noise, grey.shape)
    return np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2), np.abs(across)


def softness(image, mask):
    return math.exp(along(dark_lines(image), mask).mean())


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
    lines = dark_lines(image)
    assert len(along(lines, across < 3)) == pytest.approx(96, abs=6)


def test_noise_of_a_tenth_of_its_depth_makes_a_line_hardly_sharper():
    image, across = line(2.0, depth=60, noise=6)
    assert 1.5 < softness(image, across < 2) < 2.2


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_empty_masks_and_areas_have_no_lines(share):
    image, _ = line(2.0)
    mask = np.zeros((96, 96), np.uint8)
    mask[: round(96 * share)] = 1
    assert len(along(dark_lines(image), mask)) == 0


def test_what_is_brighter_than_around_it_is_no_dark_line():
    image, across = line(2.0, depth=-40)
    assert len(along(dark_lines(image), across < 2)) < 5
