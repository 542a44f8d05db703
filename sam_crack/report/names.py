"""Names in a diagram, each where it covers neither a dot nor another name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from sam_crack.report.plots import INK

RINGS, STEPS, RING_PT = 7, 16, 9.0
"""How far out, in how many directions and by what steps a name may look for a free place."""
Place = tuple[float, float]
"""In pixels of the figure."""


def write_on_lines(
    axes: Any,  # noqa: ANN401 - matplotlib is untyped
    lines: Sequence[tuple[str, str, float]],
    taken: list[Bbox],
) -> None:
    """Write names and colours of lines across, given with their heights, onto their lines.

    Args:
        axes: drawn once, so that its scales are known.
        lines: name, colour, and height in data.
        taken: what is not to be covered, in pixels; the names are added.
    """
    frame = axes.get_window_extent()
    points = axes.figure.dpi / 72
    heights = [axes.transData.transform((1, score))[1] for *_, score in lines]
    for name, colour, score in sorted(lines, key=lambda line: -line[2]):
        at = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        text = axes.annotate(name, (0, score), (0, 0), va="bottom", **at)
        _dress(text, colour, 8)
        size = text.get_window_extent()
        y = axes.transData.transform((1, score))[1]
        room = frame.width - size.width - 6 * points
        boxes = [
            Bbox.from_bounds(frame.x0 + 3 * points + share * room, low, size.width, size.height)
            for share in (0, 1, 0.25, 0.5, 0.75)
            for low in (y + 2 * points, y - 2 * points - size.height)
        ]
        box = min(
            boxes,
            key=lambda box: (
                sum(box.overlaps(other) for other in taken)
                + sum(box.y0 < height < box.y1 for height in heights)
                + (not frame.y0 <= box.y0)
            ),
        )
        text.set_position(((box.x0 - frame.x0) / points, (box.y0 - y) / points))
        taken.append(box)


def write_beside(
    axes: Any,  # noqa: ANN401 - matplotlib is untyped
    names: Sequence[tuple[str, str]],
    spots: Sequence[tuple[float, float]],
    places: Sequence[Place],
    taken: list[Bbox],
) -> None:
    """Write names and colours beside dots; a line leads to a dot that is not plainly the nearest.

    Args:
        axes: drawn once, so that its scales are known.
        names: name and colour of each dot.
        spots: where each dot belongs, in data.
        places: where each dot is drawn, in pixels.
        taken: what is not to be covered, in pixels; the names are added.
    """
    frame = axes.get_window_extent()
    points = axes.figure.dpi / 72
    for number in sorted(range(len(names)), key=lambda number: -places[number][1]):
        spot, at = spots[number], places[number]
        text = axes.annotate(
            names[number][0], spot, (0, 0), textcoords="offset points", va="bottom"
        )
        _dress(text, names[number][1], 8.5)
        size = text.get_window_extent()
        boxes = _around(*at, size.width, size.height, points)
        inside = [box for box in boxes if frame.x0 <= box.x0 and box.x1 <= frame.x1]
        free = [box for box in inside if not any(box.overlaps(other) for other in taken)]
        others = [*places[:number], *places[number + 1 :]]
        plain = [box for box in free if _is_nearest(at, others, box)]
        box = next(iter(plain[:1] or free or inside or boxes))
        anchor = axes.transData.transform(spot)
        text.set_position(((box.x0 - anchor[0]) / points, (box.y0 - anchor[1]) / points))
        taken.append(box)
        if box not in plain or _gap(at, box) > 1.6 * RING_PT * points:
            ends = axes.transData.inverted().transform([at, _near(at, box)])
            axes.plot(ends[:, 0], ends[:, 1], color=INK, linewidth=0.5, zorder=2)


def _dress(text: Any, colour: str, size: float) -> None:  # noqa: ANN401
    halo = withStroke(linewidth=2, foreground="w")
    text.set(color=colour, fontsize=size, path_effects=[halo])


def _near(place: Place, box: Bbox) -> Place:
    """Return the nearest place of a box."""
    return min(max(place[0], box.x0), box.x1), min(max(place[1], box.y0), box.y1)


def _gap(place: Place, box: Bbox) -> float:
    return math.dist(place, _near(place, box))


def _is_nearest(own: Place, others: Sequence[Place], box: Bbox) -> bool:
    """Whether a name there would be taken for that of its own dot."""
    return all(1.2 * _gap(own, box) < _gap(other, box) for other in others)


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
