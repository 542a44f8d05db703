"""A drive on the map: frames placed on the track, cracks counted once, summed up by section."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sam_crack import durable
from sam_crack.config.look_verbs import PredictOptions
from sam_crack.errors import BadInput
from sam_crack.infer.frames import FrameStream, Moment
from sam_crack.infer.rows import write_csv
from sam_crack.measure.inventory import (
    RoadCrack,
    SeenCrack,
    Sighting,
    step_by_distance,
    take_inventory,
)
from sam_crack.measure.place import unproject
from sam_crack.measure.polyline import simplify
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.measure.road_lines import RoadLine
from sam_crack.measure.sections import COLUMNS, measure_sections, road_seen
from sam_crack.measure.shots import Shot
from sam_crack.measure.track import Placer, Pose, Route
from sam_crack.measure.track_file import exif_track, read_track
from sam_crack.report.geo import Feature, write_geojson
from sam_crack.report.geopackage import write_geopackage
from sam_crack.report.qgis import crack_style

Record = dict[str, Any]
Records = Callable[[], Iterable[Record]]
MAP_FILES = ("sections.csv", "cracks.geojson", "cracks.qml", "sections.geojson", "drive.gpkg")
KEPT = "--continue keeps frames that are done"
SIMPLEST_M = 0.02
"""Bends below two centimetres are not drawn on a map."""


def video_of(record: Record) -> str | None:
    """Return the name of the video that a frame came from; None for a picture."""
    return str(record["source_name"]) if record["time_s"] is not None else None


@dataclass(frozen=True, kw_only=True, eq=False)
class DriveMap:
    """What is known of a drive's place."""

    route: Route
    poses: dict[str, Pose]
    """Frame to pose; frames without a place are not in it."""
    sightings: list[Sighting]
    cracks: list[RoadCrack]
    sections: list[dict[str, object]]

    @property
    def seen(self) -> list[tuple[float, float]]:
        """Stretches of the road that were seen, in metres along the track."""
        return road_seen(self.sightings)

    def lat_lon(self, east_north: np.ndarray[Any, Any]) -> list[tuple[float, float]]:
        """Turn places on the plane into latitudes and longitudes."""
        pairs = unproject(east_north, origin=self.route.origin).tolist()
        return [(lat, lon) for lat, lon in pairs]


def make_placer(options: PredictOptions, stream: FrameStream) -> Placer | None:
    """Read the track that was named; one on which no picture can lie is refused at once."""
    if not options.track:
        return None
    shots = [
        Shot(name=s.name, source=s.path, clock_s=None, file=s.file)
        for s in stream.sources
        if not s.is_video
    ]
    track = exif_track(shots) if options.track == "exif" else read_track(Path(options.track))
    placer = Placer(Route(track), shots, offset_s=options.time_offset)
    if len(shots) == len(stream.sources) and not any(map(placer.pose, shots)):
        raise _off_track(placer, [placer.time_s(shot) for shot in shots])
    return placer


def station_of(placer: Placer) -> Callable[[Moment], float | None]:
    """Return what tells metres along the track of a frame that is not yet read."""

    def station(moment: Moment) -> float | None:
        shot = Shot(name=moment.name, source=moment.source, clock_s=moment.clock_s)
        pose = placer.pose(shot)
        return None if pose is None else pose.station_m

    return station


def map_drive(
    records: Records, placer: Placer, options: PredictOptions, camera: RoadCamera | None
) -> DriveMap:
    """Place every frame of a run and count its cracks once."""
    poses = {}
    sightings = []
    unplaced: list[float | None] = []
    for record in records():
        shot = Shot(name=record["name"], source=Path(record["source"]), clock_s=record["clock_s"])
        pose = placer.pose(shot)
        if pose is None:
            unplaced.append(placer.time_s(shot))
            continue
        poses[record["name"]] = pose
        if camera is not None and not record["problem"]:
            height, width = record["size"]
            seen = _sighting(record, pose, camera.resized((height, width)))
            sightings.append(seen)
    if not poses:
        raise _off_track(placer, unplaced)
    stepped = step_by_distance(sightings)
    cracks = take_inventory(stepped, scheme=options.scheme)
    rows = measure_sections(cracks, stepped, section=options.section, lane_m=options.lane_width)
    return DriveMap(
        route=placer.route, poses=poses, sightings=stepped, cracks=cracks, sections=rows
    )


def _off_track(placer: Placer, times_s: Iterable[float | None]) -> BadInput:
    """Say how far the times of the frames lie from those of the track, or that they have none."""
    track, known_s = placer.route.track, [time for time in times_s if time is not None]
    begins_s, ends_s = track.time_s[[0, -1]].tolist()
    if not known_s:
        named = next(filter(None, track.names), None)
        names = "has no column `frame`" if named is None else f"names others, such as {named!r}"
        return BadInput(
            f"not one frame lies on the track: the frames carry no time, and the track {names}",
            "pictures with a time in their EXIF, a video, or a track whose column `frame` holds "
            "the file names of the pictures",
            f"add to the track which frame was taken where; {KEPT}",
        )
    if any(begins_s <= time <= ends_s for time in known_s):
        return BadInput(
            "not one frame lies on the track: it does not move, or not in their time",
            "a track of the drive with a point every 10 s",
            f"name another track; {KEPT}",
        )
    lasts = " to ".join(_clock(time) for time in (begins_s, ends_s))
    taken = " to ".join(_clock(time) for time in (min(known_s), max(known_s)))
    offset_s = placer.offset_s + begins_s - min(known_s)
    return BadInput(
        f"not one frame lies on the track: it lasts from {lasts}, the frames from {taken}",
        "a track of the same time as the frames",
        f"repeat with --time-offset {offset_s:.0f}, which lets both begin together; "
        f"whole hours are a time zone; {KEPT}",
    )


def _clock(time_s: float) -> str:
    """Write a moment, UTC."""
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return f"{time_s:g} s"


def _sighting(record: Record, pose: Pose, camera: RoadCamera) -> Sighting:
    """Read the cracks of a frame as its record holds them."""
    rows = [(crack["kind"], crack["road"]) for crack in record["cracks"]] + record["fragments"]
    cracks = tuple(
        SeenCrack(kind=kind, lines=tuple(map(RoadLine.from_row, road)))
        for kind, road in rows
        if road
    )
    return Sighting(name=record["name"], pose=pose, camera=camera, cracks=cracks)


def write_map(folder: Path, drive: DriveMap, options: PredictOptions) -> dict[str, Any]:
    """Write sections and map files, and return what goes into the summary."""
    write_csv(folder / "sections.csv", COLUMNS, drive.sections)
    cracks = list(crack_features(drive))
    write_geojson(folder / "cracks.geojson", cracks)
    durable.write_text(folder / "cracks.qml", crack_style())
    sections = list(_section_features(drive))
    write_geojson(folder / "sections.geojson", sections)
    if options.gpkg:
        write_geopackage(folder / "drive.gpkg", {"cracks": cracks, "sections": sections})
    return {
        "frames_placed": len(drive.poses),
        "road_cracks": len(drive.cracks),
        "road_length_m": round(sum(crack.length_m for crack in drive.cracks), 3),
        "sections": len(drive.sections),
    }


def crack_features(drive: DriveMap) -> Iterator[Feature]:
    """Yield every crack of the road with its figures."""
    for crack in drive.cracks:
        yield Feature(
            kind="MultiLineString",
            lines=[drive.lat_lon(_course(part.points)) for part in crack.parts],
            properties={
                "id": crack.id,
                "kind": crack.kind,
                "severity": crack.severity,
                "length_m": round(crack.length_m, 3),
                "width_mean_mm": round(crack.width_mean_mm, 2),
                "station_m": round(crack.station_m, 1),
                "frame": crack.frames[0],
                "frames": len(crack.frames),
            },
        )


def _course(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Drop bends that no map shows."""
    # the tolerance of `simplify` is half a pixel
    thinned: np.ndarray[Any, Any] = simplify((points - points[0]) / (2 * SIMPLEST_M))
    course: np.ndarray[Any, Any] = thinned * (2 * SIMPLEST_M) + points[0]
    return course


def _section_features(drive: DriveMap) -> Iterator[Feature]:
    """Yield the part of the track that belongs to each section."""
    along, plan = drive.route.station_m, drive.route.plan
    for row in drive.sections:
        low, high = float(str(row["from_m"])), min(float(str(row["to_m"])), float(along[-1]))
        inside = along[(along > low) & (along < high)]
        at = np.unique(np.concatenate([[low], inside, [high]]))
        if high <= low:
            continue
        moves = np.concatenate([[True], np.diff(along) > 0])
        line = np.stack([np.interp(at, along[moves], plan[moves, axis]) for axis in (0, 1)], axis=1)
        yield Feature(kind="LineString", lat_lon=drive.lat_lon(line), properties=row)
