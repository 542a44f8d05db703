"""What a score costs: one dot with its interval for each method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from matplotlib.transforms import Bbox, ScaledTranslation

from sam_crack.errors import BadInput
from sam_crack.report.curves import short_count
from sam_crack.report.names import write_beside, write_on_lines
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
FAR = 1000.0
"""Costs that lie farther apart than this have two numbers to a power of ten, else three."""
BESIDE_PT = 4.0
"""Methods of one cost are drawn side by side, so that their intervals do not hide each other."""


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
    """Draw scores over costs, with whiskers where there are intervals; the baseline is orange.

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
        drawn = [_draw(axes, dot, is_baseline=dot.name == baseline) for dot in shown]
        free = [dot for dot in known if dot.cost <= 0]
        for dot in free:
            colour = ORANGE if dot.name == baseline else MUTED
            axes.axhline(dot.score, color=colour, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        _scale(axes, [dot.cost for dot in shown])
        axes.margins(x=0.14, y=0.12)
        axes.set_xlabel(cost)
        axes.set_ylabel(score)
        _title(axes, f"{score} and {cost.split(',', maxsplit=1)[0]}", note)
        figure.draw_without_rendering()
        axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
        places = _spread(figure, axes, shown, drawn)
        points = figure.dpi / 72
        reach = 5 * points
        taken = [Bbox.from_extents(x - reach, y - reach, x + reach, y + reach) for x, y in places]
        named = partial(_name, baseline=baseline)
        write_on_lines(axes, [(*named(dot, ", free"), dot.score) for dot in free], taken)
        spots = [(dot.cost, dot.score) for dot in shown]
        write_beside(axes, [named(dot) for dot in shown], spots, places, taken)
        return _render(figure, format)


def _name(dot: Dot, more: str = "", *, baseline: str) -> tuple[str, str]:
    """Return what is written at a method, and in which colour."""
    if dot.name == baseline:
        return f"{dot.name}{more}, baseline", ORANGE
    return f"{dot.name}{more}", MUTED if more else INK


def _draw(axes: Any, dot: Dot, *, is_baseline: bool) -> list[Any]:  # noqa: ANN401
    """Draw a method and its interval; the baseline lies above all others."""
    found: list[Any] = []
    if dot.low is not None and dot.high is not None:
        ends = [dot.low, dot.high]
        found += axes.plot([dot.cost] * 2, ends, color=MUTED, linewidth=0.9, alpha=0.5, zorder=1)
    colour, above = (ORANGE, 4) if is_baseline else (BLUE, 3)
    found += axes.plot(dot.cost, dot.score, "o", color=colour, markersize=6.5, zorder=above)
    return found


def _scale(axes: Any, costs: Sequence[float]) -> None:  # noqa: ANN401 - matplotlib is untyped
    """Choose even steps or powers, and round numbers along them."""
    if max(costs) > NARROW * min(costs):
        axes.set_xscale("log")
        subs = (1, 2, 5) if max(costs) <= FAR * min(costs) else (1, 3)
        axes.xaxis.set_major_locator(LogLocator(subs=subs))
        axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(short_count))


def _spread(
    figure: Figure,
    axes: Any,  # noqa: ANN401 - matplotlib is untyped
    dots: Sequence[Dot],
    drawn: Sequence[Sequence[Any]],
) -> list[tuple[float, float]]:
    """Move methods of one cost side by side, and return where all of them are, in pixels."""
    step = BESIDE_PT * figure.dpi / 72
    places = [tuple(axes.transData.transform((dot.cost, dot.score))) for dot in dots]
    crowds: list[list[int]] = []
    for number in sorted(range(len(dots)), key=lambda number: places[number]):
        crowds.append([number])
        while (
            len(crowds) > 1
            and _ends(crowds[-1], places, step)[0] < step + (_ends(crowds[-2], places, step)[1])
        ):
            crowds[-2:] = [crowds[-2] + crowds[-1]]
    if len(crowds) < len(dots):
        axes.set_xlabel(f"{axes.get_xlabel()} (about equal ones side by side)")
    for crowd in crowds:
        low, _ = _ends(crowd, places, step)
        for turn, number in enumerate(crowd):
            x, y = places[number]
            places[number] = (low + turn * step, y)
            moved = ScaledTranslation(
                (places[number][0] - x) / figure.dpi, 0, figure.dpi_scale_trans
            )
            for artist in drawn[number]:
                artist.set_transform(axes.transData + moved)
    return [(float(x), float(y)) for x, y in places]


def _ends(
    crowd: Sequence[int], places: Sequence[tuple[float, ...]], step: float
) -> tuple[float, float]:
    """Return where a crowd begins and ends, once it stands side by side about its middle."""
    middle = sum(places[number][0] for number in crowd) / len(crowd)
    half = (len(crowd) - 1) * step / 2
    return middle - half, middle + half
