"""Diagrams of a drive: cracks along the road, and how wide they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from sam_crack.report.plots import BLUE, HEIGHT_IN, ORANGE, Format, _render, _style, _title
from sam_crack.report.qgis import SEVERITY_COLOURS

WIDTH_IN = 4.9  # two of them fit side by side on the page
LONGEST = 400
"""Bars of a diagram; of a longer drive neighbouring sections share one."""


def along_road(
    edges_m: Sequence[tuple[float, float]],
    lengths_m: Mapping[str, Sequence[float]],
    *,
    format: Format = "svg",
) -> bytes:
    """Draw metres of crack per section, stacked by severity.

    Args:
        edges_m: Where the road seen of each section begins and ends.
        lengths_m: Severity to metres of crack in each section.
        format: png or svg.
    """
    group = max(1, -(-len(edges_m) // LONGEST))
    low = np.array([edge[0] for edge in edges_m])[::group]
    high = np.array([edge[1] for edge in edges_m])[group - 1 :: group]
    high = np.append(high, edges_m[-1][1])[: len(low)]
    with _style():
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        axes = figure.subplots()
        bottom = np.zeros(len(low))
        for name, lengths in lengths_m.items():
            heights = np.add.reduceat(
                np.asarray(lengths, np.float64), np.arange(0, len(edges_m), group)
            )
            axes.bar(
                low, heights, high - low, bottom=bottom, align="edge", label=name,
                color=SEVERITY_COLOURS[name][0], edgecolor="white", linewidth=0.4,
            )  # fmt: skip
            bottom += heights
        axes.set_xlim(low[0], high[-1])
        axes.set_xlabel("metres along the track")
        axes.set_ylabel("metres of crack")
        axes.grid(axis="x", visible=False)
        axes.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0, 1.0))
        axes.set_ylim(0, max(float(bottom.max()), 1e-3) * 1.18)
        _title(axes, "Cracks along the road", f"{bottom.sum():,.0f} m in all")
        return _render(figure, format)


def width_histogram(
    widths: ArrayLike,
    lengths: ArrayLike,
    *,
    unit: str,
    limits: Sequence[float] = (),
    format: Format = "svg",
) -> bytes:
    """Draw how much crack there is of each width, on a log scale.

    Args:
        widths: Mean width of every crack.
        lengths: Its length: what it weighs.
        unit: Of the widths.
        limits: Where a severity ends and the next begins.
        format: png or svg.
    """
    wide, long = np.asarray(widths, np.float64), np.asarray(lengths, np.float64)
    good = np.isfinite(wide) & (wide > 0) & (long > 0)
    wide, long = wide[good], long[good]
    edges = np.geomspace(wide.min() * 0.95, max(wide.max() * 1.05, wide.min() * 1.3), 25)
    counts, _ = np.histogram(wide, edges, weights=long)
    with _style():
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        axes = figure.subplots()
        axes.stairs(100 * counts / counts.sum(), edges, fill=True, color=BLUE, alpha=0.8)
        for limit in limits:
            if edges[0] < limit < edges[-1]:
                axes.axvline(limit, color=ORANGE, linewidth=1.4, linestyle="--")
        axes.set_xscale("log")
        axes.set_xlim(edges[0], edges[-1])
        ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500) if edges[0] <= t <= edges[-1]]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel(f"mean width, {unit}")
        axes.set_ylabel("share of the length, %")
        mean = float(np.average(wide, weights=long))
        _title(axes, "How wide", f"mean {mean:.3g} {unit}")
        return _render(figure, format)
