"""The page of a drive: map, sections, worst frames, diagrams, settings, limits, command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sam_crack.report import page
from sam_crack.report.drive_charts import along_road, width_histogram
from sam_crack.report.overlay import CRACK
from sam_crack.report.roadmap import severity_of

MAX_MARKS = 1500
"""Cracks on the map: the longest; more would be a page that phones do not open."""
MAX_ROWS = 1000
WORST = 12
"""Frames shown, of 10 as of 5,000."""
LIMITS_MM = {"astm-ac": (10.0, 75.0), "ltpp": (6.0, 19.0)}
SECTION_COLUMNS = (
    ("from_m", page.Column(name="From", unit="m", digits=0)),
    ("covered_m", page.Column(name="Seen", unit="m", digits=0)),
    ("length_m", page.Column(name="Cracks", unit="m", digits=1)),
    ("longitudinal_m", page.Column(name="Longitudinal", unit="m", digits=1)),
    ("transverse_m", page.Column(name="Transverse", unit="m", digits=1)),
    ("diagonal_m", page.Column(name="Diagonal", unit="m", digits=1)),
    ("alligator_m2", page.Column(name="Alligator", unit="m²", digits=1)),
    ("width_mean_mm", page.Column(name="Mean width", unit="mm", digits=1)),
    ("density_m_per_m2", page.Column(name="Density", unit="m/m²", digits=3)),
    ("cracked_area_pct", page.Column(name="Cracked area", unit="%", digits=1)),
    ("frames", page.Column(name="Frames")),
    ("position_quality", page.Column(name="Position")),
)


@dataclass(frozen=True, kw_only=True)
class Course:
    """One crack of the road as the page shows it."""

    line: Sequence[tuple[float, float]]
    """Latitudes and longitudes."""
    facts: Mapping[str, Any]
    """id, kind, severity, length_m, width_mean_mm, station_m."""


@dataclass(frozen=True, kw_only=True)
class DriveFacts:
    """Everything that the page tells."""

    name: str
    summary: Mapping[str, Any]
    settings: Mapping[str, object]
    command: Sequence[str]
    pictures: Sequence[page.Picture]
    """The worst frames, worst first."""
    widths: Sequence[float]
    """Mean width of every crack of the road, else of every frame; mm if a camera is known."""
    lengths: Sequence[float]
    has_camera: bool
    track: Sequence[tuple[float, float]] = ()
    cracks: Sequence[Course] = ()
    sections: Sequence[Mapping[str, Any]] = ()
    seen: Sequence[tuple[float, float]] = ()
    """Stretches of the road that were seen, in metres along the track."""
    problems: Sequence[str] = ()
    """What could not be read or placed, in sentences."""
    footer: str = ""
    limits: Sequence[str] = field(default_factory=tuple)


def drive_report(facts: DriveFacts) -> page.Report:
    """Put the page together; what is not known has no section."""
    sections: list[page.Section] = []
    if facts.problems:
        sections.append(page.Notes(title="Read this first", items=facts.problems))
    if len(facts.track) > 1:
        sections.append(_map(facts))
    if facts.sections:
        sections.append(_section_table(facts))
    if facts.pictures:
        shown = (
            f"the {WORST} with most crack" if len(facts.pictures) == WORST else "those with cracks"
        )
        sections.append(
            page.Gallery(
                title="Worst frames",
                pictures=facts.pictures,
                note=f"Of {facts.summary['frames']:,} frames {shown}, worst first"
                f"{', counted to 15 m ahead' if facts.has_camera else ''}. "
                "A click opens one at full size.",
                key=(("found", CRACK),),
            )
        )
    plots = _plots(facts)
    if plots:
        sections.append(page.Plots(title="Figures", plots=plots))
    sections.append(_settings(facts))
    sections.append(page.Notes(title="Limits", items=[*facts.limits, *_limits(facts)]))
    sections.append(page.Command(title="The same again", lines=facts.command))
    return page.Report(
        title="Cracks of a drive",
        subtitle=facts.name,
        facts=_headline(facts),
        sections=sections,
        footer=facts.footer,
    )


def _headline(facts: DriveFacts) -> list[page.Fact]:
    summary = facts.summary
    cards = [page.Fact(label="Frames", value=f"{summary['frames']:,}", note=_frames_note(facts))]
    if facts.sections:
        length = sum(float(row["length_m"]) for row in facts.sections)
        seen = sum(float(row["covered_m"]) for row in facts.sections)
        high = sum(float(row["high_m"]) + float(row["medium_m"]) for row in facts.sections)
        widest = max(facts.sections, key=lambda row: float(row["length_m"]))
        cards += [
            page.Fact(label="Road seen", value=_metres(seen), note="within 15 m of the camera"),
            page.Fact(
                label="Cracks on the road",
                value=_metres(length),
                note=f"{len(facts.cracks):,} cracks, each counted once, with pieces that are too "
                "short to be listed by frame",
            ),
            page.Fact(label="Medium or high", value=_metres(high), note="by mean width"),
            page.Fact(
                label="Worst section",
                value=f"{float(widest['length_m']):.0f} m",
                note=f"of crack from {float(widest['from_m']):,.0f} m on",
            ),
        ]
        return cards
    cards.append(
        page.Fact(
            label="Cracks in frames",
            value=f"{summary['cracks']:,}",
            note="frames overlap: one crack may be in several",
        )
    )
    if summary["length_m"] is not None:
        note = "summed over frames, overlaps included"
        cards.append(page.Fact(label="Length", value=_metres(summary["length_m"]), note=note))
    return cards


def _frames_note(facts: DriveFacts) -> str:
    placed = facts.summary.get("frames_placed")
    return "" if placed is None else f"{placed:,} of them on the track"


def _metres(length: float) -> str:
    return f"{length / 1000:.2f} km" if length >= 1000 else f"{length:.1f} m"


def _map(facts: DriveFacts) -> page.RoadMap:
    longest = sorted(facts.cracks, key=lambda crack: -crack.facts["length_m"])[:MAX_MARKS]
    marks = [
        page.Mark(
            lat_lon=crack.line,
            severity=severity_of(crack.facts["severity"]),
            text=f"{crack.facts['kind']}, {crack.facts['length_m']:.1f} m long, "
            f"{crack.facts['width_mean_mm']:.0f} mm wide, at {crack.facts['station_m']:,.0f} m",
        )
        for crack in longest
    ]
    left_out = len(facts.cracks) - len(marks)
    note = f"The {MAX_MARKS:,} longest are drawn, {left_out:,} more are in cracks.geojson. "
    return page.RoadMap(
        title="Map",
        track=facts.track,
        marks=marks,
        note=(note if left_out > 0 else "")
        + "Colour is severity by mean width. Point at a crack to read it.",
    )


def _section_table(facts: DriveFacts) -> page.Table:
    rows = facts.sections[:MAX_ROWS]
    table = [[row[key] for key, _ in SECTION_COLUMNS] for row in rows]
    more = len(facts.sections) - len(rows)
    return page.Table(
        title="Sections",
        columns=[column for _, column in SECTION_COLUMNS],
        rows=table,
        note="Lengths count every crack within 15 m of the camera once; density and cracked area "
        f"are those of a lane {facts.settings.get('lane width, m', 3.5)} m wide."
        + (f" {more:,} more sections are in sections.csv." if more > 0 else ""),
    )


def _plots(facts: DriveFacts) -> list[page.Plot]:
    plots = []
    if facts.sections:
        edges = [_seen_part(row, facts.seen) for row in facts.sections]
        names = ("low", "medium", "high")
        metres = {name: [float(row[f"{name}_m"]) for row in facts.sections] for name in names}
        plots.append(
            page.Plot(image=along_road(edges, metres), alt="Metres of crack along the road")
        )
    if any(width > 0 for width in facts.widths):
        unit = "mm" if facts.has_camera else "px"
        limits = LIMITS_MM[str(facts.settings["severity by"])] if facts.has_camera else ()
        drawn = width_histogram(facts.widths, facts.lengths, unit=unit, limits=limits)
        caption = "Every crack of the road" if facts.cracks else "Every crack of every frame"
        caption += ", by length."
        shown = any(min(facts.widths) < limit < max(facts.widths) for limit in limits)
        caption += " Dashed: where a severity ends." if shown else ""
        plots.append(page.Plot(image=drawn, alt="Widths of cracks", caption=caption))
    return plots


def _seen_part(row: Mapping[str, Any], seen: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return from where to where a section was seen; all of it where that is not known."""
    begins, ends = float(row["from_m"]), float(row["to_m"])
    inside = [(low, high) for low, high in seen if low < ends and high > begins]
    if not inside:
        return begins, ends
    return max(begins, inside[0][0]), min(ends, inside[-1][1])


def _settings(facts: DriveFacts) -> page.Table:
    return page.Table(
        title="Settings",
        columns=[page.Column(name="Setting"), page.Column(name="Value")],
        rows=[[name, str(value)] for name, value in facts.settings.items()],
        wraps=True,
    )


def _limits(facts: DriveFacts) -> list[str]:
    items = [
        "Severity is by mean width alone. It is no pavement condition index, and no inspection.",
        "What the model misses is missing here, and what it takes for a crack is counted: compare "
        "the overlays with what you see.",
    ]
    if facts.has_camera:
        items += [
            "Metres and millimetres assume a flat road, and the camera's height and tilt to be "
            "those of camera.json.",
            "A crack thinner than about a quarter of a pixel cannot be seen. A pixel grows with "
            "the distance: look at every 5 m of road or less for fine cracks.",
        ]
    else:
        items.append("No camera fits these frames: everything is in pixels, and nothing is a size.")
    return items
