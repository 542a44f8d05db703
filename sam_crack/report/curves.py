"""Precision over recall, and what was said against what was true."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike, NDArray

from sam_crack.errors import BadInput
from sam_crack.report.plots import (
    BLUE,
    HEIGHT_IN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    Format,
    _render,
    _style,
    _title,
)

Float = NDArray[np.float64]
COLOURS = (BLUE, ORANGE)


def precision_recall(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    points: Mapping[str, tuple[float, float]],
    *,
    note: str = "",
    format: Format = "png",
) -> bytes:
    """Draw precision over recall with lines of equal F1, and a dot where each model works.

    Args:
        curves: model to recall and precision at every threshold.
        points: model to recall and precision at its own threshold.
        note: beside the title.
        format: png or svg.
    """
    if not curves or len(curves) > len(COLOURS):
        raise BadInput(f"{len(curves)} curves", f"1 to {len(COLOURS)}")
    with _style():
        figure = Figure(figsize=(HEIGHT_IN, HEIGHT_IN), layout="constrained")
        axes = figure.subplots()
        for score in (0.2, 0.4, 0.6, 0.8):
            recall = np.geomspace(score / (2 - score), 1, 200)
            axes.plot(recall, score * recall / (2 * recall - score), color=RULE, linewidth=0.9)
            axes.annotate(
                f"F1 {score:g}", (1.0, score / (2 - score)), color=MUTED, fontsize=8, ha="right"
            )
        for (name, (x, y)), colour in zip(curves.items(), COLOURS, strict=False):
            recall, precision = np.asarray(x, np.float64), np.asarray(y, np.float64)
            axes.plot(recall, precision, color=colour, linewidth=1.8, label=name)
            if name in points:
                axes.plot(*points[name], "o", color=colour, markersize=7, markeredgecolor="white")
        axes.set(xlim=(0, 1.01), ylim=(0, 1.01), aspect="equal")
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        if len(curves) > 1:
            axes.legend(frameon=False, fontsize=9, labelcolor=INK)
        _title(axes, "Precision and recall", note)
        return _render(figure, format)


def reliability_diagram(
    said: ArrayLike, true: ArrayLike, pixels: ArrayLike, *, note: str = "", format: Format = "png"
) -> bytes:
    """Draw the share that is true over what was said, and how many pixels said it.

    Args:
        said: mean probability of each bin; NaN where it is empty.
        true: share of foreground in each bin; NaN where it is empty.
        pixels: pixels in each bin.
        note: beside the title.
        format: png or svg.
    """
    x, y, number = (np.asarray(side, np.float64) for side in (said, true, pixels))
    if x.shape != y.shape or x.shape != number.shape or x.ndim != 1:
        raise BadInput(f"bins of {x.shape}, {y.shape}, {number.shape}", "one value of each per bin")
    filled = number > 0
    edges = np.linspace(0, 1, len(x) + 1)
    with _style():
        figure = Figure(figsize=(HEIGHT_IN, HEIGHT_IN), layout="constrained")
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        top.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0)
        top.plot(x[filled], y[filled], color=BLUE, linewidth=1.8, marker="o", markersize=4.5)
        top.set(xlim=(0, 1.01), ylim=(0, 1.01))
        top.set_ylabel("share that is true")
        _title(top, "Reliability", note)
        middles = (edges[:-1] + edges[1:]) / 2
        # A logarithm has no zero: bars begin at half a pixel, and empty bins have none.
        below.bar(middles[filled], number[filled] - 0.5, 0.85 / len(x), bottom=0.5, color=BLUE)
        below.set_yscale("log")
        below.set_ylim(bottom=0.5)
        below.yaxis.set_major_formatter(FuncFormatter(short_count))
        below.minorticks_off()
        below.set_ylabel("pixels")
        below.set_xlabel("probability said")
        return _render(figure, format)


def short_count(value: float, _place: object) -> str:
    """Write a number of pixels shortly."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
