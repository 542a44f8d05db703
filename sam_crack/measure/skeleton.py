"""Centre lines of a mask: thin it where there is something, then read the lines as a graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

Bytes = NDArray[np.uint8]
Points = NDArray[np.int32]
STRIP_PX = 64
FREE = -1  # node number of an end that touches nothing


@dataclass(frozen=True, eq=False)
class Branch:
    """A line of skeleton pixels between two nodes, in walking order."""

    points: Points
    """(n, 2) as (y, x)."""
    start: int
    """Node before the first point, or FREE."""
    end: int
    """Node after the last point, or FREE."""

    @property
    def is_ring(self) -> bool:
        """Whether the line closes on itself without any node."""
        if self.start != FREE or self.end != FREE or len(self.points) < 4:
            return False
        return bool(np.abs(self.points[0] - self.points[-1]).max() <= 1)


@dataclass(frozen=True, eq=False)
class Graph:
    """Branches and the nodes where three or more of them meet."""

    nodes: NDArray[np.float64]
    """(n, 2) centres of the junctions as (y, x)."""
    branches: tuple[Branch, ...]

    @property
    def num_loops(self) -> int:
        """Independent closed cells: edges - nodes + connected parts (Euler)."""
        parent: dict[int, int] = {}

        def root(node: int) -> int:
            while parent.setdefault(node, node) != node:
                node = parent[node]
            return node

        loops = 0
        for branch in self.branches:
            if branch.is_ring:
                loops += 1
            elif FREE not in (branch.start, branch.end):
                first, last = root(branch.start), root(branch.end)
                loops += first == last
                parent[first] = last
        return loops


def thin(mask: Bytes, radius_px: float) -> Bytes:
    """Thin a mask as `skimage.morphology.skeletonize(mask, method="lee")` would, but faster.

    Only strips with foreground are thinned, each with a margin beyond the reach of what happens
    across its border; the tests compare the pixels with those of the whole frame.

    Args:
        mask: (height, width), anything above 0 is foreground.
        radius_px: Largest value of the mask's distance transform.
    """
    margin = 12 + int(np.ceil(radius_px))
    out = np.zeros_like(mask)
    for core, outer in _strips(mask, margin):
        line = skeletonize(mask[outer] > 0, method="lee")
        inner = line[core[0].start - outer[0].start :][: core[0].stop - core[0].start]
        out[core] |= inner
    return out


def _strips(mask: Bytes, margin: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield the parts to thin: what is kept of each, and the same with its margins."""
    height = mask.shape[0]
    for top in range(0, height, STRIP_PX):
        bottom = min(height, top + STRIP_PX)
        upper, lower = max(0, top - margin), min(height, bottom + margin)
        filled = np.bitwise_or.reduce(mask[upper:lower], axis=0)
        edges = np.flatnonzero(np.diff(filled > 0, prepend=False, append=False))
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            columns = slice(int(left), int(right))
            rows = np.flatnonzero(mask[upper:lower, columns].any(axis=1))
            first, last = upper + int(rows[0]), upper + int(rows[-1]) + 1
            kept = slice(max(top, first), min(bottom, last))
            if kept.start < kept.stop:
                yield (kept, columns), (slice(first, last), columns)


def trace(skeleton: Bytes) -> Graph:
    """Read the lines and junctions of a thinned mask; its outermost pixels must be empty."""
    found = cv2.findNonZero(skeleton)
    if found is None:
        return Graph(np.zeros((0, 2)), ())
    x, y = found.reshape(-1, 2).T
    beside = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    degree = np.sum([skeleton[y + dy, x + dx] > 0 for dy, dx in beside], axis=0)
    crossing = degree > 2
    nodes, owner = _nodes(np.stack([y[crossing], x[crossing]], axis=1).tolist())
    lines = skeleton.copy() if crossing.any() else skeleton
    lines[y[crossing], x[crossing]] = 0
    return Graph(nodes, tuple(_branch(path, owner) for path in _paths(lines)))


def _nodes(pixels: list[list[int]]) -> tuple[NDArray[np.float64], dict[tuple[int, int], int]]:
    """Group touching junction pixels: their centres, and which node owns a pixel."""
    loose = {(y, x) for y, x in pixels}
    owner: dict[tuple[int, int], int] = {}
    centres: list[NDArray[np.float64]] = []
    for y, x in pixels:
        if (y, x) not in loose:
            continue
        loose.discard((y, x))
        group = [(y, x)]
        for near_y, near_x in group:  # grows while it is walked
            touching = {(near_y + dy, near_x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
            group += sorted(touching & loose)
            loose -= touching
        owner.update(dict.fromkeys(group, len(centres)))
        centres.append(np.array(group, dtype=np.float64).mean(axis=0))
    return np.array(centres).reshape(-1, 2), owner


def _paths(lines: Bytes) -> Iterator[Points]:
    """Yield every line without junctions, in walking order.

    The outline of a line one pixel wide walks along it and back; it turns at the two ends.
    """
    outlines, ranks = cv2.findContours(lines, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for outline, rank in zip(outlines, ranks.reshape(-1, 4) if len(outlines) else (), strict=True):
        if rank[3] >= 0:  # the inner side of a ring
            continue
        walk = outline.reshape(-1, 2)[:, ::-1]
        if len(walk) > 2:
            turns = np.flatnonzero((np.roll(walk, 1, 0) == np.roll(walk, -1, 0)).all(axis=1))
            if len(turns) == 2:
                walk = walk[turns[0] : turns[1] + 1]
        yield np.ascontiguousarray(walk)


def _branch(path: Points, owner: dict[tuple[int, int], int]) -> Branch:
    """Find the nodes at both ends of a path."""
    ends = []
    for y, x in (path[0].tolist(), path[-1].tolist()):
        near = {owner.get((y + dy, x + dx), FREE) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
        ends.append(near - {FREE})
    start = min(ends[0], default=FREE)
    rest = ends[1] - {start} if len(path) == 1 else ends[1]
    return Branch(path, start, min(rest, default=FREE))


def prune(graph: Graph, radius_px: NDArray[np.float32]) -> Graph:
    """Drop spurs: free branches that hardly leave the body of the crack, and join what is left.

    Args:
        graph: Lines as traced.
        radius_px: Distance transform of the mask, for the half width at a node.
    """
    branches = list(graph.branches)
    for _ in range(8):  # each pass uncovers at most the spurs that hung on spurs
        kept = _without_spurs(branches, graph.nodes, radius_px)
        joined = _joined(kept, graph.nodes)
        if len(joined) == len(branches):
            break
        branches = joined
    return Graph(graph.nodes, tuple(branches))


def _ends(branches: list[Branch]) -> dict[int, list[int]]:
    """Node to the branches that end there; a loop is listed twice."""
    at: dict[int, list[int]] = defaultdict(list)
    for number, branch in enumerate(branches):
        for node in (branch.start, branch.end):
            if node != FREE:
                at[node].append(number)
    return at


def _without_spurs(
    branches: list[Branch], nodes: NDArray[np.float64], radius_px: NDArray[np.float32]
) -> list[Branch]:
    """Remove the shortest spurs while at least two branches stay at their node."""
    at = {node: len(numbers) for node, numbers in _ends(branches).items()}
    dropped: set[int] = set()
    for number in sorted(range(len(branches)), key=lambda n: len(branches[n].points)):
        branch = branches[number]
        if (branch.start == FREE) == (branch.end == FREE):
            continue
        node = max(branch.start, branch.end)
        y, x = nodes[node].round().astype(int)
        if len(branch.points) <= 2 + 1.5 * radius_px[y, x] and at[node] > 2:
            dropped.add(number)
            at[node] -= 1
    return [branch for number, branch in enumerate(branches) if number not in dropped]


def _joined(branches: list[Branch], nodes: NDArray[np.float64]) -> list[Branch]:
    """Merge the two branches of every node where only two are left."""
    alive: dict[int, Branch] = dict(enumerate(branches))
    at = _ends(branches)
    for node, numbers in at.items():
        if len(numbers) != 2 or numbers[0] == numbers[1]:
            continue
        first, second = (alive[number] for number in numbers)
        head = first.points if first.end == node else first.points[::-1]
        tail = second.points if second.start == node else second.points[::-1]
        middle = nodes[node].round().astype(np.int32)[None]
        merged = Branch(
            np.concatenate([head, middle, tail]),
            first.start if first.end == node else first.end,
            second.end if second.start == node else second.start,
        )
        alive[numbers[0]] = merged
        del alive[numbers[1]]
        if merged.end != FREE:
            at[merged.end] = [numbers[0] if n == numbers[1] else n for n in at[merged.end]]
    return list(alive.values())
