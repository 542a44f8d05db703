"""The page of a drive stays small and true, for 10 frames as for 5,000."""

import re

import numpy as np
import pytest

from sam_crack.measure.polyline import middle_line
from sam_crack.measure.sections import COLUMNS
from sam_crack.report import drive_page, page
from sam_crack.report.drive_charts import along_road, width_histogram
from sam_crack.report.drive_page import MAX_MARKS, Course, DriveFacts, drive_report
from sam_crack.report.html import render


def section(number, length=12.5):
    row = dict.fromkeys(COLUMNS, 1.0)
    row |= {"from_m": 100.0 * number, "to_m": 100.0 * number + 100, "length_m": length}
    return row | {"frames": 20, "position_quality": "good", "covered_m": 100.0}


def facts(num_frames=10, num_cracks=5, num_sections=3, **changes):
    cracks = [
        Course(
            line=[(48 + n * 1e-5, 9.0), (48 + n * 1e-5, 9.00002)],
            facts={
                "kind": "transverse", "severity": ("low", "medium", "high")[n % 3],
                "length_m": 1.0 + n / 100, "width_mean_mm": 7.0, "station_m": 1.1 * n,
            },
        )
        for n in range(num_cracks)
    ]  # fmt: skip
    values = {
        "name": "a drive",
        "summary": {
            "frames": num_frames,
            "frames_placed": num_frames,
            "cracks": 3,
            "length_m": 9.0,
        },
        "settings": {"severity by": "astm-ac", "lane width, m": "3.5"},
        "command": ["sam-crack predict x y"],
        "pictures": [],
        "widths": [3.0, 30.0, 90.0],
        "lengths": [1.0, 2.0, 1.0],
        "has_camera": True,
        "track": [(48 + n * 1e-4, 9.0) for n in range(max(2, num_frames))],
        "cracks": cracks,
        "sections": [section(n) for n in range(num_sections)],
    }
    return DriveFacts(**(values | changes))


def find(report, kind):
    return next(one for one in report.sections if isinstance(one, kind))


def test_the_headline_sums_the_sections():
    cards = {fact.label: fact.value for fact in drive_report(facts()).facts}
    assert cards["Cracks on the road"] == "37.5 m"
    assert cards["Road seen"] == "300.0 m"


def test_5000_frames_make_a_page_that_opens():
    report = drive_report(facts(num_frames=5000, num_cracks=9000, num_sections=250))
    marks = find(report, page.RoadMap).marks
    assert len(marks) == MAX_MARKS
    assert "7,500 more are in cracks.geojson" in find(report, page.RoadMap).note
    assert min(float(re.search(r"([\d.]+) m long", mark.text)[1]) for mark in marks) > 70
    assert len(find(report, page.Table).rows) == 250
    assert len(render(report)) < 3_000_000


def test_what_is_not_known_has_no_section():
    bare = facts(
        track=(), cracks=(), sections=(), widths=(), lengths=(), has_camera=False,
        summary={"frames": 3, "cracks": 0, "length_m": None}, settings={"severity by": "ltpp"},
    )  # fmt: skip
    report = drive_report(bare)
    kinds = [type(one) for one in report.sections]
    assert kinds == [page.Table, page.Notes, page.Command]
    assert "everything is in pixels" in " ".join(find(report, page.Notes).items)
    render(report)


def test_problems_come_first():
    report = drive_report(facts(problems=["one frame is broken"]))
    assert report.sections[0] == page.Notes(title="Read this first", items=["one frame is broken"])


def test_bars_cover_the_road_that_was_seen(monkeypatch):
    drawn = []
    monkeypatch.setattr(drive_page, "along_road", lambda edges, _: drawn.extend(edges) or b"<svg/>")
    drive_report(facts(seen=[(4.0, 20.0), (30.0, 50.0), (110.0, 230.0)]))
    assert drawn == [(4.0, 50.0), (110.0, 200.0), (200.0, 230.0)]


def test_settings_wrap_and_the_cracks_say_what_they_count():
    report = drive_report(facts())
    assert [one.wraps for one in report.sections if isinstance(one, page.Table)] == [False, True]
    assert render(report).count('class="scroll wraps"') == 1
    (note,) = [fact.note for fact in report.facts if fact.label == "Cracks on the road"]
    assert "pieces that are too short to be listed by frame" in note


def test_many_sections_share_bars_and_lose_no_metre():
    edges = [(100.0 * n, 100.0 * n + 100) for n in range(1001)]
    svg = along_road(edges, {"low": [1.0] * 1001, "medium": [0.0] * 1001, "high": [0.5] * 1001})
    assert svg.startswith(b"<?xml")
    assert len(svg) < 1_000_000


@pytest.mark.parametrize(("widths", "dashed"), [([11.0, 60.0], False), ([9.0, 11.0], True)])
def test_dashes_are_named_where_there_are_some(widths, dashed):
    text = render(drive_report(facts(widths=widths, lengths=[1.0, 1.0])))
    assert ("Dashed: where a severity ends." in text) == dashed


@pytest.mark.parametrize("widths", [[5.0], [1.0, 1000.0], [0.0, 4.0, np.nan]])
def test_widths_of_any_kind_are_drawn(widths):
    assert width_histogram(widths, [1.0] * len(widths), unit="mm", limits=(10, 75), format="png")


def test_the_course_of_a_cloud_runs_through_its_middle():
    rng = np.random.default_rng(0)
    along = rng.uniform(0, 20, 4000)
    cloud = np.stack([along, 0.5 * along + rng.normal(0, 0.1, 4000)], axis=1)
    line = middle_line(cloud)
    assert np.abs(line[1:-1, 1] - 0.5 * line[1:-1, 0]).max() < 0.1
    assert np.ptp(line[:, 0]) == pytest.approx(20, abs=0.2)
    assert len(middle_line(np.zeros((3, 2)))) == 3
