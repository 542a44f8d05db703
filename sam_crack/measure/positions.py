"""Positions over time, whatever file they were read from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
