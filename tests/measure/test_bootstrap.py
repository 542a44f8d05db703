import numpy as np
import pytest
from scipy import stats

from sam_crack.errors import BadInput
from sam_crack.measure.bootstrap import by_group, draw, interval, means, resample


def frames(values):
    return [{"sum": np.array([value, 1.0])} for value in values]


def mean(sums):
    return {"mean": float(sums["sum"][0] / sums["sum"][1])}


def test_the_interval_equals_scipy():
    values = np.random.default_rng(1).normal(5, 2, 40)
    _, groups = by_group(frames(values), [f"{n:02d}" for n in range(40)])
    ours = interval(resample(groups, draw(40, resamples=4000, seed=2), mean)["mean"])
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.08)


def test_frames_of_one_group_are_no_new_evidence():
    values = np.random.default_rng(1).normal(5, 2, 10).repeat(20)
    widths = []
    for groups in ([str(n) for n in range(200)], [str(n // 20) for n in range(200)]):
        names, summed = by_group(frames(values), groups)
        drawn = resample(summed, draw(len(names), resamples=1000, seed=0), mean)["mean"]
        found = interval(drawn)
        widths.append(found.high - found.low)
    assert widths[1] > 3 * widths[0]


def test_groups_are_summed_whatever_their_order():
    names, summed = by_group(frames([1, 2, 4]), ["b", "a", "b"])
    assert names == ["a", "b"]
    assert [group["sum"].tolist() for group in summed] == [[2, 1], [5, 2]]
    with pytest.raises(BadInput, match="a group for every frame"):
        by_group(frames([1]), [])


def test_a_resample_is_the_sum_of_what_was_drawn():
    _, summed = by_group(frames([1, 2, 4]), ["a", "b", "c"])
    draws = np.array([[3, 0, 0], [0, 1, 2]])
    assert resample(summed, draws, mean)["mean"].tolist() == [1.0, pytest.approx(10 / 3)]


def test_draws_repeat_and_hold_as_many_groups():
    one, two = (draw(7, resamples=50, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (one.sum(axis=1) == 7).all()


def test_missing_values_make_no_interval():
    assert interval(np.array([np.nan, np.nan, 1.0, 2.0])) is None
    assert interval(np.append(np.full(99, 1.0), np.nan)).low == 1.0


def test_means_resample_whole_groups():
    values = np.array([[1.0, 10], [2, 20], [3, 30], [100, 0]])
    drawn = means(values, ["a", "a", "a", "b"], resamples=200, seed=1)
    assert drawn.shape == (200, 2)
    # Two groups: both a, both b, or one of each; nothing else can be drawn.
    assert {tuple(row) for row in drawn.tolist()} == {(2.0, 20.0), (100.0, 0.0), (26.5, 15.0)}
    again = means(values, ["a", "a", "a", "b"], resamples=200, seed=1)
    np.testing.assert_array_equal(drawn, again)
