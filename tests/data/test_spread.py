"""Places from all over a sequence, each once."""

import pytest

from sam_crack.data.spread import spread


@pytest.mark.parametrize(
    ("count", "at_most", "places"),
    [(5, 3, [0, 2, 4]), (3, 8, [0, 1, 2]), (100, 2, [0, 99]), (1, 4, [0]), (0, 4, [])],
)
def test_places_lie_all_over(count, at_most, places):
    assert spread(count, at_most) == places


def test_no_place_comes_twice():
    assert all(len(set(spread(count, 16))) == min(count, 16) for count in range(80))
