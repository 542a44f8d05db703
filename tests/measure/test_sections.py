"""Every crack once: sums over rendered drives, with their true masks, against the truth."""

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam_crack.measure.camera import Camera
from sam_crack.measure.inventory import SeenCrack, Sighting, step_by_distance, take_inventory
from sam_crack.measure.road_lines import RoadLine
from sam_crack.measure.sections import COLUMNS, measure_sections
from sam_crack.measure.track import Pose

FILE = Path(__file__).parents[2] / "benchmarks" / "sections.py"
CAMERA = Camera(height_m=1.4, pitch_deg=8, focal_px=2600, size=(2160, 3840))


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("sections_benchmark", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "stride_m",
    [pytest.param(1.0, marks=pytest.mark.slow), pytest.param(2.0, marks=pytest.mark.slow), 5, 10],
)
def test_at_any_stride_the_sum_agrees_with_the_truth_within_5_percent(bench, stride_m):
    cv2.setNumThreads(1)
    row = bench.compare(3, stride_m, bent=stride_m == 5)  # as well through any other camera
    assert row["found_m"] == pytest.approx(row["shown_m"], rel=0.05)
    assert 40 < row["shown_m"] <= row["there_m"]
    assert row["wide_seen_pct"] >= 99


def line(x0, z0, x1, z1, width_mm=5.0):
    """A straight crack in the camera's ground axes, in pieces of 0.1 m."""
    steps = max(1, round(np.hypot(x1 - x0, z1 - z0) / 0.1))
    points = np.linspace([x0, z0], [x1, z1], steps + 1)
    lengths = 1000 * np.linalg.norm(np.diff(points, axis=0), axis=1)
    return RoadLine(points, lengths, np.full(steps, width_mm))


def seen(station, *lines, kind="longitudinal", heading=0.0, gap_s=1.0):
    turn = np.radians(heading)
    pose = Pose(
        lat_deg=48.0, lon_deg=9.0, east_m=station * np.sin(turn), north_m=station * np.cos(turn),
        heading_deg=heading, station_m=station, gap_s=gap_s,
    )  # fmt: skip
    cracks = tuple(SeenCrack(kind=kind, lines=(one,)) for one in lines)
    return Sighting(name=f"at {station:g}", pose=pose, camera=CAMERA, cracks=cracks)


def drive(*places, heading=0.0):
    """A crack along the lane from 6 to 26 m, as each frame sees it."""
    return [
        seen(s, line(0.5, max(6 - s, 3.0), 0.5, 26 - s), heading=heading)
        for s in places
        if 26 - s > 3
    ]


@pytest.mark.parametrize("heading", [0, 73, 250])
@pytest.mark.parametrize("step", [1, 2.5, 5, 10])
def test_one_long_crack_is_counted_once_whatever_the_stride(step, heading):
    frames = drive(*np.arange(0, 21, step), heading=heading)
    (crack,) = take_inventory(frames)
    assert crack.length_m == pytest.approx(20, abs=0.3)
    assert crack.width_mean_mm == pytest.approx(5)


def test_what_a_nearer_frame_no_longer_finds_was_no_crack():
    whole_width = line(-2, 3.2, 2, 3.2)  # shows that cracks can be seen down there
    ahead = [seen(4, line(0.5, 3, 0.5, 14)), seen(8, line(0.5, 3, 0.5, 14), whole_width)]
    with_alarm = [seen(0, line(-1, 12, 1, 12), line(0.5, 3, 0.5, 14)), *ahead]
    without = [seen(0, line(0.5, 3, 0.5, 14)), *ahead]
    found, right = (sum(c.length_m for c in take_inventory(f)) for f in (with_alarm, without))
    assert found == pytest.approx(right, abs=0.1)
    (alone,) = take_inventory(with_alarm[:1])[:1]
    assert alone.length_m > 0


def test_parallel_cracks_stay_two():
    frames = [seen(s, line(-1, 3, -1, 14), line(1, 3, 1, 14)) for s in (0, 5, 10)]
    assert [crack.length_m for crack in take_inventory(frames)] == pytest.approx([21, 21], abs=0.4)


def test_a_standing_car_counts_once():
    frames = [seen(0.01 * n, line(0, 4, 0, 9)) for n in range(30)]
    assert len(step_by_distance(frames)) == 2
    total = sum(crack.length_m for crack in take_inventory(step_by_distance(frames)))
    assert total == pytest.approx(5, abs=0.35)  # the second of the two stands 25 cm further on


def test_sections_add_up_and_know_their_lane():
    frames = [
        seen(s, line(0, 4, 0, 9, 20.0), line(5, 6, 5, 9), gap_s=1.0 + (s > 100))
        for s in range(0, 160, 5)
    ]
    cracks = take_inventory(frames)
    rows = measure_sections(cracks, frames, section="100m", lane_m=3.0)
    assert [tuple(row) for row in rows] == [COLUMNS] * 2
    assert sum(row["length_m"] for row in rows) == pytest.approx(
        sum(crack.length_m for crack in cracks), abs=0.01
    )
    for row in rows:
        kinds = sum(row[f"{k}_m"] for k in ("longitudinal", "transverse", "diagonal", "alligator"))
        assert kinds == pytest.approx(row["length_m"], abs=0.01)
        assert sum(row[f"{k}_m"] for k in ("low", "medium", "high")) == pytest.approx(
            row["length_m"], abs=0.01
        )
        assert row["lane_length_m"] < row["length_m"]
        assert row["density_m_per_m2"] == pytest.approx(
            row["lane_length_m"] / row["covered_m"] / 3, abs=1e-3
        )
    assert rows[0]["covered_m"] == pytest.approx(96)
    # a line along the lane touches one column of cells: half a metre of three
    assert rows[0]["cracked_area_pct"] == pytest.approx(100 * 0.5 / 3, rel=0.05)
    assert [row["position_quality"] for row in rows] == ["good", "fair"]
    assert [row["frames"] for row in rows] == [20, 12]


def test_a_net_of_cracks_is_an_area():
    ahead = [line(x, 4.05, x, 6.95) for x in np.arange(0.05, 2, 0.2)]
    across = [line(0.05, z, 1.95, z) for z in np.arange(4.05, 7, 0.2)]
    net, single = seen(0, *ahead, *across, kind="alligator"), seen(0, *ahead)
    (row,) = measure_sections(take_inventory([net]), [net])
    assert row["alligator_m2"] == pytest.approx(2 * 3)
    assert row["alligator_m"] > 50
    (row,) = measure_sections(take_inventory([single]), [single])
    assert row["alligator_m2"] == 0


def test_a_drive_without_cracks_or_frames_has_no_crack_in_any_section():
    assert measure_sections([], []) == []
    (row,) = measure_sections([], [seen(3.0)], section="1km")
    assert (row["cracks"], row["length_m"], row["width_mean_mm"]) == (0, 0.0, None)


def test_a_row_of_fragments_is_one_crack_and_a_speck_is_none():
    dashes = [line(0.4, z, 0.4, z + 0.2) for z in np.arange(5, 10, 0.4)]
    (crack,) = take_inventory([seen(0, *dashes, line(-1.5, 7, -1.5, 7.05))])
    assert crack.length_m == pytest.approx(0.2 * len(dashes), abs=0.01)
