"""GeoJSON as RFC 7946 has it."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest

from sam_crack.errors import BadInput
from sam_crack.report.geo import Feature, write_geojson


def _write(tmp_path, *features):
    write_geojson(tmp_path / "out.geojson", features)
    return json.loads((tmp_path / "out.geojson").read_text())


def _area(ring):
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring)) / 2


def test_geojson_has_longitude_first_and_seven_decimals(tmp_path):
    point = Feature(kind="Point", lat_lon=[(48.123456789, 9.0)], properties={"id": 3})
    (feature,) = _write(tmp_path, point)["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [9.0, 48.1234568]}
    assert feature["properties"] == {"id": 3}


@pytest.mark.parametrize("turn", [1, -1])
def test_rings_are_closed_and_counterclockwise(tmp_path, turn):
    corners = [(0, 0), (0, 1), (1, 1), (1, 0)][::turn]
    (feature,) = _write(tmp_path, Feature(kind="Polygon", lat_lon=corners))["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    assert len(ring) == 5
    assert _area(ring) == 1.0


def test_what_json_does_not_know_becomes_null_or_plain(tmp_path):
    odd = {"width": float("nan"), "n": np.int64(3), "many": (1, np.float32(0.5)), "on": True}
    point = Feature(kind="Point", lat_lon=[(0, 0)], properties=odd)
    (feature,) = _write(tmp_path, point)["features"]
    assert feature["properties"] == {"width": None, "n": 3, "many": [1, 0.5], "on": True}


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("Point", []),
        ("Point", [(0, 0), (1, 1)]),
        ("LineString", [(0, 0)]),
        ("Polygon", [(0, 0), (0, 1)]),
        ("Point", [(91, 0)]),
        ("Point", [(0, 181)]),
        ("Point", [(math.nan, 0)]),
    ],
)
def test_impossible_places_are_refused(tmp_path, kind, places):
    with pytest.raises(BadInput):
        _write(tmp_path, Feature(kind=kind, lat_lon=places))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_collection_is_valid(tmp_path):
    assert _write(tmp_path) == {"type": "FeatureCollection", "features": []}


def test_a_line_of_several_parts(tmp_path):
    parts = [[(1, 2), (3, 4)], [(5, 6), (7, 8), (9, 10)]]
    (feature,) = _write(tmp_path, Feature(kind="MultiLineString", lines=parts))["features"]
    assert feature["geometry"]["coordinates"] == [[[2, 1], [4, 3]], [[6, 5], [8, 7], [10, 9]]]
    for wrong in ([], [[(1, 2)]], [[(1, 2), (91, 2)]]):
        with pytest.raises(BadInput):
            _write(tmp_path, Feature(kind="MultiLineString", lines=wrong))
