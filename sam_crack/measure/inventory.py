"""Cracks of a drive, each counted once: of every place on the road, the frame that saw it best.

Neighbouring frames show the same road. A piece of a crack is kept from the nearest frame that
could see its place, and dropped from all others. What is left of neighbouring frames touches at
the seams and is joined to cracks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.ground import Kind, Scheme, Severity, grade
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.measure.road_lines import RoadLine
from sam_crack.measure.track import Pose

Float = NDArray[np.float64]
RING_M = 15.0
"""How far ahead a frame is trusted."""
STEP_M = 0.25
"""A frame that is no further than this from the one before adds nothing."""
LINK_M = 0.3
"""Parts this close are one crack: it is faint between them, or another frame goes on."""
SHORTEST_M = 0.1
"""What is shorter, with all that belongs to it, is a speck."""
BANDS = 24
"""Columns of the frame for each of which the lowest place is known where cracks are seen."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenCrack:
    """One crack of one frame."""

    kind: Kind
    lines: tuple[RoadLine, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sighting:
    """One placed frame with its cracks."""

    name: str
    pose: Pose
    camera: RoadCamera
    cracks: tuple[SeenCrack, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one frame adds to a crack: pieces in a row along one of its lines."""

    frame: int
    """Number of the sighting."""
    crack: int
    """Number of the crack in the drive."""
    kind: Kind
    points: Float
    """(n, 2) metres east and north."""
    stations_m: Float
    """(n - 1,) distance along the drive of every piece."""
    aside_m: Float
    """(n - 1,) to the right of the camera's path."""
    lengths_mm: Float
    widths_mm: Float


@dataclass(frozen=True, kw_only=True, eq=False)
class RoadCrack:
    """One crack of the drive."""

    id: int
    kind: Kind
    severity: Severity
    length_m: float
    width_mean_mm: float
    station_m: float
    """Where it begins along the drive."""
    frames: tuple[str, ...]
    """Those it was measured in, nearest parts only."""
    parts: tuple[Part, ...]


def step_by_distance(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Leave out frames of a standing car."""
    kept: list[Sighting] = []
    for sighting in sorted(sightings, key=lambda one: one.pose.station_m):
        if not kept or sighting.pose.station_m - kept[-1].pose.station_m >= STEP_M:
            kept.append(sighting)
    return kept


def take_inventory(
    sightings: Sequence[Sighting], *, scheme: Scheme = "astm-ac", ring_m: float = RING_M
) -> list[RoadCrack]:
    """Count every crack of a drive once.

    Args:
        sightings: Placed frames, as `step_by_distance` leaves them.
        scheme: Whose limits name the severity.
        ring_m: Pieces further ahead than this are not counted.
    """
    lowest = _lowest_seen(sightings)
    parts = [
        part
        for number in range(len(sightings))
        for part in _best_parts(sightings, number, lowest=lowest, ring_m=ring_m)
    ]
    groups = _linked(parts)
    cracks = [_crack([parts[i] for i in group], sightings, scheme) for group in groups]
    cracks = [crack for crack in cracks if crack.length_m >= SHORTEST_M]
    cracks.sort(key=lambda crack: (crack.station_m, -crack.length_m))
    return [replace(crack, id=number) for number, crack in enumerate(cracks, 1)]


def _lowest_seen(sightings: Sequence[Sighting]) -> Float:
    """Per column band, the lowest row in which any frame shows a crack, as a share of the height.

    Below it lies the bonnet, or road on which nothing was found: nothing there can be counted
    twice, so nothing needs to give way to it.
    """
    lowest = np.zeros(BANDS)
    for sighting in sightings:
        points = [line.points for crack in sighting.cracks for line in crack.lines]
        if points:
            y, x = _in_frame(sighting.camera, np.concatenate(points)).T
            good = np.isfinite(y) & (x >= 0) & (x < 1)
            np.maximum.at(lowest, (x[good] * BANDS).astype(int), y[good])
    beside = np.pad(lowest, 1)  # a place on the border of two bands may fall into either
    widened: Float = np.maximum(np.maximum(beside[:-2], beside[2:]), lowest)
    return widened


def _in_frame(camera: RoadCamera, ground_xz: Float) -> Float:
    """Pixels of road points as shares of height and width."""
    with np.errstate(invalid="ignore"):
        shares: Float = (camera.to_pixels(ground_xz) + 0.5) / np.array(camera.size)
    return shares


def _sees(sighting: Sighting, places: Float, lowest: Float, ring_m: float) -> NDArray[np.bool_]:
    """Whether a frame can see places (n, 2) on the plan, within the trusted distance."""
    ground = sighting.pose.to_camera(places)
    y, x = np.nan_to_num(_in_frame(sighting.camera, ground), nan=-1.0).T
    inside = (x >= 0) & (x < 1) & (y >= 0) & (ground[:, 1] <= ring_m) & (ground[:, 1] > 0)
    band = np.clip((x * BANDS).astype(int), 0, BANDS - 1)
    seen: NDArray[np.bool_] = inside & (y <= lowest[band])
    return seen


def _best_parts(
    sightings: Sequence[Sighting], number: int, *, lowest: Float, ring_m: float
) -> Iterator[Part]:
    """Yield what a frame shows that no later one, which is nearer, sees."""
    sighting = sightings[number]
    later = []
    for other in sightings[number + 1 :]:
        if other.pose.station_m - sighting.pose.station_m > ring_m:
            break
        later.append(other)
    lines = [
        (number * 100_000 + crack_number, crack.kind, line)
        for crack_number, crack in enumerate(sighting.cracks)
        for line in crack.lines
    ]
    if not lines:
        return
    ground = np.concatenate([line.middles for _, _, line in lines])
    places = sighting.pose.to_plan(ground)
    keep = (ground[:, 1] <= ring_m) & (ground[:, 1] > 0)
    for other in later:
        keep[keep] = ~_sees(other, places[keep], lowest, ring_m)
    first = 0
    for crack_id, kind, line in lines:
        mine = keep[first : first + len(line.lengths_mm)].astype(np.int8)
        first += len(mine)
        for a, b in np.flatnonzero(np.diff(mine, prepend=0, append=0)).reshape(-1, 2).tolist():
            yield Part(
                frame=number,
                crack=crack_id,
                kind=kind,
                points=sighting.pose.to_plan(line.points[a : b + 1]),
                stations_m=sighting.pose.station_m + line.middles[a:b, 1],
                aside_m=line.middles[a:b, 0],
                lengths_mm=line.lengths_mm[a:b],
                widths_mm=line.widths_mm[a:b],
            )


def _linked(parts: Sequence[Part]) -> list[list[int]]:
    """Group parts of one crack in one frame, and parts that are close together."""
    parent = list(range(len(parts)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    first: dict[int, int] = {}
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, part in enumerate(parts):
        parent[number] = root(first.setdefault(part.crack, number))
        for cell in {(int(e), int(n)) for e, n in np.floor(part.points / LINK_M).tolist()}:
            for near in _around(cell):
                for other in cells.get(near, ()):
                    parent[root(number)] = root(other)
            cells[cell].append(number)
    groups: dict[int, list[int]] = defaultdict(list)
    for number in range(len(parts)):
        groups[root(number)].append(number)
    return list(groups.values())


def _around(cell: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for east in (-1, 0, 1):
        for north in (-1, 0, 1):
            yield cell[0] + east, cell[1] + north


def _crack(parts: list[Part], sightings: Sequence[Sighting], scheme: Scheme) -> RoadCrack:
    """Sum up the parts of one crack; its kind is that of most of its length."""
    kinds = Counter[Kind]()
    for part in parts:
        kinds[part.kind] += round(float(part.lengths_mm.sum()))
    lengths = np.concatenate([part.lengths_mm for part in parts])
    widths = np.concatenate([part.widths_mm for part in parts])
    mean = float(np.average(widths, weights=np.maximum(lengths, 1e-9)))
    return RoadCrack(
        id=0,
        kind=kinds.most_common(1)[0][0],
        severity=grade(mean, scheme),
        length_m=float(lengths.sum()) / 1000,
        width_mean_mm=mean,
        station_m=float(min(part.stations_m.min() for part in parts)),
        frames=tuple(dict.fromkeys(sightings[part.frame].name for part in parts)),
        parts=tuple(parts),
    )
