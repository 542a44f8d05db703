"""COCO JSON: objects as polygons or run lengths, and panoptic pictures with their segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.images import read_rgb
from sam_crack.data.formats.json_file import MALFORMED, load_json
from sam_crack.data.formats.polygons import fill
from sam_crack.data.formats.rle import counts_to_mask, unpack_counts
from sam_crack.errors import BadInput

_MAX_JSON_BYTES = 512 << 20


@dataclass(frozen=True, kw_only=True)
class CocoDocument:
    """One annotation file; annotations are grouped by picture."""

    images: Mapping[int, dict[str, Any]]
    """Picture id to its entry: `file_name`, `height`, `width`."""
    categories: Mapping[int, dict[str, Any]]
    """Category id to its entry: `name`, and `isthing` and `color` in panoptic files."""
    annotations: Mapping[int, list[dict[str, Any]]]
    """Picture id to its objects, or to the one panoptic entry."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Objects as pixels."""

    categories: NDArray[np.int32]
    """(height, width) category id, 0 where there is none."""
    instances: NDArray[np.int32]
    """(height, width) object number, 0 where there is none."""
    types: dict[int, int]
    """Object number to category id."""
    crowd: NDArray[np.bool_]
    """(height, width) regions that are groups, or that nobody labelled."""


def read_document(path: Path) -> CocoDocument:
    """Read an annotation file; kept in memory while it is unchanged."""
    try:
        about = path.stat()
    except OSError as error:
        raise _unreadable(path, str(error)) from error
    return _read_document(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=4)
def _read_document(path: Path, changed_ns: int, size: int) -> CocoDocument:
    """Parse and index an annotation file."""
    try:
        content = load_json(path, max_bytes=_MAX_JSON_BYTES)
        images = {_whole(each["id"]): each for each in content["images"]}
        for each in images.values():
            if not isinstance(each["file_name"], str):
                raise ValueError("a picture without file name")
        categories = {_whole(each["id"]): each for each in content.get("categories", [])}
        annotations: dict[int, list[dict[str, Any]]] = {}
        for each in content.get("annotations", []):
            annotations.setdefault(_whole(each["image_id"]), []).append(each)
    except MALFORMED as error:
        raise _unreadable(path, f"{type(error).__name__} {error}") from error
    return CocoDocument(images=images, categories=categories, annotations=annotations)


def _whole(value: object) -> int:
    """Accept a whole number and nothing else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise ValueError(f"{value!r} is not an id")
    return value


def draw_objects(document: CocoDocument, image_id: int, size: tuple[int, int]) -> Drawn:
    """Draw a picture's polygons and run lengths; smaller objects lie on top of larger ones."""
    categories, instances = np.zeros(size, np.int32), np.zeros(size, np.int32)
    crowd, types = np.zeros(size, np.bool_), {}
    try:
        shapes = [
            (_object_mask(each["segmentation"], size), each)
            for each in document.annotations.get(image_id, [])
        ]
        shapes.sort(key=lambda pair: -int(pair[0].sum()))
        for index, (here, each) in enumerate(shapes, 1):
            if each.get("iscrowd"):
                crowd |= here
                continue
            category = _whole(each["category_id"])
            categories[here], instances[here] = category, index
            types[index] = category
    except MALFORMED as error:
        raise BadInput(
            f"picture {image_id}: {type(error).__name__} {error}",
            "COCO polygons or run lengths that fit the picture",
            "fetch the annotations again",
        ) from error
    return Drawn(
        categories=categories, instances=instances, types=types, crowd=crowd & (instances == 0)
    )


def _object_mask(shape: object, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Turn one object's `segmentation` into pixels."""
    if isinstance(shape, dict):
        counts, stated = shape["counts"], tuple(shape["size"])
        if stated != size:
            raise ValueError(f"run lengths for {list(stated)} on a picture of {list(size)}")
        runs = counts if isinstance(counts, list) else unpack_counts(counts)
        return counts_to_mask([_run(each) for each in runs], size)
    mask = np.zeros(size, np.bool_)
    if not isinstance(shape, list):
        raise ValueError("segmentation is neither polygons nor run lengths")
    for polygon in shape:
        points = np.array(polygon, np.float64).reshape(-1, 2)[:, ::-1]
        if not (np.abs(points) <= 1e6).all():
            raise ValueError("a polygon with impossible coordinates")
        fill(mask, points, True, corner=True)
    return mask


def _run(value: object) -> int:
    """Accept a run length."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"run length {value!r}")
    return value


def read_panoptic(picture: Path, entry: Mapping[str, Any], things: set[int]) -> Drawn:
    """Read a panoptic picture, in which a segment's id is R + 256 G + 65536 B.

    Args:
        picture: The coded PNG.
        entry: Its annotation, with `segments_info`.
        things: Category ids whose segments are objects.
    """
    coded = read_rgb(picture).astype(np.int32)
    ids = coded[..., 0] + 256 * coded[..., 1] + 65536 * coded[..., 2]
    numbers, place = np.unique(ids, return_inverse=True)
    place = place.reshape(ids.shape)
    try:
        known = {_whole(each["id"]): each for each in entry["segments_info"]}
        category_of = np.zeros(numbers.size, np.int32)
        instance_of = np.zeros(numbers.size, np.int32)
        crowd_of = np.zeros(numbers.size, np.bool_)
        types: dict[int, int] = {}
        for index, code in enumerate(numbers.tolist()):
            if code == 0:
                crowd_of[index] = True
                continue
            segment = known[code]
            category = _whole(segment["category_id"])
            if segment.get("iscrowd"):
                crowd_of[index] = True
                continue
            category_of[index] = category
            if category in things:
                types[len(types) + 1] = category
                instance_of[index] = len(types)
    except MALFORMED as error:
        raise BadInput(
            f"{picture}: {type(error).__name__} {error} in its segments",
            "a segments_info entry for every id in the picture",
            "fetch the picture and its JSON from the same release",
        ) from error
    return Drawn(
        categories=category_of[place],
        instances=instance_of[place],
        types=types,
        crowd=crowd_of[place],
    )


def _unreadable(path: Path, why: str) -> BadInput:
    """Compose the error for a file that is not COCO JSON."""
    return BadInput(
        f"{path}: {why}", "COCO JSON with images, annotations and categories", "fetch it again"
    )
