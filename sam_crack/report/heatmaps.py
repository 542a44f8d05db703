"""Where in the frame a class lies: one map per split, on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sam_crack.errors import BadInput
from sam_crack.report.plots import INK, MUTED, Format, _render, _style

Float = NDArray[np.float64]
COLOURS = "magma"
_PANEL_IN = 3.3
_SPECKS = 0.01  # share of the class that may lie above the line


def heat_figure(
    maps: Mapping[str, Float],
    *,
    what: str,
    counts: Mapping[str, int] | None = None,
    format: Format = "png",
) -> bytes:
    """Draw one map per split, with the row above which next to nothing of the class lies.

    Args:
        maps: Split to (rows, columns) mean share of the class, 0 to 1.
        what: The class, for the scale.
        counts: Split to its number of frames.
        format: png or svg.
    """
    if not maps:
        raise BadInput("no map to draw", "at least one split with annotated frames")
    rows, columns = next(iter(maps.values())).shape
    top = max(float(np.quantile(_smooth(each), 0.998)) for each in maps.values()) or 1e-6
    width = min(_PANEL_IN, 11 / len(maps))
    with _style():
        size = (width * len(maps) + 0.9, width * rows / columns + 0.75)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(maps), squeeze=False)[0]
        shown: Any = None
        for panel, (split, heat) in zip(panels, maps.items(), strict=True):
            shown = panel.imshow(
                100 * _smooth(heat),
                cmap=COLOURS,
                norm=PowerNorm(0.6, vmin=0, vmax=100 * top),  # faint places stay visible
                extent=(0, 100, 100, 0),
                aspect=rows / columns,
                interpolation="bilinear",
            )
            panel.grid(visible=False)
            note = f"{counts[split]:,} frames" if counts and split in counts else ""
            panel.set_title(split, loc="left", fontsize=11.5, fontweight="bold", color=INK, pad=6)
            panel.set_title(note, loc="right", fontsize=9.5, color=MUTED, pad=6)
            panel.set_xticks([0, 50, 100])
            panel.set_yticks([0, 50, 100], labels=["0", "50", "100"] if panel is panels[0] else [])
            _mark_horizon(panel, heat)
        panels[0].set_ylabel("% of height")
        panels[len(panels) // 2].set_xlabel("% of width")
        bar = figure.colorbar(shown, ax=list(panels), pad=0.015, aspect=14, shrink=0.8)
        bar.outline.set_visible(False)
        bar.set_label(f"{what}, % of the pixels", color=MUTED, fontsize=9.5)
        return _render(figure, format)


def first_row(heat: Float) -> float | None:
    """Return the share of the height above which 1 % of the class lies, if there is any."""
    by_row = np.cumsum(heat.sum(axis=1))
    if by_row[-1] <= 0:
        return None
    return float(np.searchsorted(by_row, _SPECKS * by_row[-1]) / len(by_row))


def _mark_horizon(panel: Any, heat: Float) -> None:  # noqa: ANN401 - matplotlib is untyped
    """Draw the line below which 99 % of the class lies, where that says anything."""
    row = first_row(heat)
    if row is None or row < 0.12:
        return
    panel.axhline(100 * row, color="white", linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.9)
    panel.text(
        2,
        100 * row - 2,
        f"99 % lies below {100 * row:.0f} %",
        color="white",
        fontsize=8,
        va="bottom",
    )


def _smooth(heat: Float) -> Float:
    """Average over neighbouring cells, so that single cracks do not draw the map."""
    from scipy.ndimage import gaussian_filter

    smoothed: Float = gaussian_filter(heat, 1.5, mode="nearest")
    return smoothed
