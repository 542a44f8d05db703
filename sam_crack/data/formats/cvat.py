"""What CVAT exports: XML 1.1 for images, and the colours of Segmentation mask 1.1."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.encoding import Colour, Colours
from sam_crack.data.formats.markup import number, stream_elements
from sam_crack.data.formats.polygons import fill, trace
from sam_crack.errors import BadInput

_MAX_PIXELS = 200_000_000
_SHAPES = {"polygon", "polyline", "box", "ellipse", "mask", "points"}
_BACKGROUND = {"background", "__ignore__", "_background_"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One annotated shape."""

    kind: str
    """polygon, polyline, box, ellipse, mask or points."""
    label: str
    """Class name."""
    points_yx: NDArray[np.float64]
    """(n, 2) vertices; two corners for a box or mask; centre and radii for an ellipse."""
    runs: tuple[int, ...] = ()
    """Run lengths of a mask, row by row in its box, background first."""
    z_order: int = 0
    """Higher lies on top."""


@dataclass(frozen=True, kw_only=True)
class CvatImage:
    """One picture's shapes."""

    name: str
    """Path that the annotation project knew it by."""
    size: tuple[int, int]
    """Height and width."""
    subset: str
    """Split, where the project had one."""
    shapes: tuple[Shape, ...]
    """In file order."""


def read_document(path: Path) -> Mapping[str, CvatImage]:
    """Read a CVAT XML 1.1 file; pictures by name. Kept in memory while the file is unchanged."""
    try:
        about = path.stat()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "CVAT XML 1.1", "check the path") from error
    return _read_document(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=8)
def _read_document(path: Path, changed_ns: int, size: int) -> Mapping[str, CvatImage]:
    """Stream the pictures of a document."""
    images: dict[str, CvatImage] = {}
    shapes: list[Shape] = []
    root_tag = version = ""
    for event, element in stream_elements(path):
        tag = element.tag
        root_tag = root_tag or tag
        if event == "start":
            if tag == "image":
                shapes = []
            continue
        if tag == "version":
            version = version or (element.text or "").strip()
        elif tag in _SHAPES:
            shapes.append(_shape(element, path))
            element.clear()
        elif tag == "image":
            image = _image(element, shapes, path)
            images[image.name] = image
            element.clear()
    if root_tag != "annotations" or (version and version != "1.1"):
        raise BadInput(
            f"{path}: root {root_tag!r}, version {version or 'missing'}",
            "CVAT for images 1.1",
            "export again as `CVAT for images 1.1`",
        )
    return images


def _image(element: ET.Element, shapes: list[Shape], path: Path) -> CvatImage:
    """Take a picture's attributes."""
    size = (round(number(element, "height", path)), round(number(element, "width", path)))
    if min(size) < 1 or size[0] * size[1] > _MAX_PIXELS:
        raise BadInput(f"{path}: a picture of {size[0]} x {size[1]}", "a size", "export again")
    return CvatImage(
        name=element.get("name", ""),
        size=size,
        subset=element.get("subset", ""),
        shapes=tuple(shapes),
    )


def _shape(element: ET.Element, path: Path) -> Shape:
    """Take one shape's attributes."""
    kind = element.tag
    runs: tuple[int, ...] = ()
    points: NDArray[np.float64]
    if kind == "box":
        corners = [number(element, name, path) for name in ("ytl", "xtl", "ybr", "xbr")]
        points = np.array(corners).reshape(2, 2)
    elif kind == "ellipse":
        corners = [number(element, name, path) for name in ("cy", "cx", "ry", "rx")]
        points = np.array(corners).reshape(2, 2)
    elif kind == "mask":
        top, left, height, width = (
            round(number(element, name, path)) for name in ("top", "left", "height", "width")
        )
        points = np.array([top, left, top + height, left + width]).reshape(2, 2)
        runs = _runs(element.get("rle", ""), height * width if min(height, width) > 0 else -1, path)
    else:
        points = _points(element.get("points", ""), path)
    return Shape(
        kind=kind,
        label=element.get("label", ""),
        points_yx=points,
        runs=runs,
        z_order=int(number(element, "z_order", path)) if element.get("z_order") else 0,
    )


def _points(text: str, path: Path) -> NDArray[np.float64]:
    """Parse `x,y;x,y` to (n, 2) as (y, x)."""
    try:
        values = [[float(part) for part in pair.split(",")] for pair in text.split(";") if pair]
        found: NDArray[np.float64] = np.array(values, np.float64).reshape(-1, 2)[:, ::-1]
    except ValueError as error:
        raise BadInput(f"{path}: points {text[:40]!r}", "x,y;x,y;...", "export again") from error
    if not (np.abs(found) <= 1e6).all():
        raise BadInput(f"{path}: points {text[:40]!r}", "finite coordinates", "export again")
    return found


def _runs(text: str, area: int, path: Path) -> tuple[int, ...]:
    """Parse a mask's run lengths, which must fill its box exactly."""
    try:
        runs = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        runs = (-1,)
    if any(run < 0 for run in runs) or sum(runs) != area or area > _MAX_PIXELS:
        raise BadInput(
            f"{path}: a mask whose run lengths {text[:40]!r} do not fill its box of {area}",
            "run lengths that add up to height x width",
            "export again",
        )
    return runs


def draw(image: CvatImage, classes: Mapping[str, int]) -> NDArray[np.uint8]:
    """Draw the shapes of the named classes by z-order; polylines are one pixel wide."""
    mask = np.zeros(image.size, np.uint8)
    for shape in sorted(image.shapes, key=lambda each: each.z_order):
        value = classes.get(shape.label)
        if value is None:
            continue
        points = shape.points_yx
        if shape.kind == "box":
            (top, left), (bottom, right) = points
            around = [top, left, top, right, bottom, right, bottom, left]
            fill(mask, np.array(around).reshape(4, 2), value, corner=True)
        elif shape.kind == "ellipse":
            turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
            ring = points[0] + points[1] * np.stack([np.sin(turn), np.cos(turn)], axis=1)
            fill(mask, ring, value, corner=True)
        elif shape.kind == "mask":
            _stamp(mask, shape, value)
        elif shape.kind == "polygon":
            fill(mask, points, value, corner=True)
        elif len(points):
            trace(mask, np.repeat(points, 2, axis=0) if shape.kind == "points" else points, value)
    return mask


def _stamp(mask: NDArray[np.uint8], shape: Shape, value: int) -> None:
    """Draw a mask shape where its box meets the picture."""
    (top, left), (bottom, right) = shape.points_yx.astype(int)
    flat = np.repeat(np.arange(len(shape.runs)) % 2 == 1, shape.runs)
    flags = flat.reshape(bottom - top, right - left)
    y0, x0 = max(top, 0), max(left, 0)
    window = mask[y0 : max(bottom, 0), x0 : max(right, 0)]
    window[flags[y0 - top :, x0 - left :][: window.shape[0], : window.shape[1]]] = value


def read_labelmap(path: Path) -> dict[str, Colour]:
    """Read `labelmap.txt`: `name:r,g,b:parts:actions`, one class per line."""
    table: dict[str, Colour] = {}
    try:
        if path.stat().st_size > 1 << 20:
            raise ValueError("larger than 1 MB")
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, colour = line.rsplit(":", 3)[:2] if line.count(":") >= 3 else line.split(":")[:2]
            red, green, blue = (int(part) for part in colour.split(","))
            if not all(0 <= part < 256 for part in (red, green, blue)):
                raise ValueError(f"colour {colour}")
            table[name.strip()] = (red, green, blue)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path}: {error}", "lines of name:r,g,b:parts:actions", "export again from CVAT"
        ) from error
    if not table:
        raise BadInput(f"{path}: no class", "name:r,g,b:parts:actions", "export again from CVAT")
    return table


def labelmap_colours(table: Mapping[str, Colour], classes: Mapping[str, int]) -> Colours:
    """Return the encoding in which the named classes have an index and all others are 0."""
    known = {colour: classes.get(name, 0) for name, colour in table.items()}
    return Colours(classes={(0, 0, 0): 0} | known)


def foreground(names: Mapping[str, object] | set[str]) -> list[str]:
    """Return the class names that are not the background."""
    return [name for name in names if name.lower() not in _BACKGROUND]


def matching_name(images: Mapping[str, CvatImage], file: Path) -> CvatImage | None:
    """Find a file's picture, by file name where the project's folders are not on disk."""
    if file.name in images:
        return images[file.name]
    by_tail = [each for name, each in images.items() if os.path.basename(name) == file.name]  # noqa: PTH119
    return by_tail[0] if len(by_tail) == 1 else None
