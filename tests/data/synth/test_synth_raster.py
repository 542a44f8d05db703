import numpy as np
import pytest
from PIL import Image, ImageDraw

from sam_crack.data.synth.raster import coverage, ribbon

FINE = 16


def supersampled(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Reference: test the middle of 16 x 16 parts of every pixel for being inside, by winding."""
    steps = (np.arange(FINE) + 0.5) / FINE - 0.5
    y = (np.arange(size[0])[:, None] + steps).reshape(-1)[:, None]
    x = (np.arange(size[1])[:, None] + steps).reshape(-1)[None, :]
    inside = np.zeros((y.size, x.size), bool)
    for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        at = x0 + (y - y0) * (x1 - x0) / (y1 - y0 if y1 != y0 else 1e-12)
        inside ^= crosses & (x < at)
    return inside.reshape(size[0], FINE, size[1], FINE).mean(axis=(1, 3))


@pytest.mark.parametrize("seed", range(6))
def test_coverage_equals_fine_sampling(seed):
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, 5))
    corners = 12 + 9 * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    found = coverage([corners], (24, 24)).on((24, 24))
    assert np.abs(found - supersampled(corners, (24, 24))).max() < 0.05


def test_area_is_the_shoelace_area():
    corners = np.array([[2.25, 3.5], [11.75, 1.125], [14.5, 17.25]])
    y, x = corners[:, 0], corners[:, 1]
    area = abs(y @ np.roll(x, -1) - x @ np.roll(y, -1)) / 2
    assert coverage([corners], (20, 20)).share.sum() == pytest.approx(area, abs=1e-4)


def test_turning_direction_does_not_matter():
    corners = np.array([[2.0, 3.0], [9.5, 1.0], [7.0, 12.0]])
    one, other = (coverage([c], (20, 20)).on((20, 20)) for c in (corners, corners[::-1]))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_quads_of_a_ribbon_join_without_a_seam():
    x = np.linspace(3, 30, 28)
    top, bottom = (np.stack([np.full_like(x, y), x], axis=1) for y in (5.3, 9.1))
    found = coverage(ribbon(top, bottom), (20, 40)).on((20, 40))
    assert np.abs(found[7, 5:29] - 1).max() < 1e-5
    assert found.sum() == pytest.approx(27 * 3.8, rel=1e-5)


def test_hairline_covers_its_share_of_a_pixel():
    line = np.array([[4.0, 6.9], [4.0, 7.1], [12.0, 7.1], [12.0, 6.9]])
    found = coverage([line], (16, 16)).on((16, 16))
    np.testing.assert_allclose(found[6:11, 7], 0.2, atol=1e-6)


def test_polygon_beyond_every_border_fills_the_frame():
    corners = np.array([[-50.0, -50.0], [-50.0, 90.0], [70.0, 90.0], [70.0, -50.0]])
    assert coverage([corners], (12, 14)).on((12, 14)).min() == pytest.approx(1.0, abs=1e-5)


def test_polygon_outside_or_undefined_covers_nothing():
    outside = np.array([[30.0, 2.0], [40.0, 2.0], [40.0, 9.0]])
    undefined = np.array([[np.nan, 2.0], [4.0, 2.0], [4.0, 9.0]])
    assert not coverage([outside, undefined], (20, 20)).on((20, 20)).any()


def test_whole_pixels_agree_with_pillow():
    image = Image.new("L", (20, 20))
    ImageDraw.Draw(image).rectangle([3, 5, 11, 14], fill=1)
    square = np.array([[4.5, 2.5], [4.5, 11.5], [14.5, 11.5], [14.5, 2.5]])
    np.testing.assert_allclose(
        coverage([square], (20, 20)).on((20, 20)), np.array(image), atol=1e-6
    )
