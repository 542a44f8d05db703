"""Curves and scatters for reports, drawn without a display and the same on every run."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from sam_crack.errors import BadInput

Float = NDArray[np.float64]
Format = Literal["png", "svg"]

INK, MUTED, RULE = "#1f2933", "#6b7785", "#dfe4ea"
BLUE, ORANGE, GREEN = "#1f5fa8", "#d9541e", "#2a8c6a"
HEIGHT_IN = 4.2
"""The same for all, so that diagrams side by side have letters of one size."""
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "svg.hashsalt": "sam-crack",
    "svg.fonttype": "path",
}


def loss_curve(
    history: Sequence[Mapping[str, object]], *, score: str = "f1", format: Format = "png"
) -> bytes:
    """Draw the training loss over steps, and below it the score of each validation.

    `history` holds the rows of `metrics.jsonl`: `{"step", "loss"}` per step, `{"step",
    "validation": {score: ...}}` per validation, `{"step", "skipped"}` for a step not taken.
    """
    steps, losses = _series(history, lambda row: row.get("loss"))
    seen, scores = _series(history, lambda row: _scored(row, score))
    if not len(steps):
        raise BadInput("a history without a single loss", "rows with `step` and `loss`")
    with _style():
        figure = Figure(figsize=(5.6, HEIGHT_IN), layout="constrained")
        ratios = [2, 1] if len(seen) else [1]
        panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)
        top = panels[0, 0]
        top.plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.9)
        top.plot(steps, smooth(losses), color=BLUE, linewidth=2.0)
        top.set_ylim(bottom=0 if losses.min() >= 0 else None)
        _title(top, "Training loss", "smoothed, over every step")
        skipped = [float(str(row["step"])) for row in history if "skipped" in row]
        for step in skipped:
            top.axvline(step, color=ORANGE, linewidth=0.8, linestyle=":")
        if len(seen):
            below = panels[1, 0]
            below.plot(seen, scores, color=GREEN, linewidth=1.6, marker="o", markersize=4)
            best = int(np.argmax(scores))
            below.annotate(
                f"{scores[best]:.3f}",
                (seen[best], scores[best]),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                color=GREEN,
                fontweight="bold",
            )
            low, high = float(scores.min()), float(scores.max())
            room = max(high - low, 0.02)
            below.set_ylim(max(0.0, low - 0.15 * room), high + 0.5 * room)
            _title(
                below,
                f"Validation {'mean IoU' if score == 'miou' else score.upper()}",
                "the best one is marked",
            )
        panels[-1, 0].set_xlabel("optimiser step")
        panels[-1, 0].margins(x=0.02)
        return _render(figure, format)


def scatter_lengths(
    true: ArrayLike, measured: ArrayLike, *, unit: str = "mm", format: Format = "png"
) -> bytes:
    """Draw measured against true lengths, with the line of equality and a band of 10 %."""
    x, y = np.asarray(true, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not x.size:
        raise BadInput(f"{x.shape} true and {y.shape} measured lengths", "one of each per crack")
    known = np.isfinite(x) & np.isfinite(y) & (x > 0)
    x, y = x[known], y[known]
    if not x.size:
        raise BadInput("no crack with a true and a measured length", "positive, finite lengths")
    error = 100 * np.abs(y - x) / x
    end = 1.06 * float(max(x.max(), y.max()))
    with _style():
        figure = Figure(figsize=(HEIGHT_IN, HEIGHT_IN), layout="constrained")
        axes = figure.subplots()
        line = np.array([0.0, end])
        axes.fill_between(line, 0.9 * line, 1.1 * line, color=BLUE, alpha=0.08, linewidth=0)
        axes.plot(line, line, color=MUTED, linewidth=1.0)
        axes.plot(x, y, "o", color=BLUE, alpha=0.65, markersize=5.5, markeredgewidth=0)
        axes.set(xlim=(0, end), ylim=(0, end), aspect="equal")
        axes.set_xlabel(f"true length, {unit}")
        axes.set_ylabel(f"measured length, {unit}")
        lost = f", {int((~known).sum())} without a pair" if not known.all() else ""
        note = f"n = {len(x)}{lost}; band 10 %"
        _title(axes, f"Median error {np.median(error):.1f} %", note)
        return _render(figure, format)


def smooth(values: Float, *, share: float = 0.04) -> Float:
    """Return a centred running mean over `share` of the series, shorter at its ends."""
    half = max(1, round(len(values) * share / 2))
    total = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    means: Float = (total[high] - total[low]) / (high - low)
    return means


def _scored(row: Mapping[str, object], score: str) -> object:
    found = row.get("validation")
    return found.get(score) if isinstance(found, Mapping) else None


def _series(history: Sequence[Mapping[str, object]], pick: Any) -> tuple[Float, Float]:  # noqa: ANN401 - a lambda
    """Return the steps and finite values that `pick` finds, in the order of the steps."""
    pairs = [
        (float(str(row["step"])), float(value))
        for row in history
        if isinstance(value := pick(row), int | float) and math.isfinite(value)
    ]
    table = np.array(sorted(pairs), dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _style() -> AbstractContextManager[None]:
    context: AbstractContextManager[None] = mpl.rc_context(STYLE)
    return context


def _title(axes: Any, title: str, note: str) -> None:  # noqa: ANN401 - matplotlib is untyped
    """Write a bold title at the left and what is to be known beside it, or below it if long."""
    bold = axes.set_title(title, loc="left", fontsize=11.5, fontweight="bold", color=INK, pad=8)
    plain = axes.set_title(note, loc="right", fontsize=9.5, color=MUTED, pad=8)
    room = axes.get_position().width * axes.figure.bbox.width
    renderer = axes.figure._get_renderer()
    widths = [text.get_window_extent(renderer).width for text in (bold, plain)]
    if not note or sum(widths) + 0.06 * room <= room:
        return
    lines = textwrap.wrap(note, max(12, int(len(note) * min(1.0, room / widths[1]))))
    bold.set_text(title + "\n" * len(lines))
    plain.set(text="\n".join(lines), x=0, horizontalalignment="left")


def _render(figure: Any, format: Format) -> bytes:  # noqa: ANN401 - matplotlib is untyped
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    stream = io.BytesIO()
    # No date and no version in the file: the same numbers give the same bytes.
    metadata = {"Software": None} if format == "png" else {"Date": None, "Creator": None}
    figure.savefig(stream, format=format, dpi=200, metadata=metadata)
    return stream.getvalue()
