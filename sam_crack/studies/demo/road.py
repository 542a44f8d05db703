"""The bundled `road` checkpoint on the demo's frames: taught real roads, never this one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam_crack.config.schema import InferConfig
from sam_crack.console import Console
from sam_crack.measure.metrics import iou, precision, recall
from sam_crack.report import page
from sam_crack.studies.demo.totals import Totals, totals
from sam_crack.studies.demo.truth import FrameResult, Looker

ROAD = Path("road")
"""The bundled checkpoint, by its name."""
FACTORS, AT_WIDTH = (0.25, 0.35, 0.5), 3840
"""Its cameras show a lane in a quarter to half as many pixels as a frame of this width does."""


@dataclass(frozen=True, kw_only=True)
class RoadLook:
    """What `road` finds."""

    factor: float
    """Scale, chosen on the validation frames of the rendered road."""
    found: Totals


def look_with_road(
    config: InferConfig,
    drive: Path,
    *,
    labelled: Iterable[int],
    frames: Iterable[int],
    console: Console,
) -> RoadLook:
    """Find the scale on a few labelled frames, then look at the others."""
    looker = Looker(ROAD, config, drive)
    width = looker.camera.size[1]
    factors = tuple(min(1.0, factor * AT_WIDTH / width) for factor in FACTORS)
    factor = looker.find_scale(labelled, factors)
    results = [looker.look(index) for index in console.progress(frames, "look", unit="frame")]
    return RoadLook(factor=factor, found=totals(results))


def compare_page(taught: Sequence[FrameResult], road: RoadLook) -> page.Table:
    """Lay the two models beside each other."""
    rows = [
        _row("taught here", 1.0, totals(taught)),
        _row("road, as it comes", road.factor, road.found),
    ]
    return page.Table(
        title="Taught here, and taught real roads",
        columns=[
            page.Column(name="Checkpoint"),
            page.Column(name="Frames resized by", digits=2),
            page.Column(name="IoU", digits=3),
            page.Column(name="Precision", digits=3),
            page.Column(name="Recall", digits=3),
            page.Column(name="Cracks found"),
            page.Column(name="False alarms"),
            page.Column(name="Length measured", unit="m", digits=1),
        ],
        rows=rows,
        note="The bundled checkpoint road began on other rendered roads and learnt on real frames. "
        "Its scale was chosen on the validation frames, its threshold on real ones.",
    )


def _row(name: str, factor: float, found: Totals) -> tuple[page.Cell, ...]:
    scores = (score(found.counts, empty="zero") for score in (iou, precision, recall))
    return (
        name,
        factor,
        *scores,
        f"{found.num_found} of {found.num_true}",
        found.num_false,
        found.found_m,
    )
