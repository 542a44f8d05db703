"""A score over the number of images that were learnt from, a line for each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sam_crack.errors import BadInput
from sam_crack.report.plots import (
    BLUE,
    GREEN,
    HEIGHT_IN,
    INK,
    MUTED,
    ORANGE,
    Format,
    _render,
    _style,
    _title,
)

COLOURS = (BLUE, ORANGE, GREEN, "#8a4fa3", MUTED, "#b08900")


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What a method reached with so many images."""

    images: int
    score: float
    low: float | None = None
    high: float | None = None


def learning_curve(
    methods: Mapping[str, Sequence[Reached]], *, score: str, note: str = "", format: Format = "png"
) -> bytes:
    """Draw scores over images, these on a logarithmic scale, whiskers where there are intervals.

    Args:
        methods: name to what it reached; a method may have a single point.
        score: name of the score.
        note: beside the title.
        format: png or svg.
    """
    shown = {name: sorted(points, key=lambda p: p.images) for name, points in methods.items()}
    shown = {name: points for name, points in shown.items() if points}
    if not shown:
        raise BadInput("no method with a score", "at least one")
    ticks = sorted({point.images for points in shown.values() for point in points})
    with _style():
        figure = Figure(figsize=(5.6, HEIGHT_IN), layout="constrained")
        axes = figure.subplots()
        for number, (name, points) in enumerate(shown.items()):
            colour = COLOURS[number % len(COLOURS)]
            # Side by side, so that whiskers of methods with equal images can be told apart.
            aside = 1 + 0.03 * (number - (len(shown) - 1) / 2)
            places = [point.images * aside for point in points]
            scores = [point.score for point in points]
            axes.plot(places, scores, "o-", color=colour, linewidth=1.6, markersize=6, label=name)
            for place, point in zip(places, points, strict=True):
                if point.low is not None and point.high is not None:
                    axes.plot([place, place], [point.low, point.high], color=colour, linewidth=1)
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.margins(x=0.1, y=0.1)
        axes.set_xlabel("images learnt from")
        axes.set_ylabel(score)
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
        _title(axes, f"{score} and images", note)
        return _render(figure, format)
