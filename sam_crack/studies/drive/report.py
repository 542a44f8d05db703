"""Fills the page of a drive from what a prediction run wrote."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sam_crack import __version__
from sam_crack.config.look_verbs import PredictOptions
from sam_crack.console import counted
from sam_crack.errors import BadInput
from sam_crack.infer.frames import read_frame
from sam_crack.infer.video import is_video
from sam_crack.measure.inventory import RING_M
from sam_crack.measure.polyline import middle_line
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.report import page
from sam_crack.report.drive_page import WORST, Course, DriveFacts, drive_report
from sam_crack.report.html import write_report
from sam_crack.report.overlay import Frame, Label, draw_overlay, thumbnail
from sam_crack.studies.drive.command import repeat_run
from sam_crack.studies.drive.map import DriveMap, Records, crack_features
from sam_crack.studies.drive.tables import problems_of

FULL_PX, THUMBNAIL_PX = 1600, 480
MAX_LABELS, SHORTEST_LABEL_MM = 5, 500
SEVERITY_WEIGHT = {"low": 1.0, "medium": 2.0, "high": 4.0, None: 1.0}


def write_drive_page(
    folder: Path,
    records: Records,
    *,
    options: PredictOptions,
    camera: RoadCamera | None,
    drive: DriveMap | None,
    summary: dict[str, Any],
    listed: Sequence[str],
) -> None:
    """Write report.html, and paths.txt where its command needs that."""
    widths, lengths, worst = _survey(records)
    if drive and drive.cracks:
        widths = [crack.width_mean_mm for crack in drive.cracks]
        lengths = [crack.length_m for crack in drive.cracks]
    has_camera = summary["length_m"] is not None
    facts = DriveFacts(
        name=", ".join(str(path) for path in options.paths[:3]),
        summary=summary,
        settings=_settings(options, camera, summary),
        command=repeat_run(folder, options, listed),
        pictures=[shown for record in worst if (shown := _picture(folder, record)) is not None],
        widths=widths,
        lengths=lengths,
        has_camera=has_camera,
        track=_track(drive) if drive else (),
        cracks=_courses(drive) if drive else (),
        sections=drive.sections if drive else (),
        seen=drive.seen if drive else (),
        problems=_problems(summary),
        footer=f"sam-crack {__version__}, settings {summary['config'][:12]}, base weights "
        f"{summary['base_sha256'][:12]}",
    )
    write_report(folder / "report.html", drive_report(facts))


def _survey(records: Records) -> tuple[list[float], list[float], list[dict[str, Any]]]:
    """Widths and lengths of what is near enough, and the frames with most of it, worst first."""
    widths: list[float] = []
    lengths: list[float] = []
    best: list[tuple[float, int, dict[str, Any]]] = []
    for number, record in enumerate(records()):
        score = 0.0
        for crack in record["cracks"]:
            width, length = _near(crack)
            if length > 0:
                widths.append(width)
                lengths.append(length)
                score += length * SEVERITY_WEIGHT[crack["severity"]]
        if score:
            heapq.heappush(best, (score, -number, record))
            if len(best) > WORST:
                heapq.heappop(best)
    return widths, lengths, [record for *_, record in sorted(best, key=lambda one: -one[0])]


def _near(crack: dict[str, Any]) -> tuple[float, float]:
    """Width and length in mm of what of a crack is near enough; without a camera all, in px."""
    if crack["length_mm"] is None:
        return crack["width_mean_px"], crack["length_px"]
    pieces = [
        (length, width)
        for line in crack["road"]
        for (_, before, _, _), (_, after, length, width) in pairwise(line)
        if (before + after) / 2 <= RING_M
    ]
    total = sum(length for length, _ in pieces)
    return sum(length * width for length, width in pieces) / max(total, 1e-9), total


def _picture(folder: Path, record: dict[str, Any]) -> page.Picture | None:
    """Show a frame with what was found on it; a video's frame only if its overlay was written."""
    frame = _overlay(folder, record)
    if frame is None:
        return None
    sizes = [_near(crack)[1] for crack in record["cracks"]]
    number = sum(length > 0 for length in sizes)
    on_road = any(crack["length_mm"] is not None for crack in record["cracks"])
    size = f"{sum(sizes) / 1000:.1f} m" if on_road else f"{sum(sizes):,.0f} px"
    return page.Picture(
        image=thumbnail(frame, FULL_PX, quality=80),
        thumbnail=thumbnail(frame, THUMBNAIL_PX),
        title=record["name"],
        caption=f" {counted(number, 'crack')}, {size}",
    )


def _overlay(folder: Path, record: dict[str, Any]) -> Frame | None:
    """Draw a frame with few names, so that they hide nothing; a video's as it was written."""
    source = Path(record["source"])
    mask = _bytes(folder / "masks" / f"{record['name']}.png")
    if not is_video(source) and mask is not None:
        try:
            image = read_frame(source)
            pixels = np.asarray(cv2.imdecode(mask, cv2.IMREAD_GRAYSCALE), np.uint8)
            return draw_overlay(image, pixels, labels=_labels(record["cracks"]))
        except BadInput:  # moved or changed since
            pass
    content = _bytes(folder / "overlays" / f"{record['name']}.jpg")
    drawn = None if content is None else cv2.imdecode(content, cv2.IMREAD_COLOR)
    return None if drawn is None else np.asarray(drawn[..., ::-1], np.uint8)


def _labels(cracks: list[dict[str, Any]]) -> list[Label]:
    """Name the longest cracks that are near."""
    longest = sorted(cracks, key=lambda crack: -_near(crack)[1])[:MAX_LABELS]
    labels = []
    for crack in longest:
        width, length = _near(crack)
        line = max(crack["lines"], key=len)
        y, x = line[len(line) // 2]
        on_road = crack["length_mm"] is not None
        text = f"{length / 1000:.1f} m, {width:.0f} mm" if on_road else f"{length:.0f} px"
        if length >= (SHORTEST_LABEL_MM if on_road else 0):
            labels.append(Label(text=text, y=y, x=x))
    return labels


def _bytes(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
    return np.fromfile(path, np.uint8) if path.is_file() else None


def _track(drive: DriveMap) -> list[tuple[float, float]]:
    """The track between the first and the last frame."""
    along = drive.route.station_m
    stations = [pose.station_m for pose in drive.poses.values()]
    low, high = min(stations), max(stations) + 15.0
    return drive.lat_lon(drive.route.plan[(along >= low - 1) & (along <= high)])


def _courses(drive: DriveMap) -> list[Course]:
    """One line per crack: its parts come from several frames, and side branches are no course."""
    return [
        Course(
            line=drive.lat_lon(middle_line(np.concatenate([part.points for part in crack.parts]))),
            facts=feature.properties,
        )
        for crack, feature in zip(drive.cracks, crack_features(drive), strict=True)
    ]


def _problems(summary: dict[str, Any]) -> list[str]:
    found = problems_of(summary["errors"])
    placed = summary.get("frames_placed")
    if placed is not None and placed < summary["frames"]:
        lost = summary["frames"] - placed
        found.append(
            f"{lost:,} of {summary['frames']:,} frames lie outside the track, or in its gaps."
        )
    return found


def _scale_in_words(scale: dict[str, Any]) -> str:
    """Say by how much frames were resized, and how that was decided."""
    factor = f"{scale.get('factor', 1.0):.3g}"
    asked = scale.get("asked", factor)
    return factor if asked == factor else f"{factor} ({asked})"


def _settings(
    options: PredictOptions, camera: RoadCamera | None, summary: dict[str, Any]
) -> dict[str, object]:
    """What decided the figures, in words."""
    found: dict[str, object] = {
        "checkpoint": options.run,
        "threshold": f"{summary['threshold']:.3f}",
        "road": options.road,
        "scale": _scale_in_words(summary.get("scale", {})),
        "window overlap": options.overlap,
        "frames looked at": _stride_in_words(options.stride),
        "smallest crack, px": f"{options.min_length:g}",
        "severity by": options.scheme,
    }
    if camera is not None:
        found["camera"] = camera.words
    if options.track:
        found |= {
            "track": options.track,
            "time offset, s": f"{options.time_offset:g}",
            "section": options.section,
            "lane width, m": f"{options.lane_width:g}",
        }
    return found


def _stride_in_words(stride: str) -> str:
    if stride == "1":
        return "all"
    return f"one per {stride}" if stride[-1] in "sm" else f"one of {stride}"
