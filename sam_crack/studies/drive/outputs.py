"""Every file and folder that `sam-crack predict` writes: named, announced, cleared away."""

from __future__ import annotations

import shutil
from pathlib import Path

from sam_crack.config.look_verbs import PredictOptions
from sam_crack.infer.frames import FrameStream
from sam_crack.infer.paths import LOG, RUN
from sam_crack.studies.drive.labels import LABEL_FILES, LABEL_FOLDERS
from sam_crack.studies.drive.map import MAP_FILES
from sam_crack.studies.drive.video import PICTURES, VIDEO_FOLDER

FRAME_FOLDERS = ("masks", "overlays", "probabilities")
DRIVE_FOLDERS = (VIDEO_FOLDER, *LABEL_FOLDERS)
TABLES = ("cracks.jsonl", "cracks.csv", "errors.jsonl", "summary.json", "report.html")
DRIVE_FILES = (*TABLES, PICTURES, *LABEL_FILES, *MAP_FILES)


def outputs_of(options: PredictOptions, stream: FrameStream) -> list[str]:
    """Name what is written for each frame and for the whole drive."""
    videos = sum(source.is_video for source in stream.sources)
    asked = {
        "masks/": True,
        "overlays/": options.overlay,
        "probabilities/": options.probabilities != "none",
        f"{VIDEO_FOLDER}/": options.video and videos > 0,
        PICTURES: options.video and videos < len(stream.sources),
        "coco.json": options.coco,
        "cvat/": options.cvat,
        "cvat-masks/": options.cvat_masks,
    }
    unasked = {"report.html": not options.report, "drive.gpkg": not options.gpkg}
    files = (*TABLES, LOG, *(MAP_FILES if options.track else ()))
    return [name for name, wanted in asked.items() if wanted] + [
        name for name in files if not unasked.get(name)
    ]


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
