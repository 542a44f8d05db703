import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_crack.errors import UsageError
from sam_crack.infer.windows import blend_weights, plan_windows, window_weight

sides = st.integers(1, 700)
windows = st.integers(2, 20).map(lambda n: 16 * n)
overlaps = st.floats(0, 0.75)


@given(st.tuples(sides, sides), st.tuples(windows, windows), overlaps)
def test_windows_cover_every_pixel(size, window, overlap):
    plan = plan_windows(size, window, overlap=overlap)
    seen = np.zeros(size, bool)
    for y, x in plan.corners:
        seen[y : y + window[0], x : x + window[1]] = True
    assert seen.all()
    assert len(plan.corners) == len(plan)


@given(sides, windows, overlaps)
def test_neighbours_overlap_at_least_as_asked_and_lie_evenly(side, window, overlap):
    tops = plan_windows((side, 64), (window, 64), overlap=overlap).tops
    steps = np.diff(tops)
    assert (steps <= max(4, window * (1 - overlap)) + 1e-6).all()
    assert steps.size == 0 or steps.max() - steps.min() <= 4
    assert all(top % 4 == 0 for top in tops)


@given(sides, windows, overlaps)
def test_one_window_fewer_would_not_do(side, window, overlap):
    count = len(plan_windows((side, 64), (window, 64), overlap=overlap))
    step = max(4, int(window * (1 - overlap) + 1e-9) // 4 * 4)
    assert count == 1 or (count - 2) * step + window < side


@given(sides, windows)
def test_the_last_window_reaches_past_the_frame_by_less_than_a_step(side, window):
    plan = plan_windows((side, 64), (window, 64))
    assert 0 <= plan.tops[-1] + window - max(side, window) < 4


@settings(max_examples=30)
@given(
    st.tuples(sides, sides),
    st.tuples(windows, windows),
    overlaps,
    st.sampled_from(["cosine", "gaussian", "constant"]),
)
def test_blend_weights_are_a_partition_of_unity(size, window, overlap, blend):
    plan = plan_windows(size, window, overlap=overlap)
    top, left, height, width = plan.canvas
    total = np.zeros((height // 4, width // 4))
    for (y, x), weight in zip(plan.corners, blend_weights(plan, 4, blend), strict=True):
        row, column = (y - top) // 4, (x - left) // 4
        total[row : row + window[0] // 4, column : column + window[1] // 4] += weight
    np.testing.assert_allclose(total, 1.0, atol=1e-5)


@pytest.mark.parametrize(
    ("window", "overlap", "grid"),
    [((1024, 1024), 0.0, (3, 4)), ((1024, 1024), 0.25, (3, 5)), ((1024, 1024), 0.5, (4, 7))],
)
def test_a_4k_frame_takes_the_known_number_of_windows(window, overlap, grid):
    plan = plan_windows((2160, 3840), window, overlap=overlap)
    assert (len(plan.tops), len(plan.lefts)) == grid


@given(st.integers(0, 600), st.integers(1, 600), windows)
def test_a_band_is_covered_and_nothing_far_above_it(first, length, window):
    last = min(640, first + length)
    plan = plan_windows((640, 640), (window, 64), rows=(first, last))
    assert plan.rows[0] <= first
    assert plan.rows[1] >= last
    assert plan.rows[0] > min(first, last - window) - 4 or plan.rows[0] == 0


def test_weights_never_fall_below_the_floor():
    assert window_weight((64, 64), "gaussian").min() >= 1e-3 * 0.999
    assert window_weight((64, 64), "cosine").min() >= 1e-6 * 0.999


@pytest.mark.parametrize(
    "wrong", [{"window": (30, 32)}, {"overlap": 0.9}, {"rows": (50, 50)}, {"size": (0, 5)}]
)
def test_impossible_plans_are_refused(wrong):
    asked = {"size": (100, 100), "window": (32, 32)} | wrong
    with pytest.raises(UsageError):
        plan_windows(asked.pop("size"), asked.pop("window"), **asked)
