"""Positions along a GPS track, places beside the car, and a local plane in metres."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.measure.positions import Track

Float = NDArray[np.float64]
WGS84_A_M = 6_378_137.0
WGS84_E2 = 6.694_379_990_141_316e-3
STANDING_M = 0.5
"""Less movement than this says nothing about the heading: it is the noise of the receiver."""
REACHES_S = (2.0, 5.0, 15.0, 60.0, 600.0)
"""How far a standing car's heading is looked for: back first, then ahead."""


class Position(NamedTuple):
    """Where the car is and which way it goes."""

    lat_deg: float
    lon_deg: float
    heading_deg: float
    """Clockwise from north, 0 to 360; NaN where the track never moves."""


def metres_per_degree(lat_deg: ArrayLike) -> tuple[Float, Float]:
    """Return metres per degree of latitude and of longitude on the WGS 84 ellipsoid."""
    lat = np.radians(np.asarray(lat_deg, dtype=np.float64))
    bend = 1.0 - WGS84_E2 * np.sin(lat) ** 2
    meridian = WGS84_A_M * (1.0 - WGS84_E2) / bend**1.5
    parallel = WGS84_A_M / np.sqrt(bend) * np.cos(lat)
    return np.radians(meridian), np.radians(parallel)


def project(lat_deg: ArrayLike, lon_deg: ArrayLike, *, origin: tuple[float, float]) -> Float:
    """Return metres (..., 2) east and north of `origin` (latitude, longitude).

    A local plane: 1 cm off at 1 km, metres off at 30 km; for drawing and short distances.
    """
    lat, lon = np.asarray(lat_deg, dtype=np.float64), np.asarray(lon_deg, dtype=np.float64)
    north, east = metres_per_degree((lat + origin[0]) / 2)
    turn = (lon - origin[1] + 180.0) % 360.0 - 180.0
    return np.stack([turn * east, (lat - origin[0]) * north], axis=-1)


def unproject(east_north: ArrayLike, *, origin: tuple[float, float]) -> Float:
    """Return latitude and longitude (..., 2) of metres east and north of `origin`.

    The inverse of `project`, to a hundredth of a millimetre.
    """
    east, north = np.moveaxis(np.asarray(east_north, dtype=np.float64), -1, 0)
    lat: Float = np.full(north.shape, origin[0])
    for _ in range(4):
        per_north, per_east = metres_per_degree((lat + origin[0]) / 2)
        lat = origin[0] + north / per_north
    per_east = np.maximum(metres_per_degree((lat + origin[0]) / 2)[1], 1e-6)
    lon = (origin[1] + east / per_east + 180.0) % 360.0 - 180.0
    return np.stack([lat, lon], axis=-1)


def offset(
    lat_deg: float, lon_deg: float, heading_deg: float, *, x_right_m: float, z_ahead_m: float
) -> tuple[float, float]:
    """Return latitude and longitude of a point beside and ahead of a car that heads somewhere."""
    turn = math.radians(heading_deg)
    east_m = x_right_m * math.cos(turn) + z_ahead_m * math.sin(turn)
    north_m = -x_right_m * math.sin(turn) + z_ahead_m * math.cos(turn)
    per_north, per_east = metres_per_degree(lat_deg)
    lon = lon_deg + east_m / max(float(per_east), 1e-6)  # 1e-6: a car at the pole goes nowhere
    return lat_deg + north_m / float(per_north), (lon + 180.0) % 360.0 - 180.0


def interpolate(track: Track, time_s: float, *, max_gap_s: float = 10.0) -> Position | None:
    """Return the position at a time in seconds since 1970, or None where the track has none.

    None before the first and after the last point, and inside gaps longer than `max_gap_s`: a
    position there would be invented.
    """
    times = track.time_s
    after = int(np.searchsorted(times, time_s, side="left"))
    if after < len(times) and times[after] == time_s:
        return _at(track, float(time_s))
    if after in (0, len(times)) or times[after] - times[after - 1] > max_gap_s:
        return None
    return _at(track, float(time_s))


def _at(track: Track, time_s: float) -> Position:
    lat, lon = _point(track, time_s)
    return Position(lat, (lon + 180.0) % 360.0 - 180.0, _heading(track, time_s))


def _point(track: Track, time_s: float) -> tuple[float, float]:
    """Interpolate linearly between two points, across the date line too; clamp at the ends."""
    times, lat, lon = track.time_s, track.lat_deg, track.lon_deg
    after = min(max(int(np.searchsorted(times, time_s)), 1), len(times) - 1)
    before = after - 1
    share = float(np.clip((time_s - times[before]) / (times[after] - times[before]), 0.0, 1.0))
    turn = (lon[after] - lon[before] + 180.0) % 360.0 - 180.0
    return (
        float(lat[before] + share * (lat[after] - lat[before])),
        float(lon[before] + share * turn),
    )


def _heading(track: Track, time_s: float) -> float:
    """Return what was recorded, or the course over ground; a standing car keeps its last."""
    if track.heading_deg is not None:
        wound = np.unwrap(track.heading_deg, period=360.0)
        return float(np.interp(time_s, track.time_s, wound)) % 360.0
    spans = [(time_s - 1.0, time_s + 1.0)]
    spans += [(time_s - reach_s, time_s) for reach_s in REACHES_S]
    spans += [(time_s, time_s + reach_s) for reach_s in REACHES_S]
    for low, high in spans:
        start, end = _point(track, low), _point(track, high)
        east, north = project(end[0], end[1], origin=start)
        if math.hypot(east, north) >= STANDING_M:
            return math.degrees(math.atan2(east, north)) % 360.0
    return math.nan
