"""The road's centre line in plan and the vehicle's path on it: a gently curving track on WGS84."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.data.synth.look import Look

Float = NDArray[np.float64]
STEP_M = 0.25
PLACES = ((51.0893, 13.6412), (48.4216, 9.9371), (45.1187, 5.8033), (55.6021, -3.1894))
"""Where a drive may start (latitude, longitude): open country, chosen by the seed."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where the camera stands in plan, metres east and north of the drive's start."""

    east_m: float
    north_m: float
    heading_deg: float
    """Compass heading of the optical axis."""
    station_m: float
    """Distance along the road's centre line."""

    def to_camera(self, east_north: ArrayLike) -> Float:
        """Turn plan coordinates (..., 2) into the camera's ground axes (x right, z ahead)."""
        points = np.asarray(east_north, np.float64) - np.array([self.east_m, self.north_m])
        sine, cosine = self._turn
        east, north = points[..., 0], points[..., 1]
        return np.stack([east * cosine - north * sine, east * sine + north * cosine], axis=-1)

    def to_plan(self, ground_xz: ArrayLike) -> Float:
        """Turn camera ground coordinates (..., 2) into plan coordinates (east, north)."""
        ground = np.asarray(ground_xz, np.float64)
        sine, cosine = self._turn
        x, z = ground[..., 0], ground[..., 1]
        turned = np.stack([x * cosine + z * sine, -x * sine + z * cosine], axis=-1)
        plan: Float = turned + np.array([self.east_m, self.north_m])
        return plan

    @property
    def _turn(self) -> tuple[float, float]:
        angle = math.radians(self.heading_deg)
        return math.sin(angle), math.cos(angle)


def track_of(seed: int, until_m: float) -> Track:
    """Return a drive's track, at least as long as asked; made anew every two kilometres only."""
    return _made(seed, int(max(until_m, 0.0) // 2000.0) + 1)


@lru_cache(maxsize=4)
def _made(seed: int, lengths: int) -> Track:
    return Track(seed, lengths * 2000.0)


class Track:
    """The centre line as a table over stations, long enough for the stations asked."""

    def __init__(self, seed: int, until_m: float) -> None:
        """Draw the curves from the seed; the table's first part does not depend on its length."""
        rng = np.random.default_rng([seed, 11])
        self.start = PLACES[int(rng.integers(len(PLACES)))]
        self._first = float(rng.uniform(0, 2 * math.pi))
        waves = np.array([1400.0, 620.0, 260.0])
        radius = np.array([700.0, 900.0, 1600.0]) * rng.uniform(1.0, 2.5, 3)
        self._waves, self._sway = waves, waves / (2 * math.pi * radius)
        self._phase = rng.uniform(0, 2 * math.pi, 3)
        self._wander = rng.uniform(0, 2 * math.pi, 2)
        self._until = until_m

    def heading(self, station: ArrayLike) -> Float:
        """Compass heading of the centre line, radians."""
        turns = np.asarray(station, np.float64)[..., None] * 2 * math.pi / self._waves
        swing: Float = (self._sway * np.sin(turns + self._phase)).sum(axis=-1)
        return self._first + swing

    @cached_property
    def _table(self) -> tuple[Float, Float]:
        """Stations every 25 cm from 60 m before the start, and the plan position of each."""
        stations = np.arange(-240, int(self._until / STEP_M) + 2) * STEP_M
        middle = self.heading(stations[:-1] + STEP_M / 2)
        steps = STEP_M * np.stack([np.sin(middle), np.cos(middle)], axis=-1)
        plan = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        centred: Float = plan - plan[240]
        return stations.astype(np.float64), centred

    def plan(self, station: ArrayLike, offset: ArrayLike) -> Float:
        """Plan coordinates of points at a station and an offset to the right of the centre line."""
        station, offset = np.broadcast_arrays(
            np.asarray(station, np.float64), np.asarray(offset, np.float64)
        )
        stations, plan = self._table
        centre = np.stack([np.interp(station, stations, plan[:, i]) for i in (0, 1)], axis=-1)
        heading = self.heading(station)
        right = np.stack([np.cos(heading), -np.sin(heading)], axis=-1)
        moved: Float = centre + right * offset[..., None]
        return moved

    def pose(self, station: float, look: Look) -> Pose:
        """Camera pose when the vehicle has come to `station`: in its lane, wandering a little."""
        sway = 0.14 * math.sin(station / 41.0 + self._wander[0])
        yaw = 0.14 / 41.0 * math.cos(station / 41.0 + self._wander[0]) + look.yaw_rad
        yaw += 0.002 * math.sin(station / 9.7 + self._wander[1])
        east, north = self.plan(station, look.lane_middle_m + sway)
        heading = math.degrees(float(self.heading(station)) + yaw) % 360.0
        return Pose(
            east_m=float(east), north_m=float(north), heading_deg=heading, station_m=station
        )

    def to_wgs84(self, east_north: ArrayLike) -> Float:
        """Latitude and longitude (..., 2) of plan points, on the ellipsoid's local radii."""
        points = np.asarray(east_north, np.float64)
        latitude, longitude = self.start
        sine = math.sin(math.radians(latitude))
        axis, flat = 6378137.0, 0.00669437999014
        shape = 1.0 - flat * sine * sine
        meridian, normal = axis * (1 - flat) / shape**1.5, axis / math.sqrt(shape)
        north = np.degrees(points[..., 1] / meridian)
        east = np.degrees(points[..., 0] / (normal * math.cos(math.radians(latitude))))
        return np.stack([latitude + north, longitude + east], axis=-1)
