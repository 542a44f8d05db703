"""The labels that a prediction run was asked for, made from its masks and its log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.config.look_verbs import PredictOptions
from sam_crack.errors import BadInput
from sam_crack.measure.pixels import crack_pixels
from sam_crack.report import labels
from sam_crack.studies.drive_map import Records

LABEL_FOLDERS, LABEL_FILES = ("cvat", "cvat-masks"), ("coco.json",)
FACTS = ("kind", "length_px", "length_mm", "width_mean_mm", "severity", "mean_prob")


def write_labels(folder: Path, records: Records, options: PredictOptions) -> None:
    """Write COCO, CVAT XML and CVAT masks, each where it was asked for."""
    if options.coco:
        labels.write_coco(folder / "coco.json", _frames(folder, records))
    if options.cvat:
        labels.write_cvat_xml(folder / "cvat" / "annotations.xml", _frames(folder, records))
    if options.cvat_masks:
        labels.write_cvat_masks(folder / "cvat-masks", _frames(folder, records))


def _frames(folder: Path, records: Records) -> Iterator[labels.LabelledFrame]:
    """Yield one frame at a time, its pixels from the mask that was written."""
    for record in records():
        mask = _mask(folder / "masks" / f"{record['name']}.png")
        seeds = [
            (crack["id"], np.concatenate([np.array(line) for line in crack["lines"]]))
            for crack in record["cracks"]
        ]
        yield labels.LabelledFrame(
            file=_file(record),
            name=record["name"],
            size=(mask.shape[0], mask.shape[1]),
            patches=tuple(crack_pixels(mask, seeds)),
            facts={crack["id"]: {key: crack[key] for key in FACTS} for crack in record["cracks"]},
        )


def _mask(path: Path) -> NDArray[np.uint8]:
    """Read what was written when the frame was done."""
    content = np.fromfile(path, np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    mask = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if content.size else None
    if mask is None:
        raise BadInput(
            f"{path}: gone or damaged, though its frame was done",
            "masks as they were written",
            "remove the frame's line from frames.jsonl and repeat with --continue",
        )
    return np.asarray(mask, np.uint8)


def _file(record: dict[str, Any]) -> str:
    """Name of the picture as annotation tools know it: a video's frames are numbered."""
    if record["time_s"] is None:
        return f"{record['name']}{PurePath(record['source']).suffix}"
    return f"{record['source_name']}/frame_{record['index']:06d}.PNG"
