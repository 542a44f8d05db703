"""Where each frame was taken: a track on a local plane, and frames laid along it by their time."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.errors import BadInput
from sam_crack.measure.exif import read_exif
from sam_crack.measure.gpx import Track, read_gpx, seconds_of
from sam_crack.measure.place import interpolate, project

Float = NDArray[np.float64]
MAX_BYTES = 64 << 20
ANCHOR_M = 1.0
"""Movement below this is the receiver's noise and adds nothing to the distance driven."""
COLUMNS = "a header with time, lat and lon, and if known heading and frame"


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


def read_track(path: Path) -> Track:
    """Read GPX, or CSV with a header."""
    match path.suffix.lower():
        case ".gpx":
            return read_gpx(path)
        case ".csv":
            return _read_csv(path)
    raise BadInput(f"{path}: {path.suffix or 'no suffix'}", "a track as .gpx or .csv", "convert it")


def _read_csv(path: Path) -> Track:
    """Read time, lat, lon, and heading and frame where they are given."""
    try:
        size = path.stat().st_size
        text = path.read_text("utf-8-sig") if size <= MAX_BYTES else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {error}", "a readable CSV file", "export it again") from error
    if size > MAX_BYTES:
        raise BadInput(f"{path} has {size:,} bytes", f"at most {MAX_BYTES:,}", "split the track")
    rows: dict[float, tuple[float, float, float, str]] = {}
    try:
        table = csv.DictReader(io.StringIO(text))
        header = table.fieldnames or ()
        missing = [name for name in ("time", "lat", "lon") if name not in header]
        if missing:
            raise BadInput(
                f"{path}: no column {', '.join(missing)} in {','.join(header)[:60]!r}",
                f"{COLUMNS}, with commas between",
                "rename the columns, or export it with commas and decimal points",
            )
        for row in table:
            rows[_time(row["time"])] = (
                _degrees(row["lat"], 90),
                _degrees(row["lon"], 180),
                _degrees(row.get("heading") or "nan", 360),
                row.get("frame") or "",
            )
    except (TypeError, ValueError, csv.Error) as error:  # a short row holds None
        raise BadInput(
            f"{path}: row {len(rows) + 1}: {error}", COLUMNS, "correct the row"
        ) from error
    return track_of(rows, str(path))


def track_of(rows: dict[float, tuple[float, float, float, str]], what: str) -> Track:
    """Sort time to (lat, lon, heading or NaN, frame or empty) into a track."""
    if len(rows) < 2:
        raise BadInput(
            f"{what} has {len(rows)} places with a time",
            f"two or more, {COLUMNS}",
            "record a track of the drive",
        )
    times = sorted(rows)
    table = np.array([rows[time][:3] for time in times], dtype=np.float64)
    names = tuple(rows[time][3] for time in times)
    known = bool(np.isfinite(table[:, 2]).all())
    return Track(
        time_s=np.array(times),
        lat_deg=table[:, 0],
        lon_deg=table[:, 1],
        heading_deg=table[:, 2] if known else None,
        names=names if any(names) else (),
    )


def _time(text: str) -> float:
    """Read seconds, or ISO 8601."""
    try:
        seconds: float | None = float(text)
    except ValueError:
        seconds = seconds_of(text)
    if seconds is None or not math.isfinite(seconds):
        raise ValueError(f"time {text[:40]!r}")
    return seconds


def _degrees(text: str, limit: float) -> float:
    value = float(text)
    if abs(value) > limit or math.isinf(value):
        raise ValueError(f"{text[:40]!r} degrees")
    return value


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What is known of when a frame was taken."""

    name: str
    source: Path
    clock_s: float | None
    """Seconds since the first video of the drive began; None for a picture."""


def exif_track(shots: Iterable[Shot]) -> Track:
    """Make a track of the positions that cameras wrote into pictures, in the order given."""
    rows: dict[float, tuple[float, float, float, str]] = {}
    for number, shot in enumerate(shots):
        found = read_exif(shot.source) if shot.clock_s is None else None
        if found is not None and found.lat_lon is not None:
            time_s = float(number) if found.time_s is None else found.time_s
            rows[time_s] = (*found.lat_lon, found.heading_deg, shot.name)
    return track_of(rows, "the pictures' EXIF")


class Placer:
    """Finds the pose of frames, by their name in the track or by their time.

    The first video begins with the track. Pictures are placed by the time in their EXIF.
    """

    def __init__(self, route: Route, *, offset_s: float = 0.0) -> None:
        """Keep the track, and what is added to a frame's time before it is asked."""
        self.route, self.offset_s = route, offset_s
        self._numbers = {name: i for i, name in enumerate(route.track.names) if name}

    def pose(self, shot: Shot) -> Pose | None:
        """Return where a frame was taken; None where that is not known."""
        time_s = self.time_s(shot)
        return None if time_s is None else self.route.pose(time_s)

    def time_s(self, shot: Shot) -> float | None:
        """Return when a frame was taken by the track's clock; None where that is not known."""
        times = self.route.track.time_s
        number = self._numbers.get(shot.name)
        if number is None and shot.clock_s is None:  # a video's frames are all called 000000 and on
            number = self._numbers.get(shot.name.rpartition("/")[2])
        if number is not None:
            return float(times[number])
        if shot.clock_s is not None:
            return float(times[0]) + shot.clock_s + self.offset_s
        found = read_exif(shot.source)
        return found.time_s + self.offset_s if found and found.time_s is not None else None
