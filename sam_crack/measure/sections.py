"""A drive in sections of equal length: what a road engineer reads, one row each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.ground import Kind, Severity
from sam_crack.measure.inventory import RING_M, RoadCrack, Sighting

Float = NDArray[np.float64]
SectionName = Literal["100m", "0.1mi", "1km"]
LENGTHS_M: dict[SectionName, float] = {"100m": 100.0, "0.1mi": 160.9344, "1km": 1000.0}
CELL_M = 0.5
NEAREST_M = 4.0
"""From here ahead a dashcam sees the whole lane."""
KINDS: tuple[Kind, ...] = get_args(Kind)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
COLUMNS = (
    *("section", "from_m", "to_m", "covered_m", "lat", "lon", "frames", "cracks", "length_m"),
    *(f"{name}_m" for name in (*KINDS, *SEVERITIES)),
    *("alligator_m2", "width_mean_mm", "lane_length_m", "density_m_per_m2", "cracked_area_pct"),
    *("position_quality", "position_gap_s"),
)
"""Names of the figures of a section, in their order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pieces:
    """Every piece of every crack, as columns."""

    station_m: Float
    aside_m: Float
    length_m: Float
    width_mm: Float
    place: Float
    """(n, 2) east and north."""
    crack: NDArray[np.int64]
    kind: NDArray[np.int64]
    severity: NDArray[np.int64]


def measure_sections(
    cracks: Sequence[RoadCrack],
    sightings: Sequence[Sighting],
    *,
    section: SectionName = "100m",
    lane_m: float = 3.5,
    ring_m: float = RING_M,
) -> list[dict[str, object]]:
    """Sum up a drive by sections, counted from the track's first point.

    Lengths count every crack within the trusted distance. A net of cracks (alligator) is rated by
    its area in ASTM D6433, for which its length says little: `alligator_m2` is what it touches of
    a grid of half a metre. Density and cracked area are those of
    the lane: what lies within half a lane's width of the camera's path.

    Args:
        cracks: Each once, as `take_inventory` returns them.
        sightings: The frames they come from.
        section: How long a section is.
        lane_m: Width of the lane.
        ring_m: How far ahead frames were trusted.
    """
    if not sightings:
        return []
    size_m = LENGTHS_M[section]
    pieces = _columns(cracks)
    stations = np.array([one.pose.station_m for one in sightings])
    covered = np.array(road_seen(sightings, ring_m))
    first, last = int(covered[0, 0] // size_m), int(np.nextafter(covered[-1, 1], 0) // size_m)
    rows = []
    for number in range(first, last + 1):
        low, high = number * size_m, (number + 1) * size_m
        seen_m = float(
            np.maximum(np.minimum(covered[:, 1], high) - np.maximum(covered[:, 0], low), 0).sum()
        )
        inside = (pieces.station_m >= low) & (pieces.station_m < high)
        here = [one for one, s in zip(sightings, stations, strict=True) if low <= s < high]
        rows.append(
            {
                "section": number + 1,
                "from_m": round(low, 1),
                "to_m": round(high, 1),
                "covered_m": round(seen_m, 1),
                **_place(here),
                **_sums(pieces, inside, seen_m, lane_m),
                **_quality(here),
            }
        )
    return rows


def _columns(cracks: Sequence[RoadCrack]) -> _Pieces:
    """Lay all pieces under each other."""
    parts = [(number, crack, part) for number, crack in enumerate(cracks) for part in crack.parts]
    counts = np.array([len(part.lengths_mm) for _, _, part in parts], dtype=np.int64)

    def stack(values: list[Float]) -> Float:
        return np.concatenate(values) if values else np.zeros(0)

    def spread(values: list[int]) -> NDArray[np.int64]:
        return np.repeat(np.array(values, dtype=np.int64), counts)

    middles = [(part.points[1:] + part.points[:-1]) / 2 for _, _, part in parts]
    return _Pieces(
        station_m=stack([part.stations_m for _, _, part in parts]),
        aside_m=stack([part.aside_m for _, _, part in parts]),
        length_m=stack([part.lengths_mm for _, _, part in parts]) / 1000,
        width_mm=stack([part.widths_mm for _, _, part in parts]),
        place=np.concatenate(middles) if middles else np.zeros((0, 2)),
        crack=spread([number for number, _, _ in parts]),
        kind=spread([KINDS.index(crack.kind) for _, crack, _ in parts]),
        severity=spread([SEVERITIES.index(crack.severity) for _, crack, _ in parts]),
    )


def road_seen(sightings: Sequence[Sighting], ring_m: float = RING_M) -> list[tuple[float, float]]:
    """Return the stretches of road that some frame sees within the trusted distance, in metres."""
    runs: list[tuple[float, float]] = []
    for station_m in (one.pose.station_m for one in sightings):
        low, high = station_m + NEAREST_M, station_m + ring_m
        if runs and low <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(runs[-1][1], high))
        else:
            runs.append((low, high))
    return runs


def _sums(
    pieces: _Pieces, inside: NDArray[np.bool_], covered_m: float, lane_m: float
) -> dict[str, object]:
    """Lengths, widths and shares of one section."""
    length = pieces.length_m[inside]
    kinds = np.bincount(pieces.kind[inside], length, len(KINDS))
    severities = np.bincount(pieces.severity[inside], length, len(SEVERITIES))
    lane = inside & (np.abs(pieces.aside_m) <= lane_m / 2)
    net = inside & (pieces.kind == KINDS.index("alligator"))
    area = covered_m * lane_m
    lane_length = float(pieces.length_m[lane].sum())
    mean = np.average(pieces.width_mm[inside], weights=length) if length.sum() > 0 else None
    return {
        "cracks": len(np.unique(pieces.crack[inside])),
        "length_m": round(float(length.sum()), 3),
        **{f"{name}_m": round(float(v), 3) for name, v in zip(KINDS, kinds, strict=True)},
        **{f"{name}_m": round(float(v), 3) for name, v in zip(SEVERITIES, severities, strict=True)},
        "alligator_m2": round(touched_m2(pieces.place[net]), 2),
        "width_mean_mm": None if mean is None else round(float(mean), 2),
        "lane_length_m": round(lane_length, 3),
        "density_m_per_m2": round(lane_length / area, 4) if area > 0 else None,
        "cracked_area_pct": (
            round(min(100.0, 100 * touched_m2(pieces.place[lane]) / area), 2) if area > 0 else None
        ),
    }


def touched_m2(places: Float) -> float:
    """Area of the cells of half a metre that cracks touch."""
    return len(np.unique(np.floor(places / CELL_M), axis=0)) * CELL_M**2


def _place(here: Sequence[Sighting]) -> dict[str, object]:
    """Where the first frame of a section was taken."""
    pose = here[0].pose if here else None
    return {
        "lat": round(pose.lat_deg, 7) if pose else None,
        "lon": round(pose.lon_deg, 7) if pose else None,
        "frames": len(here),
    }


def _quality(here: Sequence[Sighting]) -> dict[str, object]:
    """How far apart the track's points are around these frames, in words and seconds."""
    if not here:
        return {"position_quality": "none", "position_gap_s": None}
    gap_s = max(one.pose.gap_s for one in here)
    word = "good" if gap_s <= 1.5 else "fair" if gap_s <= 5 else "poor"
    return {"position_quality": word, "position_gap_s": round(gap_s, 2)}


def totals(rows: Sequence[dict[str, object]]) -> Iterator[tuple[str, float]]:
    """Yield the sum of every length over all sections."""
    for name in COLUMNS:
        if name.endswith("_m") and name not in {"from_m", "to_m"}:
            yield name, round(sum(float(str(row[name])) for row in rows), 3)
