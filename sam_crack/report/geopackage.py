"""The map as one GeoPackage; needs the extra `geo`."""

from __future__ import annotations

import importlib
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sam_crack import durable
from sam_crack.errors import UsageError
from sam_crack.report.geo import Feature

WKB_LINE, WKB_MULTI_LINE = 2, 5


def need_geopackage() -> Any:  # noqa: ANN401 - a module that is untyped and may be absent
    """Return pyogrio, or say how to get it."""
    try:
        return importlib.import_module("pyogrio")
    except ImportError as error:
        raise UsageError(
            "a GeoPackage needs pyogrio, which is not installed",
            "the extra `geo`",
            "pip install 'sam-crack[geo]', or leave out --gpkg: QGIS opens cracks.geojson too",
        ) from error


def write_geopackage(path: Path, layers: Mapping[str, Sequence[Feature]]) -> None:
    """Write layers of lines; empty layers are left out."""
    pyogrio = need_geopackage()
    aside = path.with_name(f".{path.stem}.part-{os.getpid()}.gpkg")
    aside.unlink(missing_ok=True)
    try:
        for name, features in layers.items():
            if not features:
                continue
            columns = list(features[0].properties)
            pyogrio.raw.write(
                aside,
                geometry=np.array([_wkb(feature) for feature in features], dtype=object),
                field_data=[_column([f.properties[key] for f in features]) for key in columns],
                fields=np.array(columns, dtype=object),
                layer=name,
                driver="GPKG",
                geometry_type="MultiLineString",
                crs="EPSG:4326",
                append=False,
            )
        if aside.exists():
            durable.sync(aside)
            aside.replace(path)
            durable.sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _column(values: Sequence[object]) -> np.ndarray[Any, Any]:
    """Return numbers as an array of numbers and everything else as text."""
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return np.array(values, dtype=np.int64)
    if all(value is None or isinstance(value, int | float) for value in values):
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array([None if value is None else str(value) for value in values], dtype=object)


def _wkb(feature: Feature) -> bytes:
    """Return a feature's lines as little-endian WKB."""
    lines = feature.lines or [feature.lat_lon]
    parts = [struct.pack("<BII", 1, WKB_MULTI_LINE, len(lines))]
    for line in lines:
        lon_lat = np.array(line, dtype="<f8").reshape(-1, 2)[:, ::-1]
        parts.append(struct.pack("<BII", 1, WKB_LINE, len(lon_lat)) + lon_lat.tobytes())
    return b"".join(parts)
