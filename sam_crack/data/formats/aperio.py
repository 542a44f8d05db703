"""Outlines from Aperio ImageScope XML, as MoNuSeg and MoNuSAC use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.markup import number, stream_elements
from sam_crack.data.formats.polygons import fill
from sam_crack.errors import BadInput

_MAX_VERTICES = 5_000_000
# ImageScope writes a column title where no class was named.
_NO_NAME = {"", "description"}


@dataclass(frozen=True, kw_only=True)
class Region:
    """One outline and the class that its layer is named after."""

    label: str
    """Name of the layer's first attribute, or of the layer; empty where neither has one."""
    outline_yx: NDArray[np.float64]
    """(n, 2) vertices as (y, x) in pixels."""


def read_regions(path: Path) -> list[Region]:
    """Read every region of every layer, in file order."""
    regions: list[Region] = []
    label, depth_in_region, seen = "", 0, 0
    points: list[tuple[float, float]] = []
    root_tag = ""
    for event, element in stream_elements(path):
        tag = element.tag
        root_tag = root_tag or tag
        if event == "start":
            if tag == "Annotation":
                label = _name(element.get("Name", ""))
            elif tag == "Region":
                depth_in_region, points = depth_in_region + 1, []
        elif tag == "Vertex":
            points.append((number(element, "Y", path), number(element, "X", path)))
            seen += 1
            if seen > _MAX_VERTICES:
                raise BadInput(
                    f"{path}: more than {_MAX_VERTICES} vertices",
                    "an annotation of one picture",
                    "check the file",
                )
            element.clear()
        elif tag == "Attribute" and not depth_in_region:
            label = label or _name(element.get("Name", ""))
        elif tag == "Region":
            depth_in_region -= 1
            if len(points) >= 3:
                outline = np.array(points, np.float64)
                regions.append(Region(label=label, outline_yx=outline))
            element.clear()
        elif tag == "Annotation":
            element.clear()
    if root_tag != "Annotations":
        raise BadInput(
            f"{path}: its root is {root_tag!r}", "Aperio XML with <Annotations>", "check the file"
        )
    return regions


def _name(text: str) -> str:
    """Return a class name, or nothing for a column title."""
    return "" if text.strip().lower() in _NO_NAME else text.strip()


def draw_regions(regions: Sequence[Region], size: tuple[int, int]) -> NDArray[np.int32]:
    """Number the regions from 1 in order and draw them; later ones lie on top."""
    instances = np.zeros(size, np.int32)
    for index, region in enumerate(regions, 1):
        fill(instances, region.outline_yx, index)
    return instances
