"""Which class was taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sam_crack.errors import BadInput
from sam_crack.report.plots import HEIGHT_IN, INK, Format, _render, _style, _title

WRITTEN = 12
"""Up to so many classes the share stands in its cell."""


def confusion_matrix(
    table: NDArray[np.int64], names: Sequence[str], *, format: Format = "png"
) -> bytes:
    """Draw the (truth, prediction) table; rows are shares of the true pixels of a class.

    Classes that are in neither are left out.

    Args:
        table: pixels by true and predicted class.
        names: of the classes, in their order.
        format: png or svg.
    """
    if table.shape != (len(names), len(names)):
        raise BadInput(f"a table of {table.shape} for {len(names)} classes", "a row for each class")
    present = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1)).tolist()
    if not present:
        raise BadInput("a table without a single pixel", "at least one class")
    kept, shown = table[np.ix_(present, present)], [names[place] for place in present]
    share = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
    side = max(HEIGHT_IN, 0.34 * len(shown) + 1.6)
    with _style():
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set_xticks(range(len(shown)), shown, rotation=45, ha="right", fontsize=9)
        axes.set_yticks(range(len(shown)), shown, fontsize=9)
        if len(shown) <= WRITTEN:
            for (row, column), value in np.ndenumerate(share):
                if kept[row].any():
                    ink = "white" if value > 0.6 else INK
                    axes.text(
                        column,
                        row,
                        f"{value:.2f}",
                        color=ink,
                        ha="center",
                        va="center",
                        fontsize=8.5,
                    )
        axes.set_xlabel("found")
        axes.set_ylabel("true")
        _title(axes, "Confusion", "shares of a row")
        return _render(figure, format)
