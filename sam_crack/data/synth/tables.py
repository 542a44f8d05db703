"""The text files of a drive: where each frame was taken, and which split it is in."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from sam_crack.data.synth.look import Look
from sam_crack.data.synth.view import View

FIRST = datetime(2024, 5, 14, 9, 30, tzinfo=UTC)
VIDEO_HZ = 25.0
SHARES = (("train", 0.70), ("val", 0.15), ("test", 0.15))


@dataclass(frozen=True, kw_only=True)
class Place:
    """When and where a frame was taken."""

    name: str
    seconds: float
    lat: float
    lon: float
    heading_deg: float
    metres: float

    @property
    def time(self) -> str:
        """UTC, ISO 8601 to the millisecond."""
        moment = FIRST + timedelta(seconds=self.seconds)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_per_frame(look: Look, spacing_m: float) -> float:
    """Time between frames: a whole number of pictures of a 25-Hz video at about the speed."""
    return max(round(VIDEO_HZ * spacing_m / look.speed_mps), 1) / VIDEO_HZ


def place_of(view: View, index: int, *, spacing_m: float) -> Place:
    """Return when and where a frame was taken."""
    pose = view.pose
    lat, lon = view.track.to_wgs84((pose.east_m, pose.north_m))
    return Place(
        name=frame_name(index),
        seconds=round(index * seconds_per_frame(view.look, spacing_m), 3),
        lat=float(lat),
        lon=float(lon),
        heading_deg=pose.heading_deg,
        metres=index * spacing_m,
    )


def frame_name(index: int) -> str:
    """File name of a frame, without suffix."""
    return f"{index:06d}"


def gpx_text(places: Sequence[Place]) -> str:
    """Write GPX 1.1: one track, one point a frame, named after it."""
    points = [
        f'   <trkpt lat="{p.lat:.9f}" lon="{p.lon:.9f}"><time>{p.time}</time>'
        f"<name>{p.name}</name></trkpt>"
        for p in places
    ]
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx version="1.1" creator="sam-crack" xmlns="http://www.topografix.com/GPX/1/1">\n'
        " <trk><name>practice drive</name>\n  <trkseg>\n"
    )
    return head + "\n".join(points) + "\n  </trkseg>\n </trk>\n</gpx>\n"


def csv_text(places: Sequence[Place]) -> str:
    """Write `frames.csv`: frame, time, lat, lon, heading, metres."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["frame", "time", "lat", "lon", "heading", "metres"])
    for p in places:
        rows.writerow(
            [p.name, p.time, f"{p.lat:.9f}", f"{p.lon:.9f}", f"{p.heading_deg:.4f}",
             f"{p.metres:.3f}"]
        )  # fmt: skip
    return text.getvalue()


def splits(names: Sequence[str], *, gap: int) -> dict[str, list[str]]:
    """Cut a drive into consecutive segments; `gap` frames between them are in none.

    Frames near each other show the same road, so the gap keeps what is measured apart.
    """
    ends = np.round(np.cumsum([share for _, share in SHARES]) * len(names)).astype(int)
    starts = [0, *ends[:-1].tolist()]
    room = gap if len(names) >= 12 * gap else 0
    cut = {}
    for (split, _), start, end in zip(SHARES, starts, ends.tolist(), strict=True):
        last = end - room if split != "test" else end
        cut[split] = list(names[start:last])
    return cut
