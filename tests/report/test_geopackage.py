"""Lines survive the way into a GeoPackage and back; without the extra this is skipped."""

import struct

import numpy as np
import pytest

from sam_crack.report.geo import Feature
from sam_crack.report.geopackage import _wkb, write_geopackage


def test_geometry_is_little_endian_wkb_with_longitude_first():
    line = Feature(kind="LineString", lat_lon=[(48.0, 9.0), (49.0, 10.0)])
    kind, number = struct.unpack("<II", _wkb(line)[1:9])
    assert (kind, number) == (5, 1)
    assert struct.unpack("<4d", _wkb(line)[18:]) == (9.0, 48.0, 10.0, 49.0)


def test_layers_are_read_back(tmp_path):
    pyogrio = pytest.importorskip("pyogrio", reason="the extra `geo` is not installed")
    cracks = [
        Feature(
            kind="MultiLineString",
            lines=[[(48.0, 9.0), (48.1, 9.1)]] * (n + 1),
            properties={"id": n, "severity": "low", "length_m": 1.5, "none": None},
        )
        for n in range(3)
    ]
    path = tmp_path / "drive.gpkg"
    write_geopackage(path, {"cracks": cracks, "sections": []})
    assert [name for name, _ in pyogrio.list_layers(path)] == ["cracks"]
    meta, _, geometry, columns = pyogrio.raw.read(path, layer="cracks")
    assert meta["crs"] == "EPSG:4326"
    assert list(geometry) == [_wkb(one) for one in cracks]
    table = dict(zip(meta["fields"], columns, strict=True))
    np.testing.assert_array_equal(table["id"], [0, 1, 2])
    np.testing.assert_array_equal(table["length_m"], 1.5)
    assert set(table["severity"]) == {"low"}
    assert [one.name for one in tmp_path.iterdir()] == ["drive.gpkg"]
