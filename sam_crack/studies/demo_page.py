"""The demo's report and summary: what was taught, found and missed, and where."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING

from sam_crack.config.schema import RunConfig
from sam_crack.data.synth.dataset import drive_camera
from sam_crack.data.synth.truth import REACH_M
from sam_crack.measure.gpx import read_gpx
from sam_crack.measure.metrics import Counts, f1, iou, precision, recall
from sam_crack.measure.place import offset
from sam_crack.report import page
from sam_crack.report.html import write_report
from sam_crack.report.overlay import Label, draw_overlay, thumbnail
from sam_crack.report.plots import loss_curve, scatter_lengths
from sam_crack.studies.demo_truth import FrameResult, TrueCrack

if TYPE_CHECKING:
    from sam_crack.studies.demo import Taught

FULL_WIDTH_PX, THUMBNAIL_PX = 1920, 640
SHORTEST_LABEL_MM = 500
POINTS_PER_MARK = 12


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over the held-back frames."""

    counts: Counts
    true_m: float
    found_m: float
    num_true: int
    num_found: int
    num_false: int
    seconds_per_frame: float


def totals(results: Sequence[FrameResult]) -> Totals:
    """Add up what was true, found and imagined."""
    cracks = [crack for result in results for crack in result.true_cracks]
    found = [crack for crack in cracks if crack.measured_length_mm is not None]
    return Totals(
        counts=reduce(add, (result.counts for result in results), Counts()),
        true_m=sum(crack.length_mm for crack in cracks) / 1000,
        found_m=sum(crack.measured_length_mm or 0.0 for crack in cracks) / 1000,
        num_true=len(cracks),
        num_found=len(found),
        num_false=sum(len(result.false_cracks) for result in results),
        seconds_per_frame=sum(result.seconds for result in results) / len(results),
    )


def summarise(
    config: RunConfig, taught: Taught, results: Sequence[FrameResult], note: str
) -> dict[str, object]:
    """Return the figures as `summary.json` holds them, and one line for the screen."""
    found, after = totals(results), taught.result.best or taught.before
    scores = {
        f"test_{name}_pooled": score(found.counts, empty="zero")
        for name, score in (("iou", iou), ("f1", f1), ("precision", precision), ("recall", recall))
    }
    line = (
        f"validation IoU {taught.before.iou:.3f} -> {after.iou:.3f}; on {len(results)} held-back "
        f"frames IoU {scores['test_iou_pooled']:.3f}, {found.num_found} of {found.num_true} cracks "
        f"found, {found.found_m:.1f} m measured of {found.true_m:.1f} m, "
        f"{found.num_false} false alarms"
    )
    return {
        "line": line,
        "note": note,
        "backbone": config.model.backbone.name,
        "steps": config.train.steps,
        "validation_before": taught.before.facts(),
        "validation_after": after.facts(),
        **scores,
        "cracks_true": found.num_true,
        "cracks_found": found.num_found,
        "false_alarms": found.num_false,
        "length_true_m": round(found.true_m, 3),
        "length_measured_m": round(found.found_m, 3),
        "seconds_per_frame": round(found.seconds_per_frame, 2),
    }


def write_page(
    path: Path,
    *,
    config: RunConfig,
    taught: Taught,
    results: Sequence[FrameResult],
    drive: Path,
    note: str,
) -> Path:
    """Write the one self-contained page that the demo is about."""
    found, after = totals(results), taught.result.best or taught.before
    facts = [
        page.Fact(
            label="Validation IoU",
            value=f"{taught.before.iou:.2f} → {after.iou:.2f}",
            note=f"before and after {config.train.steps} steps",
        ),
        page.Fact(
            label="Cracks found",
            value=f"{found.num_found} of {found.num_true}",
            note=f"in {len(results)} held-back frames, within {REACH_M:g} m; "
            f"{found.num_false} false alarms",
        ),
        page.Fact(
            label="Crack length",
            value=f"{found.found_m:.1f} m",
            note=f"measured; {found.true_m:.1f} m are there",
        ),
        page.Fact(
            label="Time per 4K frame",
            value=f"{found.seconds_per_frame:.1f} s",
            note="windows, stitching and measuring, on this machine's processor",
        ),
    ]
    sections: list[page.Section] = []
    if note:
        sections.append(page.Notes(title="Read this first", items=[note]))
    sections += [
        page.Gallery(
            title="Held-back frames",
            pictures=[_picture(result) for result in results],
            note="Rendered frames that training never saw. Lengths are measured on the road "
            "through the camera's height, pitch and focal length.",
        ),
        _table(results),
        _map(results, drive),
        _plots(taught, results),
        _limits(config),
        page.Command(title="Run it again", lines=["sam-crack demo"], note=f"seed {config.seed}"),
    ]
    report = page.Report(
        title="Cracks on a practice drive",
        subtitle=f"{config.model.backbone.name} with {config.model.adapter.method} and a "
        f"{config.model.head.kind} head, taught for {taught.seconds / 60:.1f} minutes here",
        facts=facts,
        sections=sections,
    )
    write_report(path, report)
    return path


def _picture(result: FrameResult) -> page.Picture:
    labels = [
        Label(text=f"{crack.ground.length_mm / 1000:.1f} m", y=crack.bbox[0], x=crack.bbox[3])
        for crack in result.cracks
        if crack.ground is not None and crack.ground.length_mm > SHORTEST_LABEL_MM
    ]
    full, small = (
        draw_overlay(result.image, result.mask, truth=result.truth, labels=text, legend=bool(text))
        for text in (labels, ())
    )
    found = sum(crack.measured_length_mm is not None for crack in result.true_cracks)
    return page.Picture(
        image=thumbnail(full, FULL_WIDTH_PX, quality=80),
        thumbnail=thumbnail(small, THUMBNAIL_PX),
        title=f"Frame {result.name}",
        caption=f"{found} of {len(result.true_cracks)} cracks found, "
        f"{len(result.false_cracks)} false alarms",
    )


def _table(results: Sequence[FrameResult]) -> page.Table:
    rows: list[tuple[page.Cell, ...]] = []
    for result in results:
        rows += [_row(result.name, crack) for crack in result.true_cracks]
    return page.Table(
        title="True and measured cracks",
        columns=[
            page.Column(name="Frame"),
            page.Column(name="Crack"),
            page.Column(name="Class"),
            page.Column(name="True length", unit="m", digits=2),
            page.Column(name="Measured length", unit="m", digits=2),
            page.Column(name="True width", unit="mm"),
            page.Column(name="Measured width", unit="mm"),
        ],
        rows=rows,
        note=f"The part of each crack inside the frame, not hidden, within {REACH_M:g} m. "
        "An empty cell is a crack that was missed.",
    )


def _row(frame: str, crack: TrueCrack) -> tuple[page.Cell, ...]:
    measured = crack.measured_length_mm
    return (
        frame,
        crack.id,
        crack.kind,
        crack.length_mm / 1000,
        None if measured is None else measured / 1000,
        crack.width_mm,
        crack.measured_width_mm,
    )


def _map(results: Sequence[FrameResult], drive: Path) -> page.RoadMap:
    track, camera = read_gpx(drive / "track.gpx"), drive_camera(drive)
    marks = []
    for result, *place in zip(results, *_places(results, drive), strict=True):
        for crack in result.cracks:
            if crack.ground is None:
                continue
            ground = crack.ground
            text = (
                f"{crack.kind}, {ground.length_mm / 1000:.1f} m long, "
                f"{ground.width_mean_mm:.0f} mm wide, frame {result.name}"
            )
            line = max(crack.lines, key=len)
            on_road = camera.to_ground(line[:: max(1, len(line) // POINTS_PER_MARK)])
            course = [
                offset(place[0], place[1], place[2], x_right_m=x, z_ahead_m=z) for x, z in on_road
            ]
            marks.append(page.Mark(lat_lon=course, severity=ground.severity, text=text))
    return page.RoadMap(
        title="Map of the drive",
        track=list(zip(track.lat_deg.tolist(), track.lon_deg.tolist(), strict=True)),
        marks=marks,
        note="Severity by mean width (ASTM D6433, asphalt). Frames overlap: a crack that two "
        "frames show has two marks.",
    )


def _places(results: Sequence[FrameResult], drive: Path) -> list[list[float]]:
    """Latitudes, longitudes and headings of the cameras of these frames."""
    with (drive / "frames.csv").open(newline="") as file:
        rows = {row["frame"]: row for row in csv.DictReader(file)}
    chosen = [rows[result.name.rsplit("/", 1)[-1]] for result in results]
    return [[float(row[key]) for row in chosen] for key in ("lat", "lon", "heading")]


def _plots(taught: Taught, results: Sequence[FrameResult]) -> page.Plots:
    plots = [
        page.Plot(
            image=loss_curve(taught.result.history, format="svg"),
            alt="Training loss over steps",
            caption="Loss of each step; the score is pooled F1 on the validation road.",
        )
    ]
    cracks = [crack for result in results for crack in result.true_cracks]
    pairs = [(c.length_mm, c.measured_length_mm) for c in cracks if c.measured_length_mm]
    if pairs:
        true, measured = zip(*pairs, strict=True)
        plots.append(
            page.Plot(
                image=scatter_lengths(true, measured, format="svg"),
                alt="Measured against true crack lengths",
                caption="Each dot is one crack in one frame; missed cracks are not drawn.",
            )
        )
    return page.Plots(title="Learning and measuring", plots=plots)


def _limits(config: RunConfig) -> page.Notes:
    return page.Notes(
        title="What this shows, and what it does not",
        items=[
            f"{config.train.steps} steps on rendered roads show that the chain works from pixels "
            "to metres. They say little about real roads: for these, train on real frames.",
            "The threshold was chosen on the validation road, never on the frames shown here.",
            f"Lengths and widths assume a flat road; what lies beyond {REACH_M:g} m is left out.",
            "Severity is by width alone and is no pavement condition index.",
        ],
    )
