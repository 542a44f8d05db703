"""The demo's map: the track of the held-back drive, and the cracks that were measured on it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from sam_crack.data.synth.dataset import drive_camera
from sam_crack.measure.gpx import read_gpx
from sam_crack.measure.place import offset
from sam_crack.report import page
from sam_crack.studies.demo.truth import FrameResult

POINTS_PER_MARK = 12


def road_map(results: Sequence[FrameResult], drive: Path) -> page.RoadMap:
    """Draw each measured crack as a line beside the track, coloured by its severity."""
    track, camera = read_gpx(drive / "track.gpx"), drive_camera(drive)
    marks = []
    for result, *place in zip(results, *_places(results, drive), strict=True):
        for crack in result.cracks:
            if crack.ground is None:
                continue
            ground, false = crack.ground, any(crack is other for other in result.false_cracks)
            text = (
                f"{crack.kind}, {ground.length_mm / 1000:.1f} m long, "
                f"{ground.width_mean_mm:.0f} mm wide, frame {result.name}"
                f"{'; a false alarm' * false}"
            )
            line = max(crack.lines, key=len)
            on_road = camera.to_ground(line[:: max(1, len(line) // POINTS_PER_MARK)])
            course = [
                offset(place[0], place[1], place[2], x_right_m=x, z_ahead_m=z) for x, z in on_road
            ]
            marks.append(page.Mark(lat_lon=course, severity=ground.severity, text=text))
    num_false = sum(len(result.false_cracks) for result in results)
    return page.RoadMap(
        title="Map of the drive",
        track=list(zip(track.lat_deg.tolist(), track.lon_deg.tolist(), strict=True)),
        marks=marks,
        note="Severity by mean width (ASTM D6433, asphalt), false alarms included: they are "
        f"{num_false} of the {len(marks)} marks, and their texts say so. Only the held-back end "
        "of the track was looked at.",
    )


def _places(results: Sequence[FrameResult], drive: Path) -> list[list[float]]:
    """Latitudes, longitudes and headings of the cameras of these frames."""
    with (drive / "frames.csv").open(newline="") as file:
        rows = {row["frame"]: row for row in csv.DictReader(file)}
    chosen = [rows[result.name.rsplit("/", 1)[-1]] for result in results]
    return [[float(row[key]) for row in chosen] for key in ("lat", "lon", "heading")]
