"""Sub-pixel centre lines: how long a line is and how wide the mask is across it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.polyline import SMOOTH_PX, arc_length, run_mean, simplify, smooth
from sam_crack.measure.skeleton import FREE, Branch, Graph

Float = NDArray[np.float64]
Bytes = NDArray[np.uint8]
SPACING_PX = 2  # one width every so many pixels
STEP_PX = 0.5  # between two samples across the line


@dataclass(frozen=True, eq=False)
class Line:
    """One smooth branch with the mask's edges on both sides; everything (y, x) in pixels."""

    points: Float
    """(n, 2) along the centre, tips included, about a pixel apart."""
    corners: Float
    """(c, 2) the same line without bends below the tolerance: for lengths."""
    places: Float
    """(k, 2) where the width is taken."""
    tangents: Float
    """(k, 2) unit direction of the line there."""
    left: Float
    """(k,) from the centre to the mask's edge on one side."""
    right: Float
    """(k,) and on the other."""

    def moved(self, offset: tuple[int, int]) -> Line:
        """Return the same line in a frame whose origin lies `offset` (y, x) before."""
        shift = np.array(offset, dtype=np.float64)
        return replace(
            self,
            points=self.points + shift,
            corners=self.corners + shift,
            places=self.places + shift,
        )

    def scaled(self, factor: float) -> Line:
        """Return the same line in a frame whose pixels are `factor` times smaller."""
        points, corners, places = (
            (each + 0.5) * factor - 0.5 for each in (self.points, self.corners, self.places)
        )
        sides = {"left": self.left * factor, "right": self.right * factor}
        return replace(self, points=points, corners=corners, places=places, **sides)

    @property
    def length_px(self) -> float:
        """Arc length, from tip to tip."""
        return float(arc_length(self.corners))

    @property
    def widths_px(self) -> Float:
        """(k,) width across the line at every place."""
        return run_mean(self.left + self.right)

    def edges(self) -> tuple[Float, Float]:
        """Both edge points (k, 2) of every place."""
        normal = self.tangents[:, ::-1] * (1, -1)
        left, right = run_mean(self.left)[:, None], run_mean(self.right)[:, None]
        return self.places - normal * left, self.places + normal * right


class Prober:
    """Measures how far a mask reaches from points in given directions, to a part of a pixel."""

    def __init__(
        self, mask: Bytes, radius_px: NDArray[np.float32], *, closed: Bytes | None = None
    ) -> None:
        """Keep the mask (0 and 255), its distance transform, and the mask with its gaps closed."""
        self.mask, self.radius_px = mask, radius_px
        self.closed = mask if closed is None else closed

    def radius_at(self, points: Float) -> Float:
        """Distance transform at the nearest pixels."""
        last = np.array(self.mask.shape) - 1
        y, x = np.clip(points.round().astype(int), 0, last).T
        radius: Float = self.radius_px[y, x].astype(np.float64)
        return radius

    def reach(self, points: Float, directions: Float, limit_px: Float) -> Float:
        """Distance to the mask's edge: the integral of its coverage, which never rises again."""
        if not len(points):
            return np.zeros(0)
        out = []
        for part in range(0, len(points), 16384):  # OpenCV maps hold at most 32767 rows
            some = slice(part, part + 16384)
            out.append(self._reach(self.mask, points[some], directions[some], limit_px[some]))
        return np.concatenate(out)

    def across(
        self, points: Float, normals: Float, limit_px: Float, *, line: NDArray[np.int64]
    ) -> tuple[Float, Float]:
        """Distance to the edge on both sides of points that belong to numbered lines.

        Closing fills what is narrow between two edges: widths are those of the mask before it,
        unless all of a line lies in closed gaps.
        """
        left, right = self.reach(points, -normals, limit_px), self.reach(points, normals, limit_px)
        gap = (np.bincount(line, left + right) <= 0)[line]
        if gap.any():
            way = normals[gap], limit_px[gap]
            left[gap] = self._reach(self.closed, points[gap], -way[0], way[1])
            right[gap] = self._reach(self.closed, points[gap], *way)
        return left, right

    @staticmethod
    def _reach(mask: Bytes, points: Float, directions: Float, limit_px: Float) -> Float:
        steps = np.arange(0.5 * STEP_PX, float(limit_px.max()) + STEP_PX, STEP_PX)
        far_y = points[:, :1] + directions[:, :1] * steps
        far_x = points[:, 1:] + directions[:, 1:] * steps
        cover = cv2.remap(
            mask, far_x.astype(np.float32), far_y.astype(np.float32), cv2.INTER_LINEAR
        ).astype(np.float64)
        cover[steps > limit_px[:, None]] = 0.0
        reached: Float = np.minimum.accumulate(cover, axis=1).sum(axis=1) * (STEP_PX / 255)
        return reached


def lay_lines(graph: Graph, prober: Prober) -> list[Line]:
    """Turn every branch of a pruned graph into a smooth line with its edges."""
    if not graph.branches:
        return []
    smoothed = [_laid(branch, graph, prober) for branch in graph.branches]
    probed = [
        _places(branch, line, prober) for branch, line in zip(graph.branches, smoothed, strict=True)
    ]
    spot, along = (np.concatenate([part[i] for part in probed]) for i in (0, 1))
    normal = along[:, ::-1] * (1, -1)
    limit = 1.5 * prober.radius_at(spot) + 2.0  # across a junction the mask goes on and on
    counts = np.array([len(place) for place, _ in probed])
    numbers = np.repeat(np.arange(len(counts)), counts)
    left, right = prober.across(spot, normal, limit, line=numbers)
    cuts = np.cumsum(counts)[:-1]
    return [
        Line(line, simplify(line), place, tangent, one, other)
        for line, (place, tangent), one, other in zip(
            smoothed, probed, np.split(left, cuts), np.split(right, cuts), strict=True
        )
    ]


def _places(branch: Branch, line: Float, prober: Prober) -> tuple[Float, Float]:
    """Where to take widths and in which direction the line runs there.

    Free ends are left out over half a width: there the centre line turns into a corner.
    """
    radius = float(np.median(prober.radius_at(line)))
    ends = [
        0 if branch.is_ring or node != FREE else int(radius) + 1
        for node in (branch.start, branch.end)
    ]
    first, last = ends[0], len(line) - ends[1]
    if last - first < max(4, len(line) // 4):
        first, last = len(line) // 3, len(line) - len(line) // 3
    tangents = _tangents(line, 4 + int(radius))
    whole = np.arange(first, last - 1, SPACING_PX) if last - first > 1 else np.array([first])
    after = np.minimum(whole + 1, len(line) - 1)
    # every other place lies half way to the next pixel: pixel centres of a diagonal are all alike
    share = 0.5 * (np.arange(len(whole)) % 2)[:, None]
    return line[whole] * (1 - share) + line[after] * share, tangents[whole]


def _laid(branch: Branch, graph: Graph, prober: Prober) -> Float:
    """Smooth a branch from node to node, and on to the mask's edge where its end is free."""
    walk = branch.points.astype(np.float64)
    if branch.is_ring:
        walk = np.concatenate([walk, walk[:1]])
    if branch.start != FREE:
        walk = np.concatenate([graph.nodes[branch.start][None], walk])
    if branch.end != FREE:
        walk = np.concatenate([walk, graph.nodes[branch.end][None]])
    line = smooth(walk)
    if branch.start == FREE and not branch.is_ring:
        line = _to_tip(line[::-1], prober)[::-1]
    if branch.end == FREE and not branch.is_ring:
        line = _to_tip(line, prober)
    return line


def _to_tip(line: Float, prober: Prober) -> Float:
    """Extend a line's last point in its direction to where the mask ends."""
    radius = float(prober.radius_at(line[-1:])[0])
    back = min(len(line) - 1, int(2 * radius) + SMOOTH_PX)
    course = line[-1] - line[-1 - back]
    size = float(np.linalg.norm(course))
    course = course / size if size else np.array([0.0, 1.0])
    reach = prober.reach(line[-1:], course[None], np.array([2 * radius + 2]))
    tip: Float = line[-1] + course * reach[0]
    return np.concatenate([line, tip[None]])


def _tangents(line: Float, span: int) -> Float:
    """Unit direction at every point, over `span` pixels to both sides."""
    if len(line) < 2:
        return np.tile([0.0, 1.0], (len(line), 1))
    span = min(span, len(line) - 1)
    padded = np.concatenate([line[:1]] * span + [line] + [line[-1:]] * span)
    course = padded[2 * span :] - padded[: -2 * span]
    size = np.linalg.norm(course, axis=1, keepdims=True)
    unit: Float = np.where(size > 0, course / np.maximum(size, 1e-9), [0.0, 1.0])
    return unit
