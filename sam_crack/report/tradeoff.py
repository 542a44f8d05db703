"""What a score costs: one dot with its interval for each method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from sam_crack.errors import BadInput
from sam_crack.report.plots import (
    BLUE,
    HEIGHT_IN,
    INK,
    MUTED,
    ORANGE,
    Format,
    _render,
    _style,
    _title,
)

MANY = 8
"""More methods than this take a broader figure."""
NARROW = 4.0
"""Costs that lie within this factor are drawn evenly, or no round number would be among them."""
RINGS, STEPS, RING_PT = 7, 16, 9.0
"""How far out, in how many directions and by what steps a name may look for a free place."""


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One method."""

    name: str
    cost: float
    score: float
    low: float | None = None
    high: float | None = None


def tradeoff(
    dots: Sequence[Dot],
    *,
    cost: str,
    score: str,
    note: str = "",
    baseline: str = "",
    format: Format = "png",
) -> bytes:
    """Draw scores over costs, with whiskers where there are intervals.

    Args:
        dots: methods; those that cost nothing become lines across.
        cost: name and unit of the cost.
        score: name of the score.
        note: beside the title.
        baseline: name of the method that the others are compared with.
        format: png or svg.
    """
    known = [dot for dot in dots if math.isfinite(dot.score)]
    shown = [dot for dot in known if dot.cost > 0]
    if not shown:
        raise BadInput(f"{len(dots)} methods, none with a cost and a score", "at least one")
    with _style():
        width = 5.6 if len(shown) <= MANY else 8.4
        figure = Figure(figsize=(width, HEIGHT_IN), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for dot in shown:
            if dot.low is not None and dot.high is not None:
                ends = [dot.low, dot.high]
                axes.plot([dot.cost] * 2, ends, color=MUTED, linewidth=0.9, alpha=0.5, zorder=1)
            colour = ORANGE if dot.name == baseline else BLUE
            axes.plot(dot.cost, dot.score, "o", color=colour, markersize=6.5, zorder=3)
        costs = [dot.cost for dot in shown]
        if max(costs) > NARROW * min(costs):
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(EngFormatter(sep="", places=None))
        axes.margins(x=0.14, y=0.12)
        for dot in known:
            if dot.cost <= 0:
                _line(axes, dot)
        axes.set_xlabel(cost)
        axes.set_ylabel(score)
        _title(axes, f"{score} and {cost.split(',', maxsplit=1)[0]}", note)
        _write_names(figure, axes, shown)
        return _render(figure, format)


def _line(axes: Any, dot: Dot) -> None:  # noqa: ANN401 - matplotlib is untyped
    """Draw a method without a cost across the whole figure."""
    axes.axhline(dot.score, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        f"{dot.name}, free",
        (0.005, dot.score),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=8,
        color=MUTED,
    )


def _write_names(figure: Figure, axes: Any, dots: Sequence[Dot]) -> None:  # noqa: ANN401
    """Write each name beside its dot, where it covers no other name and no dot."""
    figure.draw_without_rendering()
    points = figure.dpi / 72
    places = [axes.transData.transform((dot.cost, dot.score)) for dot in dots]
    reach = 5 * points
    taken = [Bbox.from_extents(x - reach, y - reach, x + reach, y + reach) for x, y in places]
    frame = axes.get_window_extent()
    for dot, (x, y) in sorted(zip(dots, places, strict=True), key=lambda pair: -pair[1][1]):
        at = (dot.cost, dot.score)
        text = axes.annotate(dot.name, at, (0, 0), textcoords="offset points", va="bottom")
        text.set(color=INK, fontsize=8.5, path_effects=[withStroke(linewidth=2, foreground="w")])
        size = text.get_window_extent()
        boxes = list(_around(x, y, size.width, size.height, points))
        inside = [box for box in boxes if frame.x0 <= box.x0 and box.x1 <= frame.x1]
        free = [box for box in inside if not any(box.overlaps(other) for other in taken)]
        box = next(iter(free or inside or boxes))
        text.set_position(((box.x0 - x) / points, (box.y0 - y) / points))
        taken.append(box)
        near = (min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1))
        if math.dist((x, y), near) > 1.6 * RING_PT * points:  # else it is plain whose name it is
            end = axes.transData.inverted().transform(near)
            axes.plot([dot.cost, end[0]], [dot.score, end[1]], color=INK, linewidth=0.5, zorder=2)


def _around(x: float, y: float, width: float, height: float, points: float) -> list[Bbox]:
    """Return places for a name around a dot, the nearest first, the right side before the left."""
    found = []
    for ring in range(1, RINGS + 1):
        gap = ring * RING_PT * points
        for step in range(STEPS):
            turn = 2 * math.pi * (step if step % 2 == 0 else -step - 1) / (2 * STEPS)
            middle_x = x + math.cos(turn) * (gap + width / 2)
            middle_y = y + math.sin(turn) * (gap + height / 2)
            left, low = middle_x - width / 2, middle_y - height / 2
            found.append(Bbox.from_bounds(left, low, width, height))
    return found
