"""Tracks from files: GPX, CSV, and what cameras write into their pictures."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

from sam_crack.console import counted
from sam_crack.errors import BadInput
from sam_crack.measure.exif import read_exif
from sam_crack.measure.gpx import read_gpx
from sam_crack.measure.positions import Point, Track, seconds_of, track_of
from sam_crack.measure.shots import Shot

MAX_BYTES = 64 << 20
COLUMNS = "a header with time, lat and lon, and if known heading and frame"


def read_track(path: Path) -> Track:
    """Read GPX, or CSV with a header."""
    match path.suffix.lower():
        case ".gpx":
            return read_gpx(path)
        case ".csv":
            return _read_csv(path)
    raise BadInput(f"{path}: {path.suffix or 'no suffix'}", "a track as .gpx or .csv", "convert it")


def exif_track(pictures: Iterable[Shot]) -> Track:
    """Make a track of the positions that cameras wrote into pictures, a point for each.

    Where one of them has no time, their order stands for it.
    """
    paths = [shot.source.absolute() for shot in pictures]
    found = [(str(path), exif) for path in paths if (exif := read_exif(path)) is not None]
    points = [
        Point(
            math.nan if exif.time_s is None else exif.time_s, *exif.lat_lon, exif.heading_deg, name
        )
        for name, exif in found
        if exif.lat_lon is not None
    ]
    if any(math.isnan(point.time_s) for point in points):
        points = [point._replace(time_s=float(number)) for number, point in enumerate(points)]
    return _long_enough(
        points, "the pictures' EXIF", "pictures with a GPS position", "name a track file"
    )


def _read_csv(path: Path) -> Track:
    """Read time, lat, lon, and heading and frame where they are given."""
    try:
        size = path.stat().st_size
        text = path.read_text("utf-8-sig") if size <= MAX_BYTES else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {error}", "a readable CSV file", "export it again") from error
    if size > MAX_BYTES:
        raise BadInput(f"{path} has {size:,} bytes", f"at most {MAX_BYTES:,}", "split the track")
    points: list[Point] = []
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
            point = Point(
                _time(row["time"]),
                _degrees(row["lat"], 90),
                _degrees(row["lon"], 180),
                _degrees(row.get("heading") or "nan", 360),
                row.get("frame") or "",
            )
            points.append(point)
    except (TypeError, ValueError, csv.Error) as error:  # a short row holds None
        raise BadInput(
            f"{path}: row {len(points) + 1}: {error}", COLUMNS, "correct the row"
        ) from error
    return _long_enough(points, str(path), COLUMNS, "record a track of the drive")


def _long_enough(points: list[Point], what: str, accepted: str, todo: str) -> Track:
    """Refuse what leads nowhere."""
    track = track_of(points)
    num = len(track.time_s)
    if num < 2:
        raise BadInput(
            f"{what}: {counted(num, 'place')} with a time", f"two or more: {accepted}", todo
        )
    return track


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
