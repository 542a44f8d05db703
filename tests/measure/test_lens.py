"""Distortion against OpenCV's, and its undoing."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_crack.measure.lens import Lens

lenses = st.builds(
    Lens,
    k1=st.floats(-0.35, 0.3),
    k2=st.floats(-0.1, 0.15),
    p1=st.floats(-0.004, 0.004),
    p2=st.floats(-0.004, 0.004),
    k3=st.floats(-0.03, 0.05),
)
places = st.tuples(st.floats(-0.75, 0.75), st.floats(-0.45, 0.45)).map(np.array)


def coefficients(lens):
    return np.array([lens.k1, lens.k2, lens.p1, lens.p2, lens.k3])


@given(lenses, places)
def test_bending_equals_opencv(lens, place):
    point = np.array([[[*place, 1.0]]])
    theirs, _ = cv2.projectPoints(point, np.zeros(3), np.zeros(3), np.eye(3), coefficients(lens))
    np.testing.assert_allclose(lens.distort(place), theirs.ravel(), atol=1e-9)


@given(lenses, places)
def test_straightening_equals_opencv(lens, place):
    bent = lens.distort(place)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-12)
    theirs = cv2.undistortPoints(
        bent[None, None], np.eye(3), coefficients(lens), R=np.eye(3), P=np.eye(3), criteria=stop
    ).ravel()
    found = lens.straighten(bent)
    np.testing.assert_allclose(lens.distort(theirs), bent, atol=1e-6)  # theirs has converged
    np.testing.assert_allclose(found, theirs, atol=1e-5)


@given(lenses, places)
def test_straightening_undoes_bending(lens, place):
    np.testing.assert_allclose(lens.straighten(lens.distort(place)), place, atol=1e-8)


def test_where_the_polynomial_turns_back_there_is_nothing():
    barrel = Lens(k1=-0.3)
    assert barrel.reach == pytest.approx(1 / np.sqrt(0.9))
    assert np.isnan(barrel.distort(np.array([1.1, 0.0]))).all()
    farthest = barrel.distort(np.array([barrel.reach, 0.0]))[0]
    assert np.isnan(barrel.straighten(np.array([[farthest + 0.01, 0.0]]))).all()
    near = np.array([0.99 * farthest, 0.0])
    np.testing.assert_allclose(barrel.distort(barrel.straighten(near)), near, atol=1e-9)


@settings(max_examples=20)
@given(lenses)
def test_a_whole_frame_at_once_is_what_each_point_is_alone(lens):
    y, x = np.mgrid[-0.4:0.4:5j, -0.7:0.7:7j]
    bent = lens.distort(np.stack([x, y], axis=-1))
    alone = [lens.straighten(point) for point in bent.reshape(-1, 2)]
    np.testing.assert_allclose(lens.straighten(bent).reshape(-1, 2), alone, atol=1e-9)


def test_no_distortion_changes_nothing():
    place = np.array([[0.3, -0.2], [9.0, 4.0]])
    assert Lens().is_straight
    np.testing.assert_array_equal(Lens().straighten(place), place)
