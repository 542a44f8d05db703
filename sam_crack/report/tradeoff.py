"""What a score costs: one dot with its interval for each method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from sam_crack.errors import BadInput
from sam_crack.report.plots import BLUE, HEIGHT_IN, INK, MUTED, Format, _render, _style, _title


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One method."""

    name: str
    cost: float
    score: float
    low: float | None = None
    high: float | None = None


def tradeoff(
    dots: Sequence[Dot], *, cost: str, score: str, note: str = "", format: Format = "png"
) -> bytes:
    """Draw scores over costs, the costs on a logarithmic scale, whiskers where there are intervals.

    Args:
        dots: methods; those without a positive cost are left out.
        cost: name and unit of the cost.
        score: name of the score.
        note: beside the title.
        format: png or svg.
    """
    shown = [dot for dot in dots if dot.cost > 0 and math.isfinite(dot.score)]
    if not shown:
        raise BadInput(f"{len(dots)} methods, none with a cost and a score", "at least one")
    with _style():
        figure = Figure(figsize=(5.6, HEIGHT_IN), layout="constrained")
        axes = figure.subplots()
        for dot in shown:
            if dot.low is not None and dot.high is not None:
                axes.plot([dot.cost, dot.cost], [dot.low, dot.high], color=MUTED, linewidth=1.2)
            axes.plot(dot.cost, dot.score, "o", color=BLUE, markersize=6.5)
            axes.annotate(
                dot.name,
                (dot.cost, dot.score),
                xytext=(6, 4),
                textcoords="offset points",
                fontsize=9,
                color=INK,
            )
        axes.set_xscale("log")
        axes.margins(x=0.18, y=0.12)
        axes.set_xlabel(cost)
        axes.set_ylabel(score)
        _title(axes, f"{score} and {cost.split(',', maxsplit=1)[0]}", note)
        return _render(figure, format)
