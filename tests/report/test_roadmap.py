"""The map: true distances, north up, every crack where it is."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from sam_crack.errors import BadInput
from sam_crack.measure.place import metres_per_degree
from sam_crack.report.page import Mark, RoadMap
from sam_crack.report.roadmap import draw_map, legend

HOME = (48.0, 9.0)


def _place(east_m: float, north_m: float) -> tuple[float, float]:
    north, east = metres_per_degree(HOME[0])
    return HOME[0] + north_m / float(north), HOME[1] + east_m / float(east)


def _mark(east_m: float, north_m: float, severity="low") -> Mark:
    return Mark(lat_lon=[_place(east_m, north_m)], severity=severity, text="x")


def _draw(track, marks=(), width_px=1000, max_height_px=600):
    road = RoadMap(title="m", track=[_place(*place) for place in track], marks=marks)
    return ET.fromstring(draw_map(road, width_px=width_px, max_height_px=max_height_px))


def _marks(svg):
    found = [one.get("transform") for one in svg.iter("path") if "mark" in one.get("class")]
    return np.array([[float(x) for x in re.findall(r"-?[\d.]+", one)] for one in found])


def _track(svg):
    line = next(one for one in svg.iter("polyline") if one.get("class") == "road")
    return np.array([place.split(",") for place in line.get("points").split()], dtype=float)


def _bar_px_and_m(svg):
    bar = next(one.get("d") for one in svg.iter("path") if one.get("class") == "bar")
    text = next(one.text for one in svg.iter("text") if one.text != "N")
    number, unit = text.split()
    return float(re.search(r"h([\d.]+)", bar)[1]), float(number) * {"m": 1, "km": 1000}[unit]


@pytest.mark.parametrize("length_m", [30, 470, 2500, 80_000])
def test_the_scale_bar_tells_the_true_length(length_m):
    svg = _draw([(0, 0), (length_m, 0)])
    (x0, _), (x1, _) = _track(svg)
    bar_px, bar_m = _bar_px_and_m(svg)
    assert (x1 - x0) / length_m == pytest.approx(bar_px / bar_m, rel=0.01)
    assert 60 < bar_px <= 200


def test_north_is_up_and_east_is_right():
    marks = _marks(_draw([(0, 0), (100, 100)], [_mark(100, 0), _mark(0, 100)]))
    (east_x, east_y), (north_x, north_y) = marks
    assert east_x > north_x
    assert east_y > north_y
    assert east_x - north_x == pytest.approx(east_y - north_y, abs=0.3)


@pytest.mark.parametrize("track", [[(0, 0), (900, 3)], [(0, 0), (3, 900)], [(0, 0), (0, 0)], []])
@pytest.mark.parametrize("width_px", [350, 1080])
def test_everything_is_inside_the_picture(track, width_px):
    marks = [_mark(-5, 2), _mark(0, 0, "high"), _mark(40, 40, "unknown")]
    svg = _draw(track, marks, width_px=width_px)
    _, _, width, height = map(float, svg.get("viewBox").split())
    assert height <= 600
    inside = _marks(svg)
    assert ((inside > 0) & (inside < [width, height])).all()


def test_the_worst_lie_on_top():
    severities = ["high", "low", "medium"]
    svg = _draw([(0, 0), (9, 9)], [_mark(1, 1, name) for name in severities])
    order = [one.get("class") for one in svg.iter("path") if one.get("class").startswith("mark")]
    assert order == ["mark low", "mark medium", "mark high"]


def test_a_long_crack_is_drawn_along_its_course():
    course = Mark(lat_lon=[_place(0, 0), _place(30, 0)], severity="low", text="x")
    lines = [one.get("class") for one in _draw([(0, 0), (100, 0)], [course]).iter("polyline")]
    assert lines == ["road", "middle", "course low"]
    lines = [one.get("class") for one in _draw([(0, 0), (9000, 0)], [course]).iter("polyline")]
    assert lines == ["road", "middle"]


def test_a_long_track_is_thinned_without_moving_it():
    turn = np.linspace(0, 6, 20_000)
    track = np.stack([900 * turn, 300 * np.sin(turn)], axis=1)
    thin = _track(_draw(track))
    assert len(thin) < 400
    along = np.interp(thin[:, 0], *_track(_draw(track[::50])).T)
    assert np.abs(along - thin[:, 1]).max() < 1.5


def test_the_legend_counts():
    marks = [_mark(0, 0, "low"), _mark(0, 0, "low"), _mark(0, 0, "high")]
    road = RoadMap(title="m", track=[], marks=marks)
    assert re.findall(r"(\w+) <b>(\d+)</b>", legend(road)) == [
        ("low", "2"),
        ("medium", "0"),
        ("high", "1"),
    ]


def test_a_map_of_nothing_is_refused():
    with pytest.raises(BadInput, match="without a single place"):
        _draw([])
