"""Nuclei in stained tissue: outlines or instance maps, with types where they are annotated."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.aperio import draw_regions, read_regions
from sam_crack.data.formats.images import read_size
from sam_crack.data.formats.mat import mat_array, read_mat
from sam_crack.data.sets.spec import Annotation, ClassSpec, Record
from sam_crack.errors import BadInput

TISSUE_SUFFIXES = (".tif", ".tiff", ".png", ".svs")
NUCLEUS = ClassSpec(name="nucleus", colour=(64, 200, 64))
EPITHELIAL = ClassSpec(name="epithelial", colour=(255, 64, 64))
INFLAMMATORY = ClassSpec(name="inflammatory", colour=(64, 255, 64))


def read_outlines(record: Record, *, classes: Mapping[str, int]) -> Annotation:
    """Draw Aperio regions; an empty class table takes every region as class 1.

    Layers called ambiguous are ignored; a layer of another unknown name is an error.
    """
    path = record.masks["mask"]
    regions = read_regions(path)
    size = read_size(record.image)
    drawn = draw_regions(regions, size)
    if not classes:
        return from_instances(drawn, dict.fromkeys(range(1, len(regions) + 1), 1))
    types: dict[int, int] = {}
    unsure: list[int] = []
    for number, region in enumerate(regions, 1):
        kind = classes.get(region.label.lower())
        if kind:
            types[number] = kind
        elif region.label.lower().startswith("ambiguous"):
            unsure.append(number)
        else:
            raise BadInput(
                f"{path}: a layer named {region.label!r}",
                "layers named " + ", ".join([*classes, "ambiguous"]),
                "check that the file belongs to this data set",
            )
    ignore = np.isin(drawn, unsure)
    return from_instances(np.where(ignore, 0, drawn).astype(np.int32), types, ignore=ignore)


def from_instances(
    instances: NDArray[np.int32],
    types: dict[int, int],
    *,
    ignore: NDArray[np.bool_] | None = None,
) -> Annotation:
    """Give every pixel the class of its instance; instances without a class are ignored."""
    table = np.zeros(int(instances.max(initial=0)) + 1, np.uint8)
    for number, kind in types.items():
        if number < table.size:
            table[number] = kind
    mask = table[instances]
    untyped = (instances > 0) & (mask == 0)
    if untyped.any():
        ignore = untyped if ignore is None else ignore | untyped
    return Annotation(mask=mask, instances=instances, types=types, ignore=ignore)


def read_instance_mat(record: Record, *, merged: Mapping[int, int]) -> Annotation:
    """Read `inst_map` and its types, which `merged` turns into class indices.

    The type of an instance is the commonest in `type_map`, or its row in `inst_type`; an empty
    `merged` takes every instance as class 1.
    """
    path = record.masks["mask"]
    raw = mat_array(path, "inst_map")
    if raw.min() < 0 or raw.max() > 1_000_000 or (raw != np.floor(raw)).any():
        raise BadInput(f"{path}: inst_map is not made of instance numbers", "0, 1, 2, ...", "")
    instances = raw.astype(np.int32)
    numbers = np.unique(instances[instances > 0])
    if not merged:
        return from_instances(instances, {int(number): 1 for number in numbers})
    raw_types = stored_types(path, instances, numbers)
    strange = sorted(set(raw_types.values()) - merged.keys() - {0})
    if strange:
        raise BadInput(
            f"{path}: types {strange}", f"types {sorted(merged)}", "check the data set's name"
        )
    types = {number: merged[kind] for number, kind in raw_types.items() if kind}
    return from_instances(instances, types)


def stored_types(
    path: Path, instances: NDArray[np.int32], numbers: NDArray[np.int32]
) -> dict[int, int]:
    """Return each instance's stored type."""
    arrays = read_mat(path)
    kinds: NDArray[Any] | None = arrays.get("type_map")
    fits = kinds is not None and kinds.shape == instances.shape
    if kinds is not None and fits and kinds.min() >= 0 and kinds.max() < 256:
        high = int(instances.max(initial=0)) + 1
        votes = np.zeros((high, 256), np.int32)
        np.add.at(votes, (instances.ravel(), kinds.astype(np.int64).ravel()), 1)
        return {int(number): int(votes[number].argmax()) for number in numbers}
    rows = arrays.get("inst_type")
    if rows is None or rows.size != numbers.size:
        raise BadInput(
            f"{path}: neither a type_map of the size of inst_map nor one inst_type per instance",
            "both, or one of them",
            "fetch the file again",
        )
    return {int(n): int(kind) for n, kind in zip(numbers, rows.ravel(), strict=True)}


PANNUKE_TYPES = {number: number for number in range(1, 6)}
read_untyped_mat = partial(read_instance_mat, merged={})
