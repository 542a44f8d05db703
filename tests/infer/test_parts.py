import numpy as np
import pytest

from sam_crack.infer.parts import Part, join_classes, join_levels, strip_parts, whole_frame
from sam_crack.infer.scale import resize_levels, scaled_size
from sam_crack.measure.road_scale import Strip

SIZE = (200, 30)
STRIPS = [
    Strip(first=40, last=60, millimetres=8),
    Strip(first=60, last=100, millimetres=4),
    Strip(first=100, last=200, millimetres=2),
]
PARTS = strip_parts(STRIPS, (2.0, 1.0, 0.5), SIZE)


def shown(part, levels):
    rows = levels[part.first : part.last]
    return resize_levels(rows, scaled_size((len(rows), SIZE[1]), part.factor))


def test_parts_know_their_rows():
    # ramps: a quarter of the lower of two neighbours, 5 and 10 rows to either side
    assert [(part.first, part.last) for part in PARTS] == [(40, 70), (50, 120), (80, 200)]
    assert [part.full for part in PARTS] == [(40, 55), (65, 90), (110, 200)]


def test_weights_sum_to_one_on_the_road_and_to_none_above_it():
    total = np.zeros(SIZE[0])
    for part in PARTS:
        total[part.first : part.last] += part.weight()
    np.testing.assert_allclose(total[40:], 1, atol=1e-6)
    assert not total[:40].any()


def test_a_ramp_is_straight_and_crosses_at_the_border():
    weight = Part(80, 200, 1.0, (110, 200), (20, 0)).weight()
    np.testing.assert_allclose(
        weight[[9, 10, 19, 20, 29, 30]], [0, 1 / 40, 19 / 40, 21 / 40, 39 / 40, 1]
    )


def test_what_is_alike_at_all_scales_is_joined_to_itself():
    levels = np.full(SIZE, 77, np.uint8)
    joined = join_levels([shown(part, levels) for part in PARTS], PARTS, SIZE)
    assert (joined[40:] == 77).all()
    assert not joined[:40].any()


def test_strips_count_fully_within_and_by_half_where_they_meet():
    values = (10, 100, 200)
    found = [
        np.full(scaled_size((part.last - part.first, SIZE[1]), part.factor), value, np.uint8)
        for part, value in zip(PARTS, values, strict=True)
    ]
    joined = join_levels(found, PARTS, SIZE)[:, 0]
    assert set(joined[40:55]) == {10}
    assert set(joined[65:90]) == {100}
    assert set(joined[110:]) == {200}
    assert joined[[59, 60]].mean() == pytest.approx(55, abs=1)
    assert joined[[99, 100]].mean() == pytest.approx(150, abs=1)
    assert (np.diff(joined[40:].astype(int)) >= 0).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_whole_frame_is_only_resized(kind):
    levels = np.arange(100 * 15, dtype=kind).reshape(100, 15)
    joined = join_levels([levels], whole_frame(SIZE, 0.5), SIZE)
    np.testing.assert_array_equal(joined, resize_levels(levels, SIZE))
    assert joined.dtype == kind


def test_classes_are_those_of_the_part_that_counts_more():
    found = [
        np.full(scaled_size((part.last - part.first, SIZE[1]), part.factor), number, np.uint8)
        for number, part in enumerate(PARTS, 1)
    ]
    classes = join_classes(found, PARTS, SIZE)[:, 0]
    assert [np.unique(part).tolist() for part in np.split(classes, [40, 60, 100])] == [
        [0],
        [1],
        [2],
        [3],
    ]
