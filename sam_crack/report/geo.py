"""GeoJSON for any GIS."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sam_crack.durable import write_text
from sam_crack.errors import BadInput

DECIMALS = 7
"""Of a degree: 11 mm, finer than any receiver, as RFC 7946 section 11.2 advises to limit."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One thing on the map; coordinates are (latitude, longitude) pairs."""

    kind: Literal["Point", "LineString", "Polygon", "MultiLineString"]
    lat_lon: Sequence[tuple[float, float]] = ()
    """One pair for a point, at least two for a line, at least three corners for a polygon."""
    lines: Sequence[Sequence[tuple[float, float]]] = ()
    """The parts of a MultiLineString."""
    properties: Mapping[str, object] = field(default_factory=dict)


def write_geojson(path: Path, features: Iterable[Feature]) -> None:
    """Write RFC 7946: longitude first, 7 decimals, outer rings counterclockwise and closed."""
    content = {"type": "FeatureCollection", "features": [_feature(one) for one in features]}
    # A NaN is no JSON: `allow_nan` turns a forgotten one into an error in place of a broken file.
    write_text(path, json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def _feature(feature: Feature) -> dict[str, Any]:
    coordinates: Any
    if feature.kind == "MultiLineString":
        if not feature.lines:
            raise BadInput("a MultiLineString of no lines", "one or more are needed")
        coordinates = [_places(feature, line, least=2) for line in feature.lines]
    else:
        least = {"Point": 1, "LineString": 2, "Polygon": 3}[feature.kind]
        coordinates = _places(feature, feature.lat_lon, least=least)
        if feature.kind == "Point":
            coordinates = coordinates[0]
        elif feature.kind == "Polygon":
            coordinates = [_ring(coordinates)]
    return {
        "type": "Feature",
        "geometry": {"type": feature.kind, "coordinates": coordinates},
        "properties": {str(key): _plain(value) for key, value in feature.properties.items()},
    }


def _places(
    feature: Feature, lat_lon: Sequence[tuple[float, float]], *, least: int
) -> list[list[float]]:
    """Turn pairs round and round them."""
    places = [(float(lon), float(lat)) for lat, lon in lat_lon]
    for lon, lat in places:
        if not (abs(lat) <= 90 and abs(lon) <= 180):
            raise BadInput(
                f"a {feature.kind} at latitude {lat}, longitude {lon}",
                "latitudes from -90 to 90 and longitudes from -180 to 180 degrees",
            )
    if len(places) < least or (feature.kind == "Point" and len(places) > 1):
        raise BadInput(f"a {feature.kind} of {len(places)} places", f"{least} or more are needed")
    return [[round(lon, DECIMALS) + 0.0, round(lat, DECIMALS) + 0.0] for lon, lat in places]


def _ring(places: list[list[float]]) -> list[list[float]]:
    """Close a ring and turn it counterclockwise (RFC 7946 section 3.1.6)."""
    ring = places if places[0] == places[-1] else [*places, places[0]]
    twice_area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring))
    return ring if twice_area >= 0 else ring[::-1]


def _plain(value: object) -> object:
    """Return what JSON knows; what has no value becomes null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
