"""The labels that a prediction run was asked for, made from its masks and its log."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PurePath, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.config.look_verbs import PredictOptions
from sam_crack.errors import BadInput
from sam_crack.infer.frames import Source
from sam_crack.measure.pixels import crack_pixels
from sam_crack.report import labels
from sam_crack.studies.drive.map import Record, Records, video_of

LABEL_FOLDERS, LABEL_FILES = ("cvat", "cvat-masks"), ("coco.json",)
FACTS = ("kind", "length_px", "length_mm", "width_mean_mm", "severity", "mean_prob")


def write_labels(
    folder: Path, records: Records, options: PredictOptions, sources: Sequence[Source]
) -> None:
    """Write COCO, CVAT XML and CVAT masks, each where it was asked for."""
    if options.coco:
        labels.write_coco(folder / "coco.json", _frames(folder, records(), sources))
    if options.cvat:
        for video, frames in _tasks(folder, records, sources):
            name = f"videos/{video}.xml" if video else "annotations.xml"
            labels.write_cvat_xml(folder / "cvat" / name, frames)
    if options.cvat_masks:
        for video, frames in _tasks(folder, records, sources):
            home = folder / "cvat-masks"
            labels.write_cvat_masks(home / "videos" / video if video else home, frames)


def _tasks(
    folder: Path, records: Records, sources: Sequence[Source]
) -> Iterator[tuple[str | None, Iterator[labels.LabelledFrame]]]:
    """Yield the frames of each task of CVAT: all pictures are one, and each video is another.

    CVAT finds a frame by its name, in which a video has no part; a name that it does not know it
    takes for a place in the task, without a word.
    """
    if not all(source.is_video for source in sources):
        pictures = (record for record in records() if video_of(record) is None)
        yield None, _frames(folder, pictures, sources)
    filmed = (record for record in records() if video_of(record) is not None)
    for video, mine in groupby(filmed, video_of):
        frames = _frames(folder, mine, sources)
        yield video, (replace(frame, file=PurePosixPath(frame.file).name) for frame in frames)


def _frames(
    folder: Path, records: Iterable[Record], sources: Sequence[Source]
) -> Iterator[labels.LabelledFrame]:
    """Yield one frame at a time, its pixels from the mask that was written."""
    files = _own_names([source for source in sources if not source.is_video])
    for place, record in enumerate(records):
        mask = _mask(folder / "masks" / f"{record['name']}.png")
        seeds = [
            (crack["id"], np.concatenate([np.array(line) for line in crack["lines"]]))
            for crack in record["cracks"]
        ]
        yield labels.LabelledFrame(
            file=_file(record, files),
            number=place if video_of(record) is None else record["index"],
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


def _own_names(pictures: Sequence[Source]) -> dict[str, str]:
    """Return picture to its owner's name for it, from the folder that all lie in if two are alike.

    Annotation tools find a picture by its name, on disks that may ignore case.
    """
    files = [picture.file for picture in pictures]
    if len({file.casefold() for file in files}) < len(files):
        paths = [Path(os.path.normpath(picture.path.absolute())) for picture in pictures]
        home = os.path.commonpath([path.parent for path in paths])
        files = [path.relative_to(home).as_posix() for path in paths]
    return {picture.name: file for picture, file in zip(pictures, files, strict=True)}


def _file(record: Record, files: Mapping[str, str]) -> str:
    """Name of the picture as annotation tools know it: its own, and a video's frames are numbered.

    Not that of the outputs, which is safe on every disk. Nothing in it leads out of a folder.
    """
    if video_of(record) is None:
        known = files.get(record["source_name"]) or PurePath(record["source"]).name
        parts = [part for part in PurePosixPath(known).parts if part not in {"/", ".."}]
        return "".join(sign if sign.isprintable() else "_" for sign in "/".join(parts))
    return f"{record['source_name']}/frame_{record['index']:06d}.PNG"
