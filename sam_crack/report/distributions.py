"""How long and wide lines are, and how data sets compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, StrMethodFormatter

from sam_crack.errors import BadInput
from sam_crack.report.plots import BLUE, GREEN, INK, MUTED, ORANGE, Format, _render, _style, _title


def line_figure(lines: Mapping[str, Any], *, format: Format = "png") -> bytes:
    """Draw how many lines there are of each length, and of each width.

    Args:
        lines: `lines` of stats.json.
        format: png or svg.
    """
    with _style():
        figure = Figure(figsize=(8.4, 3.0), layout="constrained")
        panels = figure.subplots(1, 2)
        for panel, (key, name, colour) in zip(
            panels, (("length_px", "Length", BLUE), ("width_px", "Width", GREEN)), strict=True
        ):
            table, middle = lines[f"{key}_histogram"], lines[key]["median"]
            edges = np.array(table["edges"])
            panel.stairs(table["counts"], edges, fill=True, color=colour, alpha=0.75)
            panel.axvline(middle, color=ORANGE, linewidth=1.6)
            panel.set_xscale("log")
            panel.set_xlim(edges[0], edges[-1])
            panel.set_xlabel(f"{name.lower()}, px")
            panel.set_ylabel("lines")
            _plain_log(panel.xaxis, edges[0], edges[-1])
            panel.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            of = f" of {lines['number']:,} lines" if key == "length_px" else ""
            _title(panel, name, f"median {middle:.3g} px{of}")
        return _render(figure, format)


_MOST_TICKS = 6
COLUMNS: tuple[tuple[str, str], ...] = (
    ("frames", "frames"),
    ("megapixels", "megapixels per frame"),
    ("share", "foreground, % of pixels"),
    ("width", "line width, px"),
)


def compare_figure(sets: Sequence[Mapping[str, Any]], *, format: Format = "png") -> bytes:
    """Draw data sets beside each other: a row each, a column for each quantity, log scales.

    Args:
        sets: stats.json of each.
        format: png or svg.
    """
    if len(sets) < 2:
        raise BadInput(f"{len(sets)} data set to compare", "two or more")
    table = [compared(each) for each in sets]
    names = [row["name"] for row in table]
    place = np.arange(len(names))[::-1]
    with _style():
        size = (9.6, 1.15 + 0.36 * len(names))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(COLUMNS), sharey=True)
        for panel, (key, title) in zip(panels, COLUMNS, strict=True):
            values = np.array([np.nan if row[key] is None else row[key] for row in table])
            panel.set_xscale("log")
            for y, value, first in zip(place, values, place == place.max(), strict=True):
                if not np.isfinite(value) or value <= 0:
                    panel.text(
                        0.5,
                        y,
                        "none",
                        color=MUTED,
                        ha="center",
                        va="center",
                        fontsize=8,
                        transform=panel.get_yaxis_transform(),
                    )
                    continue
                colour = ORANGE if first else BLUE
                panel.plot(value, y, "o", color=colour, markersize=7, markeredgewidth=0)
                panel.annotate(
                    _short(value),
                    (value, y),
                    xytext=(0, 6),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                    color=INK,
                )
            known = values[np.isfinite(values) & (values > 0)]
            low, high = (known.min() / 2.2, known.max() * 2.2) if known.size else (0.1, 10)
            panel.set_xlim(low, high)
            panel.set_ylim(-0.6, len(names) - 0.25)
            panel.set_yticks(place, labels=names)
            panel.tick_params(axis="y", labelcolor=INK)
            panel.set_title(title, loc="left", fontsize=9.5, color=MUTED, pad=6)
            _plain_log(panel.xaxis, low, high)
        return _render(figure, format)


def compared(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce stats.json to one row of a comparison; None where a set has no such quantity."""
    resolution, lines = numbers.get("resolution"), numbers.get("lines")
    height, width = resolution["median"] if resolution else (0, 0)
    share = numbers.get("foreground_share")
    return {
        "name": numbers["dataset"],
        "frames": numbers["frames"],
        "size": f"{width} x {height}" if resolution else "",
        "megapixels": height * width / 1e6 if resolution else None,
        "share": None if share is None else 100 * share,
        "classes": len(numbers["classes"]),
        "lines": lines["number"] if lines else None,
        "length": lines["length_px"]["median"] if lines else None,
        "width": lines["width_px"]["median"] if lines else None,
        "licence": numbers["licence"],
    }


def _short(value: float) -> str:
    """Write three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _plain_log(axis: Any, low: float, high: float) -> None:  # noqa: ANN401 - matplotlib is untyped
    """Label a log axis with plain numbers: 1, 2, 5 times powers of ten, and not too many."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [
            s * 10.0**power for power in powers for s in steps if low <= s * 10.0**power <= high
        ]
        if len(ticks) <= _MOST_TICKS:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axis.set_minor_locator(NullLocator())
