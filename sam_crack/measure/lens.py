"""What a lens does to straight lines: Brown and Conrady's five coefficients, and their undoing.

x'' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2), likewise y'' with p1 and p2
swapped (Brown 1966; the order k1, k2, p1, p2, k3 and the signs are OpenCV's). Coordinates are
those of a pinhole with a focal length of one, x to the right and y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
WIDEST = math.radians(88)
"""A flat picture has no place for what lies further off the axis."""
ROUNDS = 30
EXACT, GOOD = 1e-11, 1e-7
"""In focal lengths: where Newton's method stops, and what counts as found."""


@dataclass(frozen=True)
class Lens:
    """Distortion of a lens; all zero is none."""

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0

    @property
    def is_straight(self) -> bool:
        """Whether straight lines stay straight."""
        return not any((self.k1, self.k2, self.p1, self.p2, self.k3))

    @cached_property
    def reach(self) -> float:
        """Radius up to which the polynomial grows; beyond it the picture would fold back."""
        square = np.tan(np.linspace(0.0, WIDEST, 8192)) ** 2
        with np.errstate(over="ignore", invalid="ignore"):
            slope = 1 + square * (3 * self.k1 + square * (5 * self.k2 + square * 7 * self.k3))
        turned = np.flatnonzero(~(slope > 0))
        if not len(turned):
            return math.tan(WIDEST)
        after = int(turned[0])  # never 0: on the axis the slope is one
        fall = slope[after - 1] - slope[after]
        share = slope[after - 1] / fall if math.isfinite(fall) else 0.0
        return math.sqrt(float(square[after - 1] + share * (square[after] - square[after - 1])))

    @cached_property
    def _radii(self) -> tuple[Float, Float]:
        """Radii before and after the lens, for a first guess of its undoing."""
        radius = np.tan(np.linspace(0.0, math.atan(self.reach), 2048))
        return radius, radius * self._growth(radius**2)

    def _growth(self, square: Float) -> Float:
        return 1 + square * (self.k1 + square * (self.k2 + square * self.k3))

    def distort(self, straight: Float) -> Float:
        """Bend (..., 2) as (x, y); NaN where the polynomial no longer grows."""
        if self.is_straight:
            return straight
        x, y = straight[..., 0], straight[..., 1]
        with np.errstate(invalid="ignore", over="ignore"):
            square = x**2 + y**2
            growth = np.where(square <= self.reach**2, self._growth(square), np.nan)
        return np.stack(
            [
                x * growth + 2 * self.p1 * x * y + self.p2 * (square + 2 * x**2),
                y * growth + self.p1 * (square + 2 * y**2) + 2 * self.p2 * x * y,
            ],
            axis=-1,
        )

    def straighten(self, bent: Float) -> Float:
        """Undo the bending of (..., 2) as (x, y) by Newton's method; NaN where nothing does."""
        if self.is_straight:
            return bent
        before, after = self._radii
        radius = np.linalg.norm(bent, axis=-1)
        start = np.interp(radius, after, before) / np.maximum(radius, 1e-12)
        point = bent * np.where(radius > 1e-12, start, 1.0)[..., None]
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            missed = self.distort(point) - bent
            for _ in range(ROUNDS):
                if not (np.abs(missed) > EXACT).any():
                    break
                point = point - _solved(self._slopes(point), missed)
                missed = self.distort(point) - bent
            bad = ~(np.abs(missed).max(axis=-1) < GOOD)
        return np.where(bad[..., None], np.nan, point)

    def _slopes(self, point: Float) -> tuple[Float, Float, Float]:
        """Derivatives of the bent x by x, of either by the other, and of y by y."""
        x, y = point[..., 0], point[..., 1]
        square = x**2 + y**2
        growth = self._growth(square)
        rise = 2 * (self.k1 + square * (2 * self.k2 + square * 3 * self.k3))
        cross = rise * x * y + 2 * self.p1 * x + 2 * self.p2 * y
        return (
            growth + rise * x**2 + 2 * self.p1 * y + 6 * self.p2 * x,
            cross,
            growth + rise * y**2 + 6 * self.p1 * y + 2 * self.p2 * x,
        )


def _solved(slopes: tuple[Float, Float, Float], missed: Float) -> Float:
    """Solve the two by two system of every point."""
    a, b, c = slopes
    u, v = missed[..., 0], missed[..., 1]
    size = a * c - b * b
    return np.stack([(c * u - b * v) / size, (a * v - b * u) / size], axis=-1)
