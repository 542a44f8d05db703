import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import skeletonize

from sam_crack.measure.skeleton import FREE, prune, thin, trace


def radius(mask):
    return cv2.distanceTransform(mask, cv2.DIST_L2, 5)


def strokes(seed, size=(420, 360), count=12):
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    for _ in range(count):
        steps = rng.normal(0, 5, (60, 2)) + rng.uniform(-6, 6, 2)
        walk = (np.cumsum(steps, 0) + rng.uniform(50, 300, 2)).round().astype(np.int32)
        cv2.polylines(mask, [walk], isClosed=False, color=255, thickness=int(rng.integers(1, 16)))
    return mask


def drawing(*lines, size=(120, 120), thickness=1):
    mask = np.zeros(size, np.uint8)
    for start, end in lines:
        cv2.line(mask, start[::-1], end[::-1], 255, thickness)
    return mask


def graph_of(mask):
    return trace(thin(mask, float(radius(mask).max())))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_strips_give_the_pixels_of_the_whole_frame(seed):
    mask = strokes(seed)
    whole = skeletonize(mask > 0, method="lee")
    np.testing.assert_array_equal(thin(mask, float(radius(mask).max())) > 0, whole)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.6, 8))
def test_strips_agree_on_blobs_too(seed, sigma):
    noise = np.random.default_rng(seed).normal(size=(300, 260)).astype(np.float32)
    mask = (cv2.GaussianBlur(noise, (0, 0), sigma) > 0.02).astype(np.uint8)
    whole = skeletonize(mask > 0, method="lee")
    np.testing.assert_array_equal(thin(mask, float(radius(mask).max())) > 0, whole)


def test_an_empty_mask_has_no_graph():
    graph = graph_of(np.zeros((50, 50), np.uint8))
    assert graph.branches == ()
    assert graph.num_loops == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_graph_keeps_every_skeleton_pixel_once(seed):
    skeleton = cv2.copyMakeBorder(strokes(seed, count=6), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    skeleton = thin(skeleton, float(radius(skeleton).max()))
    graph = trace(skeleton)
    pixels = [tuple(p) for branch in graph.branches for p in branch.points.tolist()]
    assert len(pixels) == len(set(pixels))
    neighbours = cv2.filter2D(skeleton, cv2.CV_16S, np.ones((3, 3))) - skeleton
    assert set(pixels) == set(zip(*np.nonzero((skeleton > 0) & (neighbours <= 2)), strict=True))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_branches_walk_from_neighbour_to_neighbour(seed):
    mask = cv2.copyMakeBorder(strokes(seed, count=6), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    for branch in graph_of(mask).branches:
        assert (np.abs(np.diff(branch.points, axis=0)).max(initial=0)) <= 1


def test_a_crossing_has_one_node_and_four_branches():
    graph = graph_of(drawing(((20, 20), (100, 100)), ((100, 20), (20, 100))))
    assert len(graph.nodes) == 1
    assert [FREE in (b.start, b.end) for b in graph.branches] == [True] * 4
    assert graph.num_loops == 0


@pytest.mark.parametrize("cells", [1, 2, 3, 5])
def test_loops_are_counted_as_cells(cells):
    mask = np.zeros((80, 60 * cells + 40), np.uint8)
    for cell in range(cells):
        cv2.rectangle(mask, (20 + 50 * cell, 20), (70 + 50 * cell, 60), 255, 2)
    graph = prune(graph_of(mask), radius(mask))
    assert graph.num_loops == cells


def test_a_ring_closes_on_itself():
    mask = np.zeros((100, 100), np.uint8)
    cv2.circle(mask, (50, 50), 30, 255, 3)
    (ring,) = prune(graph_of(mask), radius(mask)).branches
    assert ring.is_ring
    assert len(ring.points) > 150


def test_spurs_go_and_their_bar_becomes_one_branch():
    mask = drawing(((60, 10), (60, 110)), thickness=7)
    mask[52:57, 50:53] = 255  # a bump of 3 pixels on a bar of 7
    graph = graph_of(mask)
    (branch,) = prune(graph, radius(mask)).branches
    assert branch.start == branch.end == FREE
    assert len(branch.points) >= 90


def test_a_real_side_branch_stays():
    mask = drawing(((60, 10), (60, 110)), ((60, 60), (90, 60)), thickness=3)
    assert len(prune(graph_of(mask), radius(mask)).branches) == 3
