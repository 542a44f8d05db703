"""GPX tracks, read from files that nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from sam_crack.console import counted
from sam_crack.errors import BadInput

MAX_BYTES = 64 << 20
MAX_POINTS = 2_000_000
MAX_DEPTH = 64
MAX_TEXT = 256
"""Characters of a time; what is longer is none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """Positions over time, sorted, each time once."""

    time_s: NDArray[np.float64]
    """Seconds since 1970, UTC."""
    lat_deg: NDArray[np.float64]
    lon_deg: NDArray[np.float64]
    heading_deg: NDArray[np.float64] | None = None
    """Clockwise from north, where it was recorded; else it follows from the movement."""
    names: tuple[str, ...] = ()
    """Frame taken at each point, where the track says so."""


class Point(NamedTuple):
    """One point of a track as it was read."""

    time_s: float
    lat_deg: float
    lon_deg: float
    heading_deg: float = math.nan
    name: str = ""
    """Frame taken there, if it says so."""


def track_of(points: Iterable[Point]) -> Track:
    """Sort points into a track.

    Of points of one time the first stands, but points that name a frame all stand: a clock of
    whole seconds gives several frames the same time.
    """
    kept: list[Point] = []
    for _, group in groupby(sorted(points, key=lambda one: one.time_s), lambda one: one.time_s):
        same = list(group)
        named = {one.name: one for one in reversed(same) if one.name}
        kept += [*reversed(named.values())] or same[:1]
    table = np.array([point[:4] for point in kept], dtype=np.float64).reshape(-1, 4)
    times, rows = np.unique(spread_ties(table[:, 0]), return_index=True)
    names = tuple(kept[row].name for row in rows.tolist())
    known = bool(np.isfinite(table[:, 3]).all())
    return Track(
        time_s=times,
        lat_deg=table[rows, 1],
        lon_deg=table[rows, 2],
        heading_deg=table[rows, 3] if known else None,
        names=names if any(names) else (),
    )


def spread_ties(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lay equal ones of sorted times apart, in their order: within a second, before the next."""
    each, first, counts = np.unique(times_s, return_index=True, return_counts=True)
    room_s = np.minimum(np.append(np.diff(each), np.ones(min(len(each), 1))), 1.0)
    nth = np.arange(len(times_s)) - np.repeat(first, counts)
    apart: NDArray[np.float64] = times_s + nth * np.repeat(room_s / counts, counts)
    return apart


class _Refused(Exception):
    """The file holds something that no GPX needs."""


class _Reader:
    """Collects the track points of one document."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.num_untimed = 0
        self._depth = 0
        self._place: tuple[float, float] | None = None
        self._time: float | None = None
        self._text: list[str] | None = None
        self._name = ""

    def read(self, content: bytes) -> None:
        """Parse; raise expat.ExpatError or _Refused."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        # An entity needs a document type to be declared in: none of either, no expansion bombs.
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(content, True)

    def _refuse_doctype(self, *_: object) -> None:
        raise _Refused("it declares a document type (DOCTYPE), which GPX never needs")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(f"its elements are nested more than {MAX_DEPTH} deep")
        name = tag.rpartition(" ")[2]
        if name == "trkpt":
            self._place, self._time, self._name = _place(attributes), None, ""
        elif name in {"time", "name"} and self._place is not None:
            self._text = []

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        name = tag.rpartition(" ")[2]
        if name == "time" and self._text is not None:
            self._time, self._text = seconds_of("".join(self._text)), None
        elif name == "name" and self._text is not None:
            self._name, self._text = "".join(self._text)[:MAX_TEXT], None
        elif name == "trkpt" and self._place is not None:
            if self._time is None:
                self.num_untimed += 1
            else:
                self.points.append(Point(self._time, *self._place, name=self._name))
            if len(self.points) > MAX_POINTS:
                raise _Refused(f"it has more than {MAX_POINTS:,} points")
            self._place = None


def _place(attributes: dict[str, str]) -> tuple[float, float]:
    try:
        lat, lon = float(attributes["lat"]), float(attributes["lon"])
    except (KeyError, ValueError):
        raise _Refused("a track point has no readable lat and lon") from None
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise _Refused(f"a track point lies at latitude {lat}, longitude {lon}")
    return lat, lon


def seconds_of(text: str) -> float | None:
    """Read an ISO 8601 time; one without a zone is UTC, as GPX has it."""
    if len(text) > MAX_TEXT:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def read_gpx(path: Path) -> Track:
    """Read the timed track points of a GPX file; all tracks and segments become one."""
    accepted = "a GPX file with track points (trkpt) that carry lat, lon and a time"
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", accepted) from error
    if size > MAX_BYTES:
        raise BadInput(f"{path} has {size:,} bytes", f"at most {MAX_BYTES:,}", "split the track")
    reader = _Reader()
    try:
        reader.read(content)
    except (expat.ExpatError, _Refused, ValueError, LookupError) as error:  # odd encodings too
        raise BadInput(f"{path} cannot be read: {error}", accepted) from error
    track = track_of(reader.points) if reader.points else None
    if track is None or len(track.time_s) < 2:
        untimed = f" ({reader.num_untimed} without a time)" if reader.num_untimed else ""
        raise BadInput(
            f"{path} has {counted(len(reader.points), 'timed track point')}{untimed}"
            + (", all of one time" if len(reader.points) > 1 else ""),
            accepted,
            "export the track again with its times; routes and waypoints have none",
        )
    return track
