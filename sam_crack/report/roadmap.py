"""The map of a drive as inline SVG: track, cracks by severity, scale bar, north."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput
from sam_crack.measure.place import project
from sam_crack.report.markup import escape, tag
from sam_crack.report.page import Mark, RoadMap, Severity

Float = NDArray[np.float64]
MARGIN_PX = 40.0
SIMPLIFY_PX = 0.4
LINE_PX = 7.0
"""From this length on the page a crack is drawn as a line, below it as a symbol."""
SMALLEST_M = 20.0
"""A drive shorter than this is not blown up further: it would show the receiver's noise."""
ENDS = ("start", "end")
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
# Shape and size differ as well as colour, for print in grey and for eyes that see no red.
SYMBOLS: dict[Severity, str] = {
    "low": "M0-4.5A4.5 4.5 0 1 1 0 4.5A4.5 4.5 0 1 1 0-4.5Z",
    "medium": "M0-6.5L6.5 0L0 6.5L-6.5 0Z",
    "high": "M0-7.5L7.5 5.5L-7.5 5.5Z",
    "unknown": "M-4-4H4V4H-4Z",
}


def draw_map(road: RoadMap, *, width_px: int, max_height_px: int) -> str:
    """Return the map as one SVG element of a given width; north is up."""
    places = [*road.track, *(place for mark in road.marks for place in mark.lat_lon)]
    if not places:
        raise BadInput("a map without a single place", "a track or marks")
    view = _View(places, width_px, max_height_px)
    laid = view.lay(places)
    parts = [_track(view.lay(road.track))] if len(road.track) > 1 else []
    # The worst on top, so that none hides under harmless ones.
    for severity in ("unknown", "low", "medium", "high"):
        parts += [_mark(mark, view) for mark in road.marks if mark.severity == severity]
    parts += [_scale_bar(view, laid), _north(view, laid)]
    return tag(
        "svg",
        "".join(parts),
        viewBox=f"0 0 {width_px} {view.height_px:.0f}",
        role="img",
        aria_label=road.title,
    )


def legend(road: RoadMap) -> str:
    """Return symbols, names and counts of the severities on the map, as a list."""
    counts = Counter(mark.severity for mark in road.marks)
    items = [
        tag("li", _symbol(severity) + escape(f"{severity} ") + tag("b", str(counts[severity])))
        for severity in SEVERITIES
        if road.marks and (counts[severity] or severity != "unknown")
    ]
    if len(road.track) > 1:
        ends = [tag("circle", r="4.5", klass=name) for name in ENDS]
        items += [tag("li", _key(end) + name) for end, name in zip(ends, ENDS, strict=True)]
    return tag("ul", "".join(items), klass="legend")


def _symbol(severity: Severity) -> str:
    return _key(tag("path", d=SYMBOLS[severity], klass=f"mark {severity}"))


def _key(shape: str) -> str:
    return tag("svg", shape, viewBox="-9 -9 18 18", klass="key", aria_hidden="true")


class _View:
    """From degrees to places on the page."""

    def __init__(
        self, places: list[tuple[float, float]], width_px: int, max_height_px: int
    ) -> None:
        self.origin, self.width_px = places[0], width_px
        metres = self._metres(places)
        low, high = metres.min(axis=0), metres.max(axis=0)
        span = np.maximum(high - low, SMALLEST_M)
        room = width_px - 2 * MARGIN_PX
        self.px_per_m = float(min(room / span[0], (max_height_px - 2 * MARGIN_PX) / span[1]))
        self.height_px = max(span[1] * self.px_per_m + 2 * MARGIN_PX, 0.25 * width_px, 160.0)
        self._middle = (low + high) / 2

    def _metres(self, places: Sequence[tuple[float, float]]) -> Float:
        table = np.array(places, dtype=np.float64).reshape(-1, 2)
        return project(table[:, 0], table[:, 1], origin=self.origin)

    def lay(self, places: Sequence[tuple[float, float]]) -> Float:
        """Return (n, 2) places on the page as (x, y)."""
        away = (self._metres(places) - self._middle) * self.px_per_m
        page = np.array([self.width_px, self.height_px]) / 2
        laid: Float = page + away * np.array([1.0, -1.0])
        return laid


def _points(laid: Float) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in laid)


def _track(laid: Float) -> str:
    """Draw the road, thinned to what can be seen, with its two ends."""
    thin = cv2.approxPolyDP(laid.astype(np.float32)[:, None], SIMPLIFY_PX, False)[:, 0]
    line = _points(np.asarray(thin, dtype=np.float64))
    ends = zip(ENDS, (laid[0], laid[-1]), strict=True)
    dots = "".join(
        tag("circle", tag("title", name), cx=f"{x:.1f}", cy=f"{y:.1f}", r="4.5", klass=name)
        for name, (x, y) in ends
    )
    road = tag("polyline", points=line, klass="road")
    return road + tag("polyline", points=line, klass="middle") + dots


def _mark(mark: Mark, view: _View) -> str:
    laid = view.lay(mark.lat_lon)
    title = tag("title", escape(mark.text))
    length_px = float(np.linalg.norm(np.diff(laid, axis=0), axis=1).sum())
    data = {"data_tip": mark.text, "tabindex": "0"}
    if length_px >= LINE_PX:
        return tag("polyline", title, points=_points(laid), klass=f"course {mark.severity}", **data)
    x, y = laid.mean(axis=0)
    return tag(
        "path",
        title,
        d=SYMBOLS[mark.severity],
        transform=f"translate({x:.1f} {y:.1f})",
        klass=f"mark {mark.severity}",
        **data,
    )


def _round_lengths() -> Iterator[float]:
    for power in range(-1, 7):
        yield from (step * 10.0**power for step in (1, 2, 5))


def _free(laid: Float, corners: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the corner whose nearest neighbour on the map is farthest away."""
    return max(corners, key=lambda corner: float(np.linalg.norm(laid - corner, axis=1).min()))


def _scale_bar(view: _View, laid: Float) -> str:
    """Draw the longest round length that fits a fifth of the width."""
    fits = [metres for metres in _round_lengths() if metres * view.px_per_m <= view.width_px / 5]
    metres = fits[-1] if fits else 0.1
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    length, y = metres * view.px_per_m, view.height_px - 16
    right = view.width_px - length - 70
    x, _ = _free(laid, [(16.0, y), (right, y)])
    bar = tag("path", d=f"M{x:.1f} {y - 5:.1f}v5h{length:.1f}v-5", klass="bar")
    end = f"{x + length + 6:.1f}"
    return bar + tag("text", escape(text), x=end, y=f"{y:.1f}", klass="measure")


def _north(view: _View, laid: Float) -> str:
    arrow = tag("path", d="M0-11L6 7L0 3L-6 7Z", klass="arrow")
    letter = tag("text", "N", y="20", klass="measure", text_anchor="middle")
    x, y = _free(laid, [(view.width_px - 22.0, 22.0), (22.0, 22.0)])
    return tag("g", arrow + letter, transform=f"translate({x} {y})", aria_label="North is up")


def severity_of(name: str) -> Severity:
    """Return a severity by name; what is not known is `unknown`."""
    return next((known for known in SEVERITIES if known == name), "unknown")


def is_number(value: object) -> bool:
    """Whether a cell is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
