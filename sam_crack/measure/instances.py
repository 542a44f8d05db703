"""Separate objects from a foreground map and a map of the borders between them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from sam_crack.errors import BadInput
from sam_crack.measure.metrics import to_level

Levels = NDArray[np.uint8]
Objects = NDArray[np.int32]
MIN_AREA_PX = 10
BULGE_PX = 1.0
"""How much deeper than the waist between them two parts must be to count as two objects."""


def split_instances(
    prob: Levels,
    boundary: Levels,
    *,
    threshold: float = 0.5,
    seed_threshold: float = 0.5,
    min_seed_px: int = 4,
    min_area_px: int = MIN_AREA_PX,
) -> Objects:
    """Number the objects of a frame from 1, top to bottom; touching ones are told apart.

    Foreground that is surely no border gives the seeds, which then flood the foreground from its
    surest pixels on. A piece of foreground without any seed becomes one object.

    Args:
        prob: (height, width) foreground probability in 256 levels.
        boundary: (height, width) probability of a border between objects.
        threshold: foreground probability from which a pixel belongs to an object.
        seed_threshold: how much foreground must exceed border for a pixel to be a seed.
        min_seed_px: smaller seeds are noise.
        min_area_px: smaller objects are dropped.
    """
    if prob.shape != boundary.shape or prob.dtype != np.uint8 or boundary.dtype != np.uint8:
        raise BadInput(
            f"maps of {prob.dtype} {prob.shape} and {boundary.dtype} {boundary.shape}",
            "two uint8 maps (height, width) of one size",
        )
    inside = prob >= to_level(threshold)
    surely = cv2.subtract(prob, boundary)
    seeds = _labelled(inside & (surely >= to_level(seed_threshold)), min_seed_px)
    pieces = _labelled(inside, 1)
    seeded = np.zeros(int(pieces.max()) + 1, np.bool_)
    seeded[pieces[seeds > 0]] = True
    without = ~seeded[pieces] & inside
    seeds[without] = pieces[without] + int(seeds.max())
    # One watershed over all: seeds of one piece cannot flow into another.
    flooded = watershed(255 - surely.astype(np.int16), seeds, mask=inside, connectivity=2)
    return _in_order(flooded, min_area_px)


def split_by_shape(
    mask: NDArray[np.bool_], *, bulge_px: float = BULGE_PX, min_area_px: int = MIN_AREA_PX
) -> Objects:
    """Number the objects of a mask from 1 by shape alone, where no border was predicted.

    Every bulge of the distance to the background is an object (Malpica et al. 1997); a waist that
    is less than `bulge_px` narrower than what it joins parts nothing.
    """
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    padded = np.pad(mask, 1).view(np.uint8)  # what touches the frame's edge ends there
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    smooth = np.where(mask, cv2.GaussianBlur(depth, (0, 0), 1), 0)
    seeds = _labelled(h_maxima(smooth, bulge_px).astype(np.bool_) & mask, 1)
    flat = _labelled(mask, 1)  # thinner than a bulge: whole pieces without a seed
    lonely = mask & ~np.isin(flat, np.unique(flat[seeds > 0]))
    seeds[lonely] = flat[lonely] + int(seeds.max())
    flooded = watershed(-smooth, seeds, mask=mask, connectivity=2)
    return _in_order(flooded, min_area_px)


def vote_types(instances: Objects, classes: NDArray[np.integer]) -> dict[int, int]:
    """Give each object the foreground class that most of its pixels have, the lower of a tie.

    Args:
        instances: (height, width) object number, 0 is background.
        classes: (height, width) class index, 0 is background; objects of nothing else are left out.
    """
    kept = (instances > 0) & (classes > 0)
    if not kept.any():
        return {}
    num_classes = int(classes.max()) + 1
    pairs = instances[kept].astype(np.int64) * num_classes + classes[kept]
    votes = np.bincount(pairs, minlength=(int(instances.max()) + 1) * num_classes)
    table = votes.reshape(-1, num_classes)
    return {number: int(row.argmax()) for number, row in enumerate(table) if row.any()}


def inmost(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the (y, x) of a pixel farthest from all that is not in the mask."""
    padded = np.pad(mask, 1).view(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(y), int(x)


def _labelled(mask: NDArray[np.bool_], min_px: int) -> Objects:
    """Number the connected parts (8-neighbourhood) of at least so many pixels."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    small = facts[:, cv2.CC_STAT_AREA] < min_px
    numbers = np.where(small, 0, np.arange(len(facts)))
    return np.asarray(numbers[labels], np.int32)


def _in_order(objects: NDArray[np.integer], min_area_px: int) -> Objects:
    """Drop small objects and number the others by their first pixel."""
    numbers, first, areas = np.unique(objects, return_index=True, return_counts=True)
    kept = (numbers != 0) & (areas >= min_area_px)
    order = numbers[kept][np.argsort(first[kept])]
    table = np.zeros(int(numbers.max()) + 1, np.int32)
    table[order] = np.arange(1, len(order) + 1)
    return np.asarray(table[objects], np.int32)
