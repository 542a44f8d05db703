"""The numbers of a data card: sizes, classes, lines, and where in the frame the class lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.dataset import Dataset
from sam_crack.data.sets.layout import SPLITS
from sam_crack.data.sets.spec import Annotation
from sam_crack.data.survey import survey
from sam_crack.errors import SamCrackError
from sam_crack.measure.cracks import measure_cracks

Float = NDArray[np.float64]
HEAT_ROWS = 90
"""Rows of a heat map; its columns follow from the proportions of the frames."""
_MIN_LENGTH_PX = 8.0


@dataclass(frozen=True, kw_only=True)
class FrameNumbers:
    """What one frame adds to the statistics."""

    id: str
    split: str
    size: tuple[int, int] = (0, 0)
    areas: tuple[int, ...] = ()
    """Pixels per class, background first."""
    foreground_px: int = 0
    """Pixels of any class; those of two classes count once."""
    ignored_px: int = 0
    instances: tuple[int, ...] = ()
    """Area of each instance."""
    lines: tuple[tuple[float, float], ...] = ()
    """(length_px, width_mean_px) of each line."""
    heat: NDArray[np.float16] | None = None
    """(rows, columns) share of each cell that is foreground."""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The statistics of a data set, with what the figures need beside them."""

    summary: dict[str, Any]
    """What stats.json holds."""
    heat: Mapping[str, Float] = field(default_factory=dict)
    """Split to mean share of foreground, (rows, columns)."""
    frames: tuple[FrameNumbers, ...] = ()


def line_classes(dataset: Dataset, asked: Sequence[str] = ()) -> tuple[int, ...]:
    """Return the mask indices of classes that are measured as lines."""
    names = [each.name for each in dataset.classes]
    if asked:
        return tuple(names.index(name) + 1 for name in asked if name in names)
    return tuple(index for index, name in enumerate(names, 1) if "crack" in name)


def collect(
    dataset: Dataset, *, lines: Sequence[int] = (), num_workers: int | None = None
) -> Iterable[FrameNumbers]:
    """Yield the numbers of every annotated frame, in order."""
    look = partial(numbers_of, lines=tuple(lines), grid=heat_grid(dataset))
    return survey(dataset, look, num_workers=num_workers)


def heat_grid(dataset: Dataset) -> tuple[int, int]:
    """Return rows and columns of the heat maps, from the first frame that can be read."""
    for index, record in enumerate(dataset.records):
        if record.masks:
            try:
                height, width = dataset.read_mask(index).mask.shape
            except SamCrackError:
                continue
            return HEAT_ROWS, int(np.clip(round(HEAT_ROWS * width / height), 30, 270))
    return HEAT_ROWS, HEAT_ROWS


def numbers_of(
    dataset: Dataset, index: int, *, lines: tuple[int, ...], grid: tuple[int, int]
) -> FrameNumbers:
    """Read one frame's annotation and reduce it to numbers."""
    record = dataset.records[index]
    if not record.masks:
        return FrameNumbers(id=record.id, split=record.split)
    try:
        found = dataset.read_mask(index)
    except SamCrackError as error:
        return FrameNumbers(id=record.id, split=record.split, error=str(error))
    mask = found.mask
    counts = np.bincount(mask.ravel(), minlength=len(dataset.classes) + 1)
    for number, layer in found.layers.items():
        counts[number] = max(int(counts[number]), int(np.count_nonzero(layer)))
    share = cv2.resize(
        (mask > 0).view(np.uint8) * np.float32(1), grid[::-1], interpolation=cv2.INTER_AREA
    )
    return FrameNumbers(
        id=record.id,
        split=record.split,
        size=(mask.shape[0], mask.shape[1]),
        areas=tuple(int(count) for count in counts[: len(dataset.classes) + 1]),
        foreground_px=int(np.count_nonzero(mask)),
        ignored_px=int(np.count_nonzero(found.ignore)) if found.ignore is not None else 0,
        instances=_instance_areas(found),
        lines=tuple(
            (crack.length_px, crack.width_mean_px)
            for number in lines
            for crack in measure_cracks(_area(found, number), min_length_px=_MIN_LENGTH_PX)
        ),
        heat=share.astype(np.float16),
    )


def _area(found: Annotation, number: int) -> NDArray[np.uint8]:
    """Return one class's complete area."""
    layer = found.layers.get(number)
    return ((found.mask == number) if layer is None else layer).view(np.uint8)


def _instance_areas(found: Annotation) -> tuple[int, ...]:
    """Return the pixels of each instance."""
    if found.instances is None:
        return ()
    counts = np.bincount(found.instances.ravel())[1:]
    return tuple(int(count) for count in counts[counts > 0])


def summarise(dataset: Dataset, frames: Sequence[FrameNumbers]) -> Numbers:
    """Bring the numbers of all frames together."""
    read = [each for each in frames if each.areas]
    by_split: dict[str, list[FrameNumbers]] = {}
    for each in frames:
        by_split.setdefault(each.split or "all", []).append(each)
    order = sorted(by_split, key=lambda s: (SPLITS.index(s) if s in SPLITS else len(SPLITS), s))
    heat = {}
    for split in order:
        shares = [each.heat for each in by_split[split] if each.heat is not None]
        if shares:
            total = np.zeros(shares[0].shape)
            for one in shares:
                total += one
            heat[split] = total / len(shares)
    areas = np.array([area for each in read for area in each.instances], np.float64)
    lines = np.array([line for each in read for line in each.lines]).reshape(-1, 2)
    pixels = sum(each.size[0] * each.size[1] - each.ignored_px for each in read)
    foreground = sum(each.foreground_px for each in read)
    summary: dict[str, Any] = {
        "dataset": dataset.spec.name,
        "title": dataset.spec.title,
        "licence": dataset.spec.licence,
        "frames": len(frames),
        "annotated": len(read),
        "unreadable": [each.id for each in frames if each.error],
        "published": dict(dataset.spec.splits),
        "splits": {split: _of_split(by_split[split]) for split in order},
        "resolution": _resolution(read),
        "groups": len({record.group for record in dataset.records if record.group}),
        "grouped_by": dataset.spec.grouped_by,
        "pixels": pixels,
        "foreground_share": round(foreground / pixels, 8) if pixels else None,
        "classes": [
            _of_class(each.name, index, read, pixels)
            for index, each in enumerate(dataset.classes, 1)
        ],
        "instances": {"number": areas.size, "area_px": spread(areas)} if areas.size else None,
        "lines": {
            "number": len(lines),
            "length_px": spread(lines[:, 0]),
            "width_px": spread(lines[:, 1]),
            "length_px_histogram": histogram(lines[:, 0]),
            "width_px_histogram": histogram(lines[:, 1]),
        }
        if len(lines)
        else None,
    }
    return Numbers(summary=summary, heat=heat, frames=tuple(frames))


def _of_split(frames: Sequence[FrameNumbers]) -> dict[str, Any]:
    """Numbers of one split."""
    read = [each for each in frames if each.areas]
    pixels = sum(each.size[0] * each.size[1] - each.ignored_px for each in read)
    foreground = [each.foreground_px for each in read]
    return {
        "frames": len(frames),
        "with_foreground": sum(area > 0 for area in foreground),
        "foreground_share": round(sum(foreground) / pixels, 8) if pixels else None,
        "lines": sum(len(each.lines) for each in read),
    }


def _resolution(read: Sequence[FrameNumbers]) -> dict[str, Any] | None:
    """Smallest, median and largest frame by area, as (height, width), and the commonest."""
    if not read:
        return None
    sizes = sorted((each.size for each in read), key=lambda size: (size[0] * size[1], size))
    common = Counter(sizes).most_common(3)
    return {
        "min": list(sizes[0]),
        "median": list(sizes[len(sizes) // 2]),
        "max": list(sizes[-1]),
        "commonest": [[*size, number] for size, number in common],
    }


def _of_class(name: str, index: int, read: Sequence[FrameNumbers], pixels: int) -> dict[str, Any]:
    """Frames, share, and spread of the area over the frames that show a class."""
    areas = np.array([each.areas[index] for each in read if each.areas[index]], np.float64)
    total = int(areas.sum())
    return {
        "name": name,
        "index": index,
        "frames": areas.size,
        "share_of_frames": round(areas.size / len(read), 6) if read else None,
        "pixels": total,
        "share_of_pixels": round(total / pixels, 8) if pixels else None,
        "pixels_per_frame": spread(areas),
    }


def spread(values: Float) -> dict[str, float] | None:
    """Smallest, quartiles, mean and largest of some values."""
    if not values.size:
        return None
    low, first, middle, third, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    named = {
        "min": low,
        "q25": first,
        "median": middle,
        "mean": values.mean(),
        "q75": third,
        "max": high,
    }
    return {name: round(float(value), 3) for name, value in named.items()}


def histogram(values: Float, *, bins: int = 32) -> dict[str, list[float]]:
    """Count values in bins of equal ratio, from the smallest to the largest."""
    low, high = max(float(values.min()), 1e-3), float(values.max())
    edges = np.geomspace(low, max(high, low * 1.001), bins + 1)
    edges[0], edges[-1] = low, max(high, low * 1.001)
    counts, _ = np.histogram(values, edges)
    return {"edges": [round(float(e), 4) for e in edges], "counts": [int(c) for c in counts]}
