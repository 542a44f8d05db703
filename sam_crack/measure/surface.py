"""Distances between outlines: HD95 and ASSD, where a missed mask is never left out.

A mask that is missed has no outline, and its distance would be undefined; a mean that drops it
rewards the miss. Here it costs the diagonal of the frame, the largest distance there can be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sam_crack.measure.metrics import Empty, Mask, as_bytes, by_policy, check_sizes

Distances = NDArray[np.float64]
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
MANY = 40_000
"""Outline pixels from which a distance map is faster than a search tree."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Surfaces:
    """How far each outline pixel of either side lies from the other outline, in one frame."""

    pred: Distances
    """From the prediction to the truth, in pixels; the diagonal for all where truth is empty."""
    truth: Distances
    """From the truth to the prediction; the diagonal for all where the prediction is empty."""

    @property
    def is_empty(self) -> bool:
        """Whether neither side has an outline."""
        return not (self.pred.size or self.truth.size)


def measure_surfaces(pred: Mask, truth: Mask, ignore: Mask | None = None) -> Surfaces:
    """Measure one frame; the outline is foreground that touches background over an edge.

    Beyond the frame lies background, as in MONAI and medpy. Ignored pixels are cut out of both.
    """
    check_sizes(truth, pred, ignore)
    found, there = (_outline(mask, ignore) for mask in (pred, truth))
    if not (len(found) and len(there)):
        diagonal = math.hypot(*truth.shape)
        return Surfaces(pred=np.full(len(found), diagonal), truth=np.full(len(there), diagonal))
    return Surfaces(pred=_nearest(found, there), truth=_nearest(there, found))


def hd95(surfaces: Surfaces, *, empty: Empty) -> float | None:
    """Return the larger 95th percentile of both directions, in pixels.

    One empty side gives the frame's diagonal. Where both are empty, `one` (as good as can be) is
    0 and `zero` has no meaning for a distance without bound: it leaves the frame out like `skip`.
    """
    if surfaces.is_empty:
        return by_policy("skip" if empty == "zero" else empty, best=0.0)
    return max(float(np.percentile(d, 95)) for d in (surfaces.pred, surfaces.truth) if d.size)


def assd(surfaces: Surfaces, *, empty: Empty) -> float | None:
    """Return the mean distance over the outline pixels of both sides; empty masks as in `hd95`."""
    if surfaces.is_empty:
        return by_policy("skip" if empty == "zero" else empty, best=0.0)
    return float(np.concatenate([surfaces.pred, surfaces.truth]).mean())


def _outline(mask: Mask, ignore: Mask | None) -> NDArray[np.int32]:
    """Return the outline pixels (n, 2) as (y, x)."""
    _, whole = cv2.threshold(as_bytes(mask), 0, 1, cv2.THRESH_BINARY)
    if ignore is not None:
        whole[as_bytes(ignore) > 0] = 0
    left, top, width, height = cv2.boundingRect(whole)
    if not width:
        return np.zeros((0, 2), np.int32)
    part = np.ascontiguousarray(whole[top : top + height, left : left + width])
    inner = cv2.erode(part, CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    points = cv2.findNonZero(cv2.subtract(part, inner)).reshape(-1, 2)
    return np.asarray(points[:, ::-1] + np.array([top, left]), np.int32)


def _nearest(points: NDArray[np.int32], others: NDArray[np.int32]) -> Distances:
    """Return the distance of each point to the nearest of the others."""
    if max(len(points), len(others)) < MANY:
        distances: Distances = cKDTree(others).query(points)[0]
        return distances
    both = np.concatenate([points, others])
    corner = both.min(axis=0)
    height, width = both.max(axis=0) - corner + 1
    away = np.ones((height, width), np.uint8)
    away[tuple((others - corner).T)] = 0
    field = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(field[tuple((points - corner).T)], np.float64)
