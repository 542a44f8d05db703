"""What was found as labels that annotation tools read back: COCO, CVAT XML, CVAT masks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack import durable
from sam_crack.data.formats.rle import mask_to_counts, pack_counts
from sam_crack.infer.rows import aside, write_lines
from sam_crack.measure.pixels import Patch
from sam_crack.report.markup import clean

CLASS = "crack"
COLOUR = (250, 50, 83)  # what CVAT itself gives to the first label of a project


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledFrame:
    """One frame with its cracks."""

    file: str
    """Name that the annotation tool knows the picture by, with suffix and `/`."""
    number: int
    """Place among the frames of the annotation tool's task, from 0."""
    size: tuple[int, int]
    patches: tuple[Patch, ...]
    facts: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Crack to figures that go along where the format has room for them."""


def write_coco(path: Path, frames: Iterable[LabelledFrame]) -> None:
    """Write COCO: one annotation per crack, as compressed run lengths, each written as it comes."""
    head = {
        "info": {"description": "cracks found by sam-crack"},
        "categories": [{"id": 1, "name": CLASS}],
    }
    images: list[str] = []
    count = 0
    with aside(path) as file:
        file.write(_json(head)[:-1] + ',"annotations":[')
        for number, frame in enumerate(frames, 1):
            height, width = frame.size
            image = {"id": number, "file_name": frame.file, "height": height, "width": width}
            images.append(_json(image))
            for patch in frame.patches:
                count += 1
                annotation = _annotation(patch, frame) | {"id": count, "image_id": number}
                file.write("," * (count > 1) + _json(annotation))
        file.write('],"images":[' + ",".join(images) + "]}\n")


def _annotation(patch: Patch, frame: LabelledFrame) -> dict[str, Any]:
    """Return what COCO says of one crack, but for its numbers."""
    return {
        "category_id": 1,
        "iscrowd": 0,
        "area": int(patch.pixels.sum()),
        "bbox": [patch.left, patch.top, *patch.pixels.shape[::-1]],
        "segmentation": {
            "size": [*frame.size],
            "counts": pack_counts(_whole_counts(patch, frame.size)),
        },
        "attributes": frame.facts.get(patch.id, {}),
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _whole_counts(patch: Patch, size: tuple[int, int]) -> list[int]:
    """Run lengths of a patch in its frame, column by column, without drawing the frame."""
    height, width = size
    rows, columns = patch.pixels.shape
    strip = np.zeros((height, columns), np.bool_)
    strip[patch.top : patch.top + rows] = patch.pixels
    counts = mask_to_counts(strip)
    before, after = patch.left * height, (width - patch.left - columns) * height
    counts[0] += before
    if len(counts) % 2:  # ends with background
        counts[-1] += after
    elif after:
        counts.append(after)
    return counts


def write_cvat_xml(path: Path, frames: Iterable[LabelledFrame]) -> None:
    """Write CVAT for images 1.1: one mask shape per crack, to be corrected by hand."""
    write_lines(path, _cvat_lines(frames))


def _cvat_lines(frames: Iterable[LabelledFrame]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<annotations>"
    yield "  <version>1.1</version>"
    yield (
        f"  <meta><task><labels><label><name>{CLASS}</name>"
        f"<color>#{bytes(COLOUR).hex()}</color><type>any</type><attributes></attributes>"
        "</label></labels></task></meta>"
    )
    for frame in frames:
        height, width = frame.size
        name = quoteattr(clean(frame.file))
        yield f'  <image id="{frame.number}" name={name} width="{width}" height="{height}">'
        for patch in frame.patches:
            rows, columns = patch.pixels.shape
            # row by row, which is column by column of the turned mask
            runs = ", ".join(map(str, mask_to_counts(patch.pixels.T)))
            yield (
                f'    <mask label="{CLASS}" source="auto" occluded="0" rle="{runs}" '
                f'left="{patch.left}" top="{patch.top}" width="{columns}" height="{rows}" '
                'z_order="0"></mask>'
            )
        yield "  </image>"
    yield "</annotations>"


def write_cvat_masks(folder: Path, frames: Iterable[LabelledFrame]) -> None:
    """Write CVAT's Segmentation mask 1.1: colour PNG by class and by crack, and their tables."""
    names: dict[str, str] = {}
    for frame in frames:
        by_class = np.zeros((*frame.size, 3), np.uint8)
        by_crack = np.zeros((*frame.size, 3), np.uint8)
        for number, patch in enumerate(frame.patches, 1):
            rows, columns = patch.pixels.shape
            area = slice(patch.top, patch.top + rows), slice(patch.left, patch.left + columns)
            by_class[area][patch.pixels] = COLOUR[::-1]
            by_crack[area][patch.pixels] = object_colour(number)[::-1]
        name = next(one for one in _mask_names(frame.file) if one.casefold() not in names)
        for kind, pixels in (("SegmentationClass", by_class), ("SegmentationObject", by_crack)):
            durable.write_bytes(folder / kind / f"{name}.png", _png(pixels))
        names[name.casefold()] = name
    lines = [
        "# label:color_rgb:parts:actions",
        "background:0,0,0::",
        f"{CLASS}:{','.join(map(str, COLOUR))}::",
    ]
    durable.write_text(folder / "labelmap.txt", "\n".join(lines) + "\n")
    listed = "".join(f"{name}\n" for name in names.values())
    durable.write_text(folder / "ImageSets" / "Segmentation" / "default.txt", listed)


def _mask_names(file: str) -> Iterator[str]:
    """Yield what a picture's masks may be called, from the plain to the numbered."""
    yield str(PurePosixPath(file).with_suffix(""))
    full = file.replace(".", "_")
    yield full
    yield from (f"{full}-{number}" for number in itertools.count(2))


def object_colour(number: int) -> tuple[int, int, int]:
    """Colour of the n-th object (from 1): the bits of its number, spread as Pascal VOC does."""
    red = green = blue = 0
    for shift in range(8):
        red |= (number >> 3 * shift & 1) << (7 - shift)
        green |= (number >> 3 * shift + 1 & 1) << (7 - shift)
        blue |= (number >> 3 * shift + 2 & 1) << (7 - shift)
    return red, green, blue


def _png(bgr: NDArray[np.uint8]) -> bytes:
    _, content = cv2.imencode(".png", bgr)
    return content.tobytes()
