"""Every file and folder that `sam-crack predict` writes: named, announced, cleared away."""

from __future__ import annotations

import shutil
from pathlib import Path

from sam_crack.config.look_verbs import PredictOptions
from sam_crack.infer.frames import FrameStream
from sam_crack.infer.paths import LOG, RUN
from sam_crack.studies.drive.command import PATHS, needs_list
from sam_crack.studies.drive.labels import LABEL_FILES, LABEL_FOLDERS
from sam_crack.studies.drive.map import MAP_FILES
from sam_crack.studies.drive.video import PICTURES, VIDEO_FOLDER

FRAME_FOLDERS = ("masks", "overlays", "probabilities")
DRIVE_FOLDERS = (VIDEO_FOLDER, *LABEL_FOLDERS)
TABLES = ("cracks.jsonl", "cracks.csv", "errors.jsonl", "summary.json", "report.html")
DRIVE_FILES = (*TABLES, PATHS, PICTURES, *LABEL_FILES, *MAP_FILES)


def outputs_of(options: PredictOptions, stream: FrameStream, *, mapped: bool) -> list[str]:
    """Name what is written for each frame and for the whole drive, which lies on a map or not."""
    videos = sum(source.is_video for source in stream.sources)
    asked = {
        "masks/": True,
        "overlays/": options.overlay,
        "probabilities/": options.probabilities != "none",
        f"{VIDEO_FOLDER}/": options.video and videos > 0,
        PICTURES: options.video and videos < len(stream.sources),
        PATHS: options.report and needs_list(options),
        "coco.json": options.coco,
        "cvat/": options.cvat,
        "cvat-masks/": options.cvat_masks,
    }
    unasked = {"report.html": not options.report, "drive.gpkg": not options.gpkg}
    files = (*TABLES, LOG, *(MAP_FILES if mapped else ()))
    return [name for name, wanted in asked.items() if wanted] + [
        name for name in files if not unasked.get(name)
    ]


def remove_stale(folder: Path, written: list[str]) -> list[str]:
    """Remove what was made of the drive before and will not be now, as it told of fewer frames.

    Args:
        folder: Of the run.
        written: What is made now, as `outputs_of` names it.

    Returns:
        The names of what was there.
    """
    stale = {*DRIVE_FILES, *DRIVE_FOLDERS} - {name.rstrip("/") for name in written}
    found = sorted(name for name in stale if (folder / name).exists())
    for name in found:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return found


def clear(folder: Path) -> None:
    """Remove what a prediction run writes, and nothing else."""
    for name in (*FRAME_FOLDERS, *DRIVE_FOLDERS):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (RUN, LOG, *DRIVE_FILES):
        (folder / name).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a killed run left half written: no output's own name begins with a dot."""
    for name in (*FRAME_FOLDERS, *DRIVE_FOLDERS):
        for path in (folder / name).rglob(".*"):
            path.unlink()
    for name in (RUN, LOG, *DRIVE_FILES, "part-"):
        for path in folder.glob(f".{name}*"):
            path.unlink()
