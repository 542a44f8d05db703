"""What a report is made of: plain values, without a word about how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["low", "medium", "high", "unknown"]
Cell = str | int | float | None


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One headline figure."""

    label: str
    value: str
    """Already in words: `41.3 m`."""
    note: str = ""
    """What it is measured on, or how sure it is."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One frame with what was found on it."""

    image: bytes
    """JPEG or PNG, at full size."""
    thumbnail: bytes
    """The same, small."""
    title: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures side by side, each to be opened at full size."""

    title: str
    pictures: Sequence[Picture]
    note: str = ""
    key: Sequence[tuple[str, tuple[int, int, int]]] = ()
    """What the colours mean: name and red, green, blue."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    unit: str = ""
    digits: int = 1
    """Decimals of floating-point cells."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows that can be sorted by every column; None is a cell without a value."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    wraps: bool = False
    """Whether long cells are broken into lines and all rows are shown, in place of scrolling."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One diagram."""

    image: bytes
    """SVG or PNG."""
    alt: str
    """What it shows, in words."""
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Plots:
    """Diagrams side by side."""

    title: str
    plots: Sequence[Plot]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One crack on the map."""

    lat_lon: Sequence[tuple[float, float]]
    """One pair for a place, more for its course."""
    severity: Severity
    text: str
    """Shown when it is pointed at."""


@dataclass(frozen=True, kw_only=True)
class RoadMap:
    """A GPS track with cracks along it."""

    title: str
    track: Sequence[tuple[float, float]]
    """Latitude and longitude, in the order of the drive."""
    marks: Sequence[Mark] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Notes:
    """Short statements, such as limits of the method."""

    title: str
    items: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Command:
    """How to get the same result again."""

    title: str
    lines: Sequence[str]
    note: str = ""


Section = Gallery | Table | Plots | RoadMap | Notes | Command


@dataclass(frozen=True, kw_only=True)
class Report:
    """One page."""

    title: str
    subtitle: str = ""
    facts: Sequence[Fact] = ()
    sections: Sequence[Section] = ()
    footer: str = ""
    """Versions, date, checkpoint: what the figures come from."""
