import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from sam_crack.infer.gate import RAMP, ROWS, Gate, soften

weights = some.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.just(0) | st.floats(0, 1, width=16),
)
sides = st.integers(1, 60)


@given(weights, sides, sides)
def test_a_frame_of_any_size_has_weights_between_those_of_its_cells(weight, height, width):
    found = Gate(weight).at((height, width))
    assert found.shape == (height, width)
    assert found.min() >= weight.min() - 1e-6
    assert found.max() <= weight.max() + 1e-6


@given(weights, sides, sides)
def test_all_that_counts_lies_within_the_bounds(weight, height, width):
    gate = Gate(weight)
    bounds = gate.bounds((height, width))
    if bounds is None:
        assert weight.max() == 0
        return
    (top, bottom), (left, right) = bounds
    found = gate.at((height, width))
    found[top:bottom, left:right] = 0
    assert found.max() == 0


def test_cells_are_sampled_at_their_middle():
    gate = Gate(np.linspace(0.05, 0.95, 10, dtype=np.float32)[None].repeat(10, 0))
    pixels, cells = gate.at((400, 400)), gate.sample((400, 400), (40, 80), (30, 60), step=4)
    mean = pixels[40:160, 80:320].reshape(30, 4, 60, 4).mean((1, 3))
    np.testing.assert_allclose(cells, mean, atol=2e-3)


def test_a_piece_is_the_part_of_the_whole():
    rng = np.random.default_rng(0)
    gate = Gate(np.repeat(np.repeat(rng.random((12, 12), np.float32), 20, 0), 20, 1))
    whole = gate.at((480, 480))
    piece = gate.piece(0.25, 0.1, 0.75, 1.0).at((240, 432))
    assert np.abs(piece - whole[120:360, 48:]).mean() < 2e-3
    assert gate.piece(0.25, 0.1, 0.75, 1.0) is gate.piece(0.25, 0.1, 0.75, 1.0)


@pytest.mark.parametrize("wider", [0.0, 0.05])
def test_a_region_counts_wholly_and_its_edge_falls_over_the_ramp(wider):
    region = np.zeros((ROWS, 300), bool)
    region[100:140, 100:200] = True
    weight = soften(region, wider=wider).weight
    assert (weight[region] == 1).all()
    row = weight[120, :101][::-1]
    assert (np.diff(row) <= 0).all()
    half = int(np.argmax(row < 0.5)) / ROWS
    assert half == pytest.approx(wider + RAMP / 2, abs=2 / ROWS)


def test_a_weight_of_one_stays_one_at_every_size():
    for size in ((7, 9), (240, 427), (2160, 3840)):
        assert (Gate(np.ones((ROWS, 427), np.float32)).at(size) == 1).all()
