"""GPX tracks, read from files that nobody vouches for."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

from sam_crack.console import counted
from sam_crack.errors import BadInput
from sam_crack.measure.positions import MAX_TEXT, Point, Track, seconds_of, track_of

MAX_BYTES = 64 << 20
MAX_POINTS = 2_000_000
MAX_DEPTH = 64


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
