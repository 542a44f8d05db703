"""The demo's report and summary: what was taught, found and missed, and where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sam_crack.config.schema import RunConfig
from sam_crack.console import counted
from sam_crack.data.synth.truth import REACH_M
from sam_crack.measure.metrics import f1, iou, precision, recall
from sam_crack.report import page
from sam_crack.report.html import write_report
from sam_crack.report.overlay import KEY, Label, draw_overlay, thumbnail
from sam_crack.report.plots import loss_curve, scatter_lengths
from sam_crack.studies.demo.map import road_map
from sam_crack.studies.demo.road import RoadLook, compare_page
from sam_crack.studies.demo.teach import Taught
from sam_crack.studies.demo.totals import totals
from sam_crack.studies.demo.truth import FrameResult, TrueCrack

FULL_WIDTH_PX, THUMBNAIL_PX = 1920, 640
SHORTEST_LABEL_MM = 500


def summarise(
    config: RunConfig,
    taught: Taught,
    results: Sequence[FrameResult],
    *,
    road: RoadLook | None,
    note: str,
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
        f"{counted(found.num_false, 'false alarm')}"
    )
    return {
        "line": line,
        "note": note,
        "backbone": config.model.backbone.name,
        "start": taught.start,
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
        "road": None if road is None else _road_facts(road),
    }


def _road_facts(road: RoadLook) -> dict[str, object]:
    return {
        "scale": road.factor,
        "test_iou_pooled": iou(road.found.counts, empty="zero"),
        "cracks_found": road.found.num_found,
        "false_alarms": road.found.num_false,
    }


def write_page(
    path: Path,
    *,
    config: RunConfig,
    taught: Taught,
    results: Sequence[FrameResult],
    road: RoadLook | None,
    drive: Path,
    note: str,
) -> Path:
    """Write the one self-contained page that the demo is about."""
    sections: list[page.Section] = []
    if note:
        sections.append(page.Notes(title="Read this first", items=[note]))
    sections += [
        page.Gallery(
            title="Held-back frames",
            pictures=[_picture(result) for result in results],
            key=KEY,
            note="Rendered frames that training never saw, further along the road that it learned "
            "on. Lengths are measured through the camera's height, pitch and focal length.",
        ),
        *([] if road is None else [compare_page(results, road)]),
        _table(results),
        road_map(results, drive),
        _plots(taught, results),
        _limits(config),
        page.Command(title="Run it again", lines=[_command(config, taught.start, results)]),
    ]
    report = page.Report(
        title="Cracks on a practice drive",
        subtitle=f"{config.model.backbone.name} with {config.model.adapter.method} and a "
        f"{config.model.head.kind} head, begun from {taught.start}, taught for "
        f"{_minutes(taught):.1f} minutes here",
        facts=_facts(config, taught, results),
        sections=sections,
    )
    write_report(path, report)
    return path


def _facts(config: RunConfig, taught: Taught, results: Sequence[FrameResult]) -> list[page.Fact]:
    found, after = totals(results), taught.result.best or taught.before
    height, width = results[0].truth.shape
    return [
        page.Fact(
            label="Validation IoU",
            value=f"{taught.before.iou:.2f} → {after.iou:.2f}",
            note=f"before and after {config.train.steps} steps",
        ),
        page.Fact(
            label="Cracks found",
            value=f"{found.num_found} of {found.num_true}",
            note=f"in {len(results)} held-back frames, within {REACH_M:g} m; "
            f"{counted(found.num_false, 'false alarm')}",
        ),
        page.Fact(
            label="Crack length",
            value=f"{found.found_m:.1f} m",
            note=f"measured; {found.true_m:.1f} m are there",
        ),
        page.Fact(
            label="Time per frame",
            value=f"{found.seconds_per_frame:.1f} s",
            note=f"{height} x {width} pixels: windows, stitching and measuring, on this machine's "
            "processor",
        ),
    ]


def _minutes(taught: Taught) -> float:
    """Training time over all starts of a run."""
    return sum(float(str(row.get("seconds", 0))) for row in taught.result.history) / 60


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
        f"{counted(len(result.false_cracks), 'false alarm')}",
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
        "A dash is a crack that was missed.",
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


def _plots(taught: Taught, results: Sequence[FrameResult]) -> page.Plots:
    plots = [
        page.Plot(
            image=loss_curve(taught.result.history, format="svg"),
            alt="Training loss over steps",
            caption="Loss of each step; the score is pooled F1 on the validation frames.",
        )
    ]
    cracks = [crack for result in results for crack in result.true_cracks]
    pairs = [
        (c.length_mm / 1000, c.measured_length_mm / 1000) for c in cracks if c.measured_length_mm
    ]
    if pairs:
        true, measured = zip(*pairs, strict=True)
        plots.append(
            page.Plot(
                image=scatter_lengths(true, measured, unit="m", format="svg"),
                alt="Measured against true crack lengths",
                caption="Each dot is one crack in one frame; missed cracks are not drawn.",
            )
        )
    return page.Plots(title="Learning and measuring", plots=plots)


def _command(config: RunConfig, start: str, results: Sequence[FrameResult]) -> str:
    """Compose the command line that gives these results again."""
    height, width = results[0].truth.shape
    return (
        f"sam-crack demo --seed {config.seed} --steps {config.train.steps} "
        f"--frames {len(results)} --size {height},{width} --start {start}"
    )


def _limits(config: RunConfig) -> page.Notes:
    return page.Notes(
        title="What this shows, and what it does not",
        items=[
            f"{config.train.steps} steps on rendered roads show that the chain works from pixels "
            "to metres. They say little about real roads: for these, train on real frames.",
            "The threshold was chosen on validation frames of the same road, never on those shown.",
            f"Lengths and widths assume a flat road; what lies beyond {REACH_M:g} m is left out.",
            "Minutes of training draw thin cracks too wide: compare the two width columns.",
            "Severity is by width alone and is no pavement condition index.",
        ],
    )
