"""Where each frame was taken: a track on a local plane, and frames laid along it by their time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.measure.place import interpolate, project
from sam_crack.measure.positions import Track
from sam_crack.measure.shots import Shot, match_names, picture_times

Float = NDArray[np.float64]
ANCHOR_M = 1.0
"""Movement below this is the receiver's noise and adds nothing to the distance driven."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where the camera stood and which way it looked."""

    lat_deg: float
    lon_deg: float
    east_m: float
    north_m: float
    heading_deg: float
    """Clockwise from north."""
    station_m: float
    """Distance driven since the track began."""
    gap_s: float
    """Time between the two track points around it: how sure the place is."""

    def to_plan(self, ground_xz: ArrayLike) -> Float:
        """Turn (..., 2) metres right and ahead of the camera into metres east and north."""
        x, z = np.moveaxis(np.asarray(ground_xz, np.float64), -1, 0)
        sine, cosine = self._turn
        east, north = x * cosine + z * sine, z * cosine - x * sine
        return np.stack([east + self.east_m, north + self.north_m], axis=-1)

    def to_camera(self, east_north: ArrayLike) -> Float:
        """Turn (..., 2) metres east and north into metres right and ahead of the camera."""
        points = np.asarray(east_north, np.float64) - (self.east_m, self.north_m)
        east, north = np.moveaxis(points, -1, 0)
        sine, cosine = self._turn
        return np.stack([east * cosine - north * sine, east * sine + north * cosine], axis=-1)

    @property
    def _turn(self) -> tuple[float, float]:
        angle = math.radians(self.heading_deg)
        return math.sin(angle), math.cos(angle)


class Route:
    """A track on a plane around its first point."""

    def __init__(self, track: Track) -> None:
        """Lay the track out and measure along it."""
        self.track = track
        self.origin = (float(track.lat_deg[0]), float(track.lon_deg[0]))
        self.plan = project(track.lat_deg, track.lon_deg, origin=self.origin)
        self.station_m = _stations(self.plan)

    def pose(self, time_s: float) -> Pose | None:
        """Return the pose at a time of the track's clock; None where it knows none."""
        place = interpolate(self.track, time_s)
        if place is None or not math.isfinite(place.heading_deg):
            return None
        times = self.track.time_s
        after = min(max(int(np.searchsorted(times, time_s)), 1), len(times) - 1)
        exact = bool((np.abs(times[after - 1 : after + 1] - time_s) < 1e-6).any())
        east, north = project(place.lat_deg, place.lon_deg, origin=self.origin)
        return Pose(
            lat_deg=place.lat_deg,
            lon_deg=place.lon_deg,
            east_m=float(east),
            north_m=float(north),
            heading_deg=place.heading_deg,
            station_m=float(np.interp(time_s, times, self.station_m)),
            gap_s=0.0 if exact else float(times[after] - times[after - 1]),
        )


def _stations(plan: Float) -> Float:
    """Distance along a walk; a standing receiver, which jitters, stays where it is."""
    anchors = [0]
    for number, place in enumerate(plan):
        if math.dist(place, plan[anchors[-1]]) >= ANCHOR_M:
            anchors.append(number)
    along = np.cumsum(np.linalg.norm(np.diff(plan[anchors], axis=0), axis=1))
    stations: Float = np.interp(np.arange(len(plan)), anchors, np.concatenate([[0.0], along]))
    return stations


class Placer:
    """Finds the pose of frames, by their name in the track or by their time.

    The first video begins with the track. Pictures are placed by the time in their EXIF.
    """

    def __init__(
        self, route: Route, pictures: Iterable[Shot] = (), *, offset_s: float = 0.0
    ) -> None:
        """Find when pictures were taken.

        Args:
            route: The track.
            pictures: All of the drive: their times are spread where their clock is coarse.
            offset_s: Added to a frame's own time before the track is asked.
        """
        self.route, self.offset_s = route, offset_s
        names, shots = route.track.names, list(pictures)
        self._pictures = match_names(names, shots)
        self._filmed = {name: row for row, name in enumerate(names)}
        self._taken_s = picture_times(shot for shot in shots if shot.name not in self._pictures)

    def pose(self, shot: Shot) -> Pose | None:
        """Return where a frame was taken; None where that is not known."""
        time_s = self.time_s(shot)
        return None if time_s is None else self.route.pose(time_s)

    def time_s(self, shot: Shot) -> float | None:
        """Return when a frame was taken by the track's clock; None where that is not known."""
        times = self.route.track.time_s
        row = (self._pictures if shot.clock_s is None else self._filmed).get(shot.name)
        if row is not None:
            return float(times[row])
        if shot.clock_s is not None:
            return float(times[0]) + shot.clock_s + self.offset_s
        if shot.name not in self._taken_s:  # looked at by an earlier run that had more paths
            self._taken_s |= picture_times([shot])
        taken_s = self._taken_s.get(shot.name)
        return None if taken_s is None else taken_s + self.offset_s
