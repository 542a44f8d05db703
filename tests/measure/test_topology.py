import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from sam_crack.measure.topology import Parts, betti0_error, count_parts


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_parts_equal_scikit_image(seed):
    pred, truth, ignore = np.random.default_rng(seed).random((3, 30, 40)) < 0.25
    parts = count_parts(pred, truth)
    assert parts.pred == label(pred, connectivity=2).max()
    assert parts.truth == label(truth, connectivity=2).max()
    assert count_parts(pred, truth, ignore) == count_parts(pred & ~ignore, truth & ~ignore)


def test_a_missed_mask_is_off_by_all_its_parts():
    assert betti0_error(Parts(truth=7), empty="one") == 7
    assert betti0_error(Parts(pred=3, truth=7), empty="skip") == 4


@pytest.mark.parametrize(("policy", "value"), [("skip", None), ("one", 0.0)])
def test_the_policy_speaks_where_both_are_empty(policy, value):
    nothing = np.zeros((5, 5), np.uint8)
    assert betti0_error(count_parts(nothing, nothing), empty=policy) == value
