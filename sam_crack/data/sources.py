"""Frames to cut crops from: whether decoded or mapped from a store, they answer alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.sample import Sample

CELL = 32
"""Side in pixels of the squares in which a frame is surveyed for places to crop."""
_SURVEYED_PIXELS = 1_000_000
_CHROMA = 12.0  # levels between channels that make a square count a third


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A frame seen in squares of CELL pixels; both arrays are (rows, columns) of squares."""

    filled: NDArray[np.bool_]
    """Squares with foreground, or with pixels to ignore."""
    hard: NDArray[np.uint8]
    """How much a free square looks like a crack, a joint or a shadow; 0 where filled or outside the
    region."""


class FrameSource(Protocol):
    """What crops are cut from."""

    @property
    def id(self) -> str:
        """The sample's id."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frame."""

    @property
    def num_foreground(self) -> int:
        """Foreground pixels of the frame."""

    @property
    def cells(self) -> Cells:
        """The survey of the frame."""

    def foreground(self, number: int) -> tuple[int, int]:
        """Return (y, x) of the foreground pixel of this number, counted row by row."""

    def cut(self, top: int, left: int, size: tuple[int, int]) -> Sample:
        """Cut a rectangle; outside the frame it is black, background, and to be ignored."""


class WholeFrame:
    """A decoded frame."""

    def __init__(self, sample: Sample) -> None:
        """Keep the sample."""
        self.sample = sample

    @property
    def id(self) -> str:
        """The sample's id."""
        return self.sample.id

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frame."""
        return self.sample.mask.shape[0], self.sample.mask.shape[1]

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.sample.mask)

    @property
    def num_foreground(self) -> int:
        """Foreground pixels of the frame."""
        return len(self._places)

    @cached_property
    def cells(self) -> Cells:
        """The survey of the frame, made when first asked for."""
        return survey_cells(self.sample)

    def foreground(self, number: int) -> tuple[int, int]:
        """Return (y, x) of the foreground pixel of this number, counted row by row."""
        y, x = divmod(int(self._places[number]), self.size[1])
        return y, x

    def cut(self, top: int, left: int, size: tuple[int, int]) -> Sample:
        """Cut a rectangle; outside the frame it is black, background, and to be ignored."""
        whole = self.sample
        counts = window(np.ones(self.size, np.bool_), top, left, size)
        if whole.ignore is not None:
            counts &= ~window(whole.ignore, top, left, size)
        instances, region = whole.instances, whole.region
        return replace(
            whole,
            image=window(whole.image, top, left, size),
            mask=window(whole.mask, top, left, size),
            instances=window(instances, top, left, size) if instances is not None else None,
            region=window(region, top, left, size) if region is not None else None,
            ignore=~counts,
        )

    @property
    def num_bytes(self) -> int:
        """Memory that keeping this frame takes."""
        one = self.sample
        arrays = (one.image, one.mask, one.instances, one.region, one.ignore)
        return sum(array.nbytes for array in arrays if array is not None)


def window(array: NDArray, top: int, left: int, size: tuple[int, ...]) -> NDArray:  # type: ignore[type-arg]
    """Cut rows and columns; what lies outside the frame is zero."""
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(array.shape[0], top + size[0]), min(array.shape[1], left + size[1])
    if (y1 - y0, x1 - x0) == tuple(size[:2]):
        return array[y0:y1, x0:x1].copy()  # never a view into a file or a cache
    out = np.zeros((*size, *array.shape[2:]), array.dtype)
    if y0 < y1 and x0 < x1:
        out[y0 - top : y1 - top, x0 - left : x1 - left] = array[y0:y1, x0:x1]
    return out


def survey_cells(sample: Sample) -> Cells:
    """Find the squares without foreground that are most easily taken for a crack.

    Joints, tar, shadows and lane marks: straight edges, and lines darker than their surroundings.
    """
    busy = sample.mask > 0
    if sample.ignore is not None:
        busy |= sample.ignore
    filled = _any_in_cell(busy)
    hard = np.clip(np.round(_hardness(sample.image, filled.shape) * 4), 1, 255).astype(np.uint8)
    hard[filled] = 0
    if sample.region is not None and sample.region.any():
        hard[~_any_in_cell(sample.region)] = 0
    elif sample.mask.any():
        # Nobody said where to look: above the topmost crack is what is above the road.
        hard[: int(np.flatnonzero(sample.mask.any(axis=1))[0]) // CELL] = 0
    return Cells(filled=filled, hard=hard)


def _hardness(image: NDArray[np.uint8], cells: tuple[int, ...]) -> NDArray[np.float32]:
    """Score each square by its dark lines and by its edges of one direction.

    Leaves and gravel have dark and bright specks alike, and edges of all directions: both cancel.
    """
    rows, columns = cells
    height, width = image.shape[:2]
    step = max(1, round((height * width / _SURVEYED_PIXELS) ** 0.5))
    small = (max(1, width // step), max(1, height // step))
    colours = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA))

    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    dark, bright = (
        mean(cv2.morphologyEx(grey, how, disk).astype(np.float32))
        for how in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    )
    across, down = (cv2.Sobel(grey, cv2.CV_32F, dx, dy, scale=0.125) for dx, dy in ((1, 0), (0, 1)))
    # Structure tensor: the difference of its eigenvalues is what edges have in common.
    same = mean(across * across) - mean(down * down)
    mixed = 2 * mean(across * down)
    edges = np.sqrt(np.hypot(same, mixed))
    # Roads and what lies on them are greyer than the rest of the picture.
    chroma = mean((colours.max(2) - colours.min(2)).astype(np.float32))
    greyness = np.exp(-np.maximum(chroma - np.median(chroma), 0) / _CHROMA)
    score: NDArray[np.float32] = (np.maximum(dark - bright, 0) + edges) * greyness
    return score


def _any_in_cell(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say for each square whether any of its pixels is set."""
    by_row = np.add.reduceat(flags, np.arange(0, flags.shape[0], CELL), axis=0, dtype=np.uint8)
    by_cell = np.add.reduceat(
        by_row > 0, np.arange(0, flags.shape[1], CELL), axis=1, dtype=np.uint8
    )
    found: NDArray[np.bool_] = by_cell > 0
    return found
