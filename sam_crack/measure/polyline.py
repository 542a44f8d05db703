"""Digitised walks as lines: smoothed, without bends that are none, and how long they are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
SMOOTH_PX = 9  # steps of a digitised line of any angle even out over this many pixels
TOLERANCE_PX = 0.5  # bends below half a pixel are digitisation, not crack
WIDTH_RUN = 5  # widths of so many places are averaged: their edges are digitised too


def arc_length(points: Float) -> float:
    """Sum of the distances between neighbouring points."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def run_mean(values: Float, length: int = WIDTH_RUN) -> Float:
    """Running mean whose window shrinks at both ends."""
    if len(values) < 3:
        return values
    length = min(length, len(values))
    kernel = np.ones(length)
    total: Float = np.convolve(values, kernel, "same") / np.convolve(
        np.ones(len(values)), kernel, "same"
    )
    return total


def smooth(points: Float, window: int = SMOOTH_PX) -> Float:
    """Average a walk over a window twice; the two ends stay where they are."""
    window = min(window, (len(points) - 1) // 2 * 2 + 1)
    if window < 3:
        return points
    half = window // 2
    kernel = np.ones(window) / window
    for _ in range(2):
        ahead = 2 * points[0] - points[half:0:-1]  # mirrored through the end, which pins it
        after = 2 * points[-1] - points[-2 : -2 - half : -1]
        walk = np.concatenate([ahead, points, after])
        columns = [np.convolve(walk[:, i], kernel, "valid") for i in (0, 1)]
        points = np.array(columns, dtype=np.float64).T
    return points


def simplify(points: Float) -> Float:
    """Drop the bends below the tolerance (Douglas and Peucker 1973)."""
    if len(points) < 3:
        return points
    if np.allclose(points[0], points[-1]):  # OpenCV would leave the ring open
        middle = len(points) // 2
        return np.concatenate([simplify(points[: middle + 1]), simplify(points[middle:])[1:]])
    line = cv2.approxPolyDP(points.astype(np.float32)[:, None], TOLERANCE_PX, closed=False)
    corners: Float = np.array(line, dtype=np.float64).reshape(-1, 2)
    return corners


def middle_line(points: Float, *, step: float = 0.5) -> Float:
    """Return the mean course of a cloud of points (n, 2) along its longest direction."""
    centred = points - points.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    along = centred @ axis
    span = float(np.ptp(along))
    number = max(1, min(60, round(span / step)))
    part = np.minimum(((along - along.min()) / max(span, 1e-9) * number).astype(int), number - 1)
    counts = np.bincount(part, minlength=number)
    filled = counts > 0
    columns = [np.bincount(part, points[:, i], number)[filled] / counts[filled] for i in (0, 1)]
    ends = points[[int(along.argmin()), int(along.argmax())]]
    middle: Float = np.concatenate([ends[:1], np.stack(columns, axis=1), ends[1:]])
    return middle
