"""What lies on the road, drawn stretch by stretch, so that no frame depends on a drive's length."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.cracks import Branch, Crack, Kind, network, rough, single
from sam_crack.data.synth.look import Look, look_of
from sam_crack.data.synth.track import Track

Float = NDArray[np.float64]
STRETCH_M = 20.0
AHEAD_M = 160.0
"""How far ahead the road is furnished."""


@dataclass(frozen=True)
class Strip:
    """A ribbon on the road between two polylines of (station, offset), metres."""

    left: Float
    right: Float
    tone: float
    """What it multiplies the road's brightness by."""


@dataclass(frozen=True)
class Upright:
    """Something that stands beside the road: a tree, a bush, a pole, a marker post."""

    kind: str
    station_m: float
    offset_m: float
    height_m: float
    variant: int


@dataclass(frozen=True)
class Stretch:
    """Everything that begins within one stretch of road."""

    cracks: tuple[Crack, ...]
    patches: tuple[Strip, ...]
    seals: tuple[Strip, ...]
    stains: Float
    """(n, 5): station, offset, length, width (metres), tone."""
    uprights: tuple[Upright, ...]


@dataclass(frozen=True)
class Site:
    """A stretch before anything lies on it."""

    look: Look
    start_m: float
    state: float
    """How broken the road is; 1 is usual."""


def _quality(rng: np.random.Generator) -> float:
    """How broken a stretch is; most are sound, some are bad."""
    return float(rng.choice([0.0, 0.6, 1.3, 2.4], p=[0.12, 0.33, 0.33, 0.22]))


def _width(rng: np.random.Generator) -> float:
    """Opening of a crack, 1 to 40 mm, narrow ones the commonest."""
    return float(np.clip(rng.lognormal(1.55, 0.85), 1.0, 40.0))


def _cracks(rng: np.random.Generator, site: Site) -> list[Crack]:
    """Draw the cracks of a stretch in station and offset."""
    lane, start, state = site.look.lane_m, site.start_m, site.state
    found: list[Crack] = []

    def add(kind: Kind, branches: tuple[Branch, ...]) -> None:
        if branches:
            name = f"c{round(start / STRETCH_M):05d}-{len(found)}"
            found.append(Crack(name, kind, branches, float(rng.uniform(0.72, 0.93))))

    for _ in range(rng.poisson(1.6 * state)):
        track = rng.choice([0.28, 0.5, 0.74, 0.95]) * lane * rng.choice([1, 1, 1, -1])
        ends = np.array([start + rng.uniform(0, 20), track + rng.normal(0, 0.15)])
        far = ends + np.array([rng.uniform(1.5, 12.0), rng.normal(0, 0.25)])
        width = _width(rng)
        add("hairline" if width < 2 else "longitudinal", single(rng, (ends, far), width))
    for _ in range(rng.poisson(1.3 * state)):
        left = float(rng.choice([-lane, 0.05, rng.uniform(0, lane / 2)]))
        right = float(min(left + rng.uniform(1.2, 4.0), lane + 0.2))
        station = start + rng.uniform(0, 20)
        ends, far = np.array([station, left]), np.array([station + rng.normal(0, 0.3), right])
        width = _width(rng)
        add("hairline" if width < 2 else "transverse", single(rng, (ends, far), width, wild=1.2))
    for _ in range(rng.poisson(0.7 * state)):
        middle = np.array([start + rng.uniform(0, 20), rng.choice([0.27, 0.75]) * lane])
        extent = float(rng.uniform(0.8, 4.5)), float(rng.uniform(0.5, 1.1))
        add("alligator", network(rng, middle, extent, float(rng.uniform(1.3, 5.0))))
    return found


def _patches(rng: np.random.Generator, site: Site) -> list[Strip]:
    """Repaired areas and utility cuts: straight-sided, slightly ragged, of another asphalt."""
    look, start, state = site.look, site.start_m, site.state
    patches = []
    for _ in range(rng.poisson(0.12 + 0.2 * state)):
        long_cut = rng.random() < 0.35
        length = float(rng.uniform(6, 25) if long_cut else rng.uniform(0.8, 5))
        width = float(rng.uniform(0.4, 0.8) if long_cut else rng.uniform(0.8, look.lane_m * 0.9))
        at = np.linspace(0, length, max(int(length / 0.1), 4))
        left = float(rng.uniform(-look.lane_m, look.lane_m - width))
        skew = float(rng.normal(0, 0.03))
        sides = [
            np.stack(
                [start + 5 + at, base + skew * at + rough(rng, at, {0.8: 0.012, 0.2: 0.006})], 1
            )
            for base in (left, left + width)
        ]
        patches.append(Strip(sides[0], sides[1], float(rng.choice([0.62, 0.74, 0.86, 1.16]))))
    return patches


def _seals(rng: np.random.Generator, site: Site) -> list[Strip]:
    """Bands of bitumen run over old cracks: dark, smooth-edged, wandering, 30 to 90 mm wide."""
    look, start, state = site.look, site.start_m, site.state
    seals = []
    for _ in range(rng.poisson(0.25 + 0.3 * state)):
        length = float(rng.uniform(2, 14))
        at = np.linspace(0, length, int(length / 0.05))
        path = rough(rng, at, {1.7: 0.06, 0.5: 0.025, 0.17: 0.008})
        half = 0.5 * float(rng.uniform(0.03, 0.09)) * np.exp(rough(rng, at, {0.4: 0.2, 0.12: 0.1}))
        half *= np.minimum(1, np.minimum(at, length - at) / 0.06 + 0.2)
        if rng.random() < 0.5:  # along the lane
            line = np.stack([start + at, rng.uniform(-1, 1) * look.lane_m * 0.95 + path], 1)
            side = np.array([0.0, 1.0])
        else:  # across it
            line = np.stack([start + rng.uniform(0, 15) + path, at - look.lane_m], 1)
            line, half = line[at < 2 * look.lane_m], half[at < 2 * look.lane_m]
            side = np.array([1.0, 0.0])
        edges = [line + sign * side * half[:, None] for sign in (-1, 1)]
        seals.append(Strip(edges[0], edges[1], float(rng.uniform(0.3, 0.5))))
    return seals


def _uprights(rng: np.random.Generator, site: Site) -> list[Upright]:
    """Trees and bushes in loose groups, poles and marker posts at their distances."""
    look, start = site.look, site.start_m
    found = []
    for side in (-1.0, 1.0):
        wooded = float(rng.choice([0.0, 0.6, 2.0], p=[0.35, 0.35, 0.3]))
        for row in range(rng.poisson(1.2 * wooded) + rng.poisson(4 * wooded)):
            away = rng.uniform(2.6, 12.0) if row < 2 * wooded else rng.uniform(14.0, 45.0)
            offset = side * (look.paved_m + float(away))
            size, variant = float(rng.uniform(4.5, 11.0)), int(rng.integers(6))
            found.append(Upright("tree", start + rng.uniform(0, 20), offset, size, variant))
        for _ in range(rng.poisson(1.6)):
            offset = side * (look.paved_m + float(rng.uniform(2.6, 9.0)))
            size, variant = float(rng.uniform(0.6, 2.2)), int(rng.integers(6))
            found.append(Upright("bush", start + rng.uniform(0, 20), offset, size, variant))
        for _ in range(14):
            offset = side * (look.paved_m + 0.35 + float(rng.exponential(1.3)))
            size, variant = float(rng.uniform(0.12, 0.45)), int(rng.integers(6))
            found.append(Upright("tuft", start + rng.uniform(0, 20), offset, size, variant))
    index = round(start / STRETCH_M)
    if index % 2 == 0:
        found.append(Upright("pole", start, look.paved_m + 3.0, 8.0, 0))
    for side in (-1.0, 1.0):
        found.append(Upright("post", start + 7.0, side * (look.paved_m + 0.7), 0.95, 0))
    return found


@lru_cache(maxsize=64)
def stretch(seed: int, number: int) -> Stretch:
    """Draw one stretch in station and offset; it depends on the seed and its number alone."""
    rng = np.random.default_rng([seed, 31, number + 1000])
    look, start = look_of(seed), number * STRETCH_M
    site = Site(look, start, _quality(rng))
    count = int(rng.poisson(2.0))
    stains = np.stack(
        [
            start + rng.uniform(0, STRETCH_M, count),
            rng.choice([-0.5, 0.5], count) * look.lane_m + rng.normal(0, 0.25, count),
            rng.lognormal(-1.2, 0.6, count),
            rng.lognormal(-1.9, 0.5, count),
            rng.uniform(0.55, 0.9, count),
        ],
        axis=1,
    )
    return Stretch(
        tuple(_cracks(rng, site)),
        tuple(_patches(rng, site)),
        tuple(_seals(rng, site)),
        stains,
        tuple(_uprights(rng, site)),
    )


def stretches(seed: int, station_m: float) -> list[Stretch]:
    """Return every stretch of which something can be seen from a station, nearest first."""
    return [stretch(seed, number) for number in stretch_numbers(station_m)]


def stretch_numbers(station_m: float) -> range:
    """Return the numbers of the stretches of which something can be seen from a station."""
    first = int(np.floor((station_m - 30.0) / STRETCH_M))
    return range(first, int(np.floor((station_m + AHEAD_M) / STRETCH_M)) + 1)


def on_plan(crack: Crack, track: Track) -> Crack:
    """Lay a crack that was drawn in station and offset on the plan: east and north, metres."""
    laid = tuple(
        Branch(track.plan(b.line[:, 0], b.line[:, 1]), b.left_mm, b.right_mm)
        for b in crack.branches
    )
    return replace(crack, branches=laid)
