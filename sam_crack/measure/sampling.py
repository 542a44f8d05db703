"""A road known only by its ground sampling distance: a table of millimetres per pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.errors import BadInput
from sam_crack.measure.road_camera import sampling_distance, scale_between

Float = NDArray[np.float64]
Table = tuple[tuple[float, ...], ...]
STEP_PX, MOST_COLUMNS = 8, 512
"""Between two columns of the inner grid, where the table changes across the frame; and how many."""
ROUNDS = 40


@dataclass(frozen=True, kw_only=True)
class SamplingMap:
    """Millimetres per pixel, by row or by row and column; summed up they are places.

    Ahead is up the frame and right is right: with a camera that is turned (roll), give road
    points instead. A row outside the table sees no road.
    """

    size: tuple[int, int]
    """Frame height and width in pixels."""
    rows: tuple[float, ...]
    """Rows of the table, from the top."""
    across_mm: Table
    """Per row, millimetres per pixel across the frame: one, or one for each of `columns`."""
    down_mm: Table
    """The same down the frame."""
    columns: tuple[float, ...] = ()
    """Columns of the table, from the left; empty where it is by row alone."""
    nearest_m: float = 0.0
    """How far ahead of the camera the last of `rows` lies."""

    def __post_init__(self) -> None:
        """Refuse a table that does not fit the frame or itself."""
        height, width = self.size
        _check_axis("rows", self.rows, height)
        if self.columns:
            _check_axis("columns", self.columns, width)
        shape = (len(self.rows), max(len(self.columns), 1))
        for name, table in (("across_mm", self.across_mm), ("down_mm", self.down_mm)):
            wide = {len(row) for row in table}
            if len(table) != shape[0] or wide != {shape[1]}:
                given = f"{len(table)} x {'/'.join(str(n) for n in sorted(wide)) or 0}"
                raise BadInput(
                    f"{name} of {given}",
                    f"one value for each of rows and columns, {shape[0]} x {shape[1]}",
                    "give by row alone, or for every column of every row",
                )
            if any(value <= 0 for row in table for value in row):
                raise BadInput(
                    f"{name} of 0 or less", "millimetres per pixel above 0", "correct it"
                )

    @cached_property
    def _grid(self) -> tuple[Float, Float, Float]:
        """Columns (c,), and metres right and ahead (height, c) at every row."""
        height, width = self.size
        known = np.array(self.columns or (0.0,))
        across, down = (
            _filled(np.array(table), np.array(self.rows), height, power=power)
            for table, power in ((self.across_mm, 1.0), (self.down_mm, 0.5))
        )
        columns = np.array([0.0, width - 1.0])
        if self.columns:
            columns = np.linspace(0, width - 1, min(max(width // STEP_PX, 2), MOST_COLUMNS))
        across, down = (_spread(part, known, columns) for part in (across, down))
        ahead = -_summed(down, np.arange(height, dtype=np.float64), axis=0)
        right = _summed(across, columns, axis=1)
        last = int(np.flatnonzero(np.isfinite(down[:, 0]))[-1])
        nearest = ahead[last] - (self.rows[-1] - last) * down[last]
        ahead = (ahead - nearest) / 1000 + self.nearest_m
        middle = np.array([np.interp((width - 1) / 2, columns, row) for row in right])
        return columns, (right - middle[:, None]) / 1000, ahead

    @property
    def words(self) -> str:
        """What it is, in a few words for a report."""
        table = np.array(self.across_mm)
        return (
            f"a table of {table.min():g} to {table.max():g} mm per pixel at "
            f"{self.size[0]} x {self.size[1]}"
        )

    def to_ground(self, pixels_yx: ArrayLike) -> Float:
        """Find pixels (..., 2) as (y, x) on the road: (..., 2) as (x, z); NaN outside the table."""
        pixels = np.asarray(pixels_yx, dtype=np.float64)
        columns, right, ahead = self._grid
        last = np.array([self.size[0] - 1, len(columns) - 1], np.float64)
        step = columns[1] - columns[0]
        # half a pixel around the frame belongs to its outermost pixels; their places go on straight
        inside = np.all((pixels >= -1) & (pixels <= np.array(self.size)), axis=-1)
        place = np.where(inside[..., None], pixels, 0.0) / (1.0, step)
        low = np.clip(np.floor(place), 0, np.maximum(last - 1, 0)).astype(np.int64)
        share = place - low
        y, x = low[..., 0], low[..., 1]
        v, u = share[..., 0], share[..., 1]
        found = [
            (plane[y, x] * (1 - v) + plane[y + 1, x] * v) * (1 - u)
            + (plane[y, x + 1] * (1 - v) + plane[y + 1, x + 1] * v) * u
            for plane in (right, ahead)
        ]
        return np.where(inside[..., None], np.stack(found, axis=-1), np.nan)

    def to_pixels(self, ground_xz: ArrayLike) -> Float:
        """Project ground points (..., 2) as (x, z) to pixels (..., 2) as (y, x); NaN if unseen."""
        ground = np.asarray(ground_xz, dtype=np.float64)
        pixels = self._start(ground)
        first = np.flatnonzero(np.isfinite(self._grid[2][:, 0]))[[0, -1]].astype(np.float64)
        low, high = np.array([first[0], -1.0]), np.array([first[1] + 1, self.size[1]])
        with np.errstate(invalid="ignore", divide="ignore"):
            for _ in range(ROUNDS):
                missed = self.to_ground(pixels) - ground
                if not (np.abs(missed) > 1e-7).any():
                    break
                pixels = np.clip(pixels - self._step(pixels, missed), low, high)
            good = np.linalg.norm(self.to_ground(pixels) - ground, axis=-1) < 1e-5
        return np.where(good[..., None], pixels, np.nan)

    def _start(self, ground: Float) -> Float:
        """Guess pixels from the middle column's rows, and from the columns of these rows."""
        columns, right, ahead = self._grid
        rows = np.flatnonzero(np.isfinite(ahead[:, 0]))[::-1]  # ahead grows from the nearest
        row = np.interp(ground[..., 1], ahead[rows, len(columns) // 2], rows)
        near = right[np.round(row).astype(np.int64)]
        wide = (ground[..., 0] - near[..., 0]) / (near[..., -1] - near[..., 0])
        return np.stack([row, np.clip(wide, 0, 1) * (self.size[1] - 1)], axis=-1)

    def _step(self, pixels: Float, missed: Float) -> Float:
        """Newton's step back from what was missed."""
        half = 0.25
        down, aside = (self._slope(pixels, np.array(step)) for step in ((half, 0.0), (0.0, half)))
        size = down[..., 0] * aside[..., 1] - down[..., 1] * aside[..., 0]
        y = (missed[..., 0] * aside[..., 1] - missed[..., 1] * aside[..., 0]) / size
        x = (down[..., 0] * missed[..., 1] - down[..., 1] * missed[..., 0]) / size
        return np.stack([y, x], axis=-1)

    def _slope(self, pixels: Float, step: Float) -> Float:
        """Metres per pixel along a step: one-sided at the border, where the other side is none."""
        after, before = self.to_ground(pixels + step), self.to_ground(pixels - step)
        here = self.to_ground(pixels)
        after = np.where(np.isfinite(after), after, 2 * here - before)
        before = np.where(np.isfinite(before), before, 2 * here - after)
        slope: Float = (after - before) / (2 * step.sum())
        return slope

    def millimetres_per_pixel(self, pixels_yx: ArrayLike) -> Float:
        """Ground sampling distance (..., 2): mm per pixel down the frame and across it."""
        return sampling_distance(self, pixels_yx)

    def resized(self, size: tuple[int, int]) -> SamplingMap:
        """Return the same map for frames of another size but the same shape."""
        scale = scale_between(self.size, size)
        rows, columns = (
            tuple((part + 0.5) * scale - 0.5 for part in axis) for axis in (self.rows, self.columns)
        )
        across, down = (
            tuple(tuple(value / scale for value in row) for row in table)
            for table in (self.across_mm, self.down_mm)
        )
        return replace(self, size=size, rows=rows, columns=columns, across_mm=across, down_mm=down)

    def as_json(self) -> dict[str, object]:
        """Return what camera.json holds."""
        table: dict[str, object] = {"rows": list(self.rows)}
        for name, values in (("across_mm", self.across_mm), ("down_mm", self.down_mm)):
            table[name] = [list(row) if self.columns else row[0] for row in values]
        if self.columns:
            table["columns"] = list(self.columns)
        return {"size": list(self.size), "sampling": table | {"nearest_m": self.nearest_m}}


def _check_axis(name: str, axis: tuple[float, ...], side: int) -> None:
    """Refuse places in the frame that do not increase, or that lie outside it."""
    values = np.array(axis)
    if len(axis) < 2 or (np.diff(values) <= 0).any() or values[0] < -0.5 or values[-1] > side - 0.5:
        raise BadInput(
            f"{name} {', '.join(f'{value:g}' for value in axis[:4])}",
            f"two or more in rising order, from 0 to {side - 1}",
            "give the size of the frames that the table was made for",
        )


def _filled(table: Float, known: Float, height: int, *, power: float) -> Float:
    """Read a table at every row. On a flat road a value's inverse power is a straight line."""
    rows = np.arange(height, dtype=np.float64)
    straight = table**-power
    columns = [np.interp(rows, known, column, np.nan, np.nan) for column in straight.T]
    filled: Float = np.stack(columns, axis=1) ** (-1 / power)
    return filled


def _spread(table: Float, known: Float, columns: Float) -> Float:
    """Read rows at other columns."""
    if len(known) == 1:
        return np.repeat(table, len(columns), axis=1)
    return np.stack([np.interp(columns, known, row) for row in table])


def _summed(values: Float, places: Float, *, axis: int) -> Float:
    """Integrate along an axis from its first place; what is unknown adds nothing."""
    lines = np.moveaxis(values, axis, -1)
    steps = (lines[..., 1:] + lines[..., :-1]) / 2 * np.diff(places)
    total = np.zeros_like(lines)
    total[..., 1:] = np.cumsum(np.nan_to_num(steps), axis=-1)
    total[~np.isfinite(lines)] = np.nan
    return np.moveaxis(total, -1, axis)
