"""The shape of cracks on the ground: centre lines in metres, both edges in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Kind = Literal["longitudinal", "transverse", "alligator", "hairline"]
STEP_M = 0.015
"""Distance of the vertices of a centre line: finer than a pixel from 7 m on."""


@dataclass(frozen=True)
class Branch:
    """One line of a crack: the centre line and how far each edge lies from it."""

    line: Float
    """(n, 2): station and offset while it is drawn, plan east and north in a scene; metres."""
    left_mm: Float
    right_mm: Float

    @property
    def width_mm(self) -> Float:
        """Opening at every vertex."""
        return self.left_mm + self.right_mm

    @property
    def steps_mm(self) -> Float:
        """Length of every segment."""
        steps: Float = 1000.0 * np.linalg.norm(np.diff(self.line, axis=0), axis=1)
        return steps

    @property
    def step_widths_mm(self) -> Float:
        """Mean opening over every segment."""
        means: Float = (self.width_mm[1:] + self.width_mm[:-1]) / 2
        return means

    def edges(self, *, grow: float = 0.0, margin_mm: float = 0.0) -> tuple[Float, Float]:
        """Both edges as polylines, metres; grown by a share of the opening and a margin."""
        along = np.gradient(self.line, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        side = np.stack([-along[:, 1], along[:, 0]], axis=1)
        return (
            self.line + side * (self.left_mm * (1 + grow) + margin_mm)[:, None] / 1000.0,
            self.line - side * (self.right_mm * (1 + grow) + margin_mm)[:, None] / 1000.0,
        )


@dataclass(frozen=True)
class Crack:
    """A crack with all its branches; lengths and widths follow from them exactly."""

    id: str
    kind: Kind
    branches: tuple[Branch, ...]
    depth: float
    """How dark it is at full coverage, 0 to 1."""

    @cached_property
    def outline(self) -> tuple[Float, Float]:
        """Both edges of all branches, one after the other, metres."""
        return _joined([branch.edges() for branch in self.branches])

    @cached_property
    def rim(self) -> tuple[Float, Float]:
        """Return the outline of the crumbled, dirty strip around the crack."""
        return _joined([b.edges(grow=0.9, margin_mm=2.0) for b in self.branches])

    @cached_property
    def joined(self) -> NDArray[np.bool_]:
        """Whether each vertex of the outline is followed by one of the same branch."""
        follows = np.ones(sum(len(branch.line) for branch in self.branches), np.bool_)
        follows[np.cumsum([len(branch.line) for branch in self.branches]) - 1] = False
        return follows[:-1]

    @cached_property
    def step_sizes_mm(self) -> tuple[Float, Float]:
        """Length and mean width of every segment of the outline; zero between branches."""
        pad = np.zeros(1)
        lengths = [part for b in self.branches for part in (b.steps_mm, pad)]
        widths = [part for b in self.branches for part in (b.step_widths_mm, pad)]
        return np.concatenate(lengths)[:-1], np.concatenate(widths)[:-1]

    @property
    def length_mm(self) -> float:
        """Sum over all branches."""
        return float(sum(branch.steps_mm.sum() for branch in self.branches))

    @property
    def mean_width_mm(self) -> float:
        """Mean opening, weighted by length."""
        area = sum(float(b.steps_mm @ b.step_widths_mm) for b in self.branches)
        return area / max(self.length_mm, 1e-9)

    @property
    def max_width_mm(self) -> float:
        """Largest opening at any vertex."""
        return max(float(branch.width_mm.max()) for branch in self.branches)


def _joined(edges: list[tuple[Float, Float]]) -> tuple[Float, Float]:
    return np.concatenate([left for left, _ in edges]), np.concatenate(
        [right for _, right in edges]
    )


def rough(rng: np.random.Generator, at_m: Float, octaves: dict[float, float]) -> Float:
    """Sum piecewise linear noise: `octaves` maps a knot distance in metres to an amplitude."""
    total = np.zeros_like(at_m)
    for knot_m, amplitude in octaves.items():
        last = int(at_m[-1] / knot_m) + 3
        shift = rng.random()
        total += amplitude * np.interp(
            at_m / knot_m + shift, np.arange(last), rng.normal(size=last)
        )
    return total


def _line(rng: np.random.Generator, start: Float, towards: Float, wild: float) -> Float:
    """Draw an irregular line between two points, bent and kinked at all scales."""
    length = float(np.linalg.norm(towards - start))
    at = np.linspace(0.0, length, max(int(length / STEP_M), 4) + 1)
    along = (towards - start) / length
    aside = np.array([-along[1], along[0]])
    bend = rough(rng, at, {1.9: 0.055, 0.6: 0.028, 0.21: 0.013, 0.07: 0.005, 0.03: 0.002}) * wild
    bend -= np.interp(at, at[[0, -1]], bend[[0, -1]])  # both ends stay where they are
    jitter = rough(rng, at, {0.09: 0.004, 0.03: 0.0012}) * wild
    jitter -= np.interp(at, at[[0, -1]], jitter[[0, -1]])
    line: Float = start + along * (at + jitter)[:, None] + aside * bend[:, None]
    return line


def _opening(
    rng: np.random.Generator, line: Float, width_mm: float, *, ends: tuple[float, float]
) -> Branch:
    """Give a line its two edges: uneven, spalled here and there, closing towards its ends."""
    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    swell = np.exp(rough(rng, at, {0.9: 0.22, 0.3: 0.2}))
    taper = np.minimum(1.0, ends[0] + at / 0.35) * np.minimum(1.0, ends[1] + (at[-1] - at) / 0.35)
    sides = []
    for _ in range(2):
        half = 0.5 * width_mm * swell * taper
        half = half * np.clip(1 + rough(rng, at, {0.11: 0.18, 0.04: 0.2, 0.015: 0.22}), 0.3, 2.0)
        if width_mm > 4:
            for _ in range(rng.poisson(at[-1] * 0.9)):
                where, reach = rng.uniform(0, at[-1]), rng.uniform(0.015, 0.06)
                chip = np.clip(1.3 - np.abs(at - where) / reach, 0, 1)
                half = half + chip * rng.uniform(0.3, 1.0) * min(1.3 * width_mm, 16.0)
        sides.append(np.maximum(half, 0.2))
    return Branch(line, sides[0], sides[1])


def single(
    rng: np.random.Generator, ends: tuple[Float, Float], width_mm: float, *, wild: float = 1.0
) -> tuple[Branch, ...]:
    """Draw a crack from one point to another, with the side branches and splits it throws."""
    trunk = _line(rng, ends[0], ends[1], wild)
    branches = [_opening(rng, trunk, width_mm, ends=(0.25, 0.25))]
    length = float(np.linalg.norm(ends[1] - ends[0]))
    for _ in range(rng.poisson(length * 0.4 * wild)):
        where = int(rng.integers(1, len(trunk) - 1))
        ahead = trunk[min(where + 4, len(trunk) - 1)] - trunk[max(where - 4, 0)]
        angle = np.arctan2(ahead[1], ahead[0]) + rng.choice([-1, 1]) * rng.uniform(0.3, 1.2)
        angle += np.pi * float(rng.random() < 0.3)
        reach = float(rng.uniform(0.12, min(1.1, 0.25 + length / 4)))
        tip = trunk[where] + reach * np.array([np.cos(angle), np.sin(angle)])
        fork = _line(rng, trunk[where], tip, 0.8 * wild)
        branches.append(
            _opening(rng, fork, width_mm * float(rng.uniform(0.3, 0.75)), ends=(1.0, 0.1))
        )
    return tuple(branches)


def network(
    rng: np.random.Generator, middle: Float, extent_m: tuple[float, float], width_mm: float
) -> tuple[Branch, ...]:
    """Draw an alligator field: the borders of irregular cells, fraying out at its rim."""
    cell = float(rng.uniform(0.09, 0.2))
    rows, columns = (max(int(side / cell), 3) for side in extent_m)
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1)
    seeds = (grid.reshape(-1, 2) + rng.uniform(0.05, 0.95, (rows * columns, 2))) * cell
    reach = np.array([rows, columns]) * cell
    space = cv2.Subdiv2D((-10, -10, int(reach[0] * 1000) + 20, int(reach[1] * 1000) + 20))
    for station, offset in seeds * 1000:
        space.insert((float(station), float(offset)))
    facets, _ = space.getVoronoiFacetList([])
    edges: dict[tuple[tuple[int, int], tuple[int, int]], None] = {}
    for facet in facets:
        corners = [(round(float(y)), round(float(x))) for y, x in facet]
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            edges[min(a, b), max(a, b)] = None
    branches, swell = [], rng.normal(0, 0.3, 2)  # wider towards one side of the field
    for edge in sorted(edges):
        a, b = np.array(edge, np.float64) / 1000
        centred = 2 * ((a + b) / 2 / reach - 0.5)
        rim = float(np.hypot(*centred))
        length = float(np.linalg.norm(b - a))
        if length < 0.012 or length > 4 * cell or rng.random() < 0.1 + 0.9 * max(rim - 0.55, 0) * 2:
            continue
        line = _line(rng, a, b, 1.5) + middle - reach / 2
        wide = width_mm * float(rng.lognormal(swell @ centred, 0.18)) * (1.1 - 0.5 * min(rim, 1.0))
        branches.append(_opening(rng, line, max(wide, 0.8), ends=(0.9, 0.9)))
    return tuple(branches)
