"""Measured cracks find the true ones they lie on."""

from __future__ import annotations

import cv2
import numpy as np

from sam_crack.measure.cracks import measure_cracks
from sam_crack.measure.match import owners, territory

SIZE = (200, 300)


def test_each_crack_finds_its_own_and_a_false_alarm_finds_none() -> None:
    mask = np.zeros(SIZE, np.uint8)
    for row in (40, 100, 160):
        cv2.line(mask, (30, row), (270, row), 255, 3)
    lines = {1: [np.array([[38.0, 20], [42, 280]])], 2: [np.array([[161.0, 10], [161, 290]])]}
    ground = territory(lines, SIZE, reach_px={1: 6, 2: 6})
    cracks = measure_cracks(mask)
    found = sorted(zip((crack.bbox[0] for crack in cracks), owners(cracks, ground), strict=True))
    assert [owner for _, owner in found] == [1, 0, 2]


def test_what_lies_behind_the_camera_is_not_drawn() -> None:
    line = np.array([[10.0, 10], [10, 90], [np.nan, np.nan], [50, 10], [50, 90], [1e9, 3]])
    ground = territory({7: [line]}, (60, 100), reach_px={7: 0})
    expected = np.zeros((60, 100), np.int32)
    expected[10, 10:91] = 7
    expected[50, 10:91] = 7
    np.testing.assert_array_equal(ground, expected)
