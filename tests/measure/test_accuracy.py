"""Lengths and widths on the true masks of rendered drives, whose cracks are known exactly."""

import importlib.util
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "measure.py"


@pytest.fixture(scope="module")
def measure():
    spec = importlib.util.spec_from_file_location("measure_benchmark", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=[False, True], ids=["straight", "turned and bent"])
def rings(measure, request):
    """Ring to what was found of single cracks there; 0 is all within 15 m."""
    found = defaultdict(list)
    for seed in measure.SEEDS:
        for index in range(6):
            for pair in measure.compare_frame(seed, index, bent=request.param):
                is_net = "alligator" in pair.kinds
                found["nets" if is_net else pair.ring].append(pair)
    return found


def test_the_length_of_a_crack_within_15_m_is_within_3_percent(rings):
    assert len(rings[0]) >= 10
    assert np.median([abs(pair.length_error) for pair in rings[0]]) <= 0.03
    assert abs(np.median([pair.length_error for pair in rings[0]])) <= 0.01


@pytest.mark.parametrize(("ring", "limit"), [(1, 0.02), (2, 0.03), (3, 0.04)])
def test_so_it_is_in_every_ring(rings, ring, limit):
    assert len(rings[ring]) >= 6
    assert np.median([abs(pair.length_error) for pair in rings[ring]]) <= limit


@pytest.mark.parametrize("ring", [0, 1, 2, 3])
def test_the_mean_width_is_within_10_percent_or_half_a_pixel(rings, ring):
    of_limit = [abs(pair.width_error_mm) / pair.width_limit_mm for pair in rings[ring]]
    assert np.median(of_limit) <= 1


def test_cracks_wider_than_a_pixel_are_much_better_than_that(rings):
    wide = [pair for pair in rings[0] if pair.true_width_mm >= pair.pixel_mm]
    assert len(wide) >= 5
    assert np.median([abs(p.width_error_mm) / p.width_limit_mm for p in wide]) <= 0.4


def test_a_net_of_cracks_is_measured_by_its_area(rings):
    nets = [pair for pair in rings["nets"] if pair.ring == 0 and pair.true_mm > 2000]
    assert len(nets) >= 3
    assert np.median([abs(pair.found_m2 / pair.true_m2 - 1) for pair in nets]) <= 0.1


def test_the_table_has_a_row_for_every_ring(measure, rings):
    rows = measure.table([pair for ring in range(5) for pair in rings[ring]])
    assert [row["ring"] for row in rows] == ["0-5 m", "5-10 m", "10-15 m", "15-25 m", "0-15 m"]
    assert rows[-1]["n"] == len(rings[0])
