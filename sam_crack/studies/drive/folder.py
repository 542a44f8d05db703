"""The folder that `sam-crack predict` fills: when it may be written to, and how a run begins."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.config.look_verbs import PredictOptions
from sam_crack.config.runs import new_run_folder
from sam_crack.errors import UsageError
from sam_crack.infer.frame_log import FrameLog, Index, read_index
from sam_crack.infer.frames import FrameStream
from sam_crack.infer.paths import LOG, RUN
from sam_crack.infer.share import Share
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.studies.drive.outputs import clear, sweep
from sam_crack.train.state import FolderLock

RUNS = Path("runs") / "predict"
LOCK = "run.lock"
PART = re.compile(r"part-(\d+)-of-(\d+)\.(jsonl|json|lock)")
OURS = {"checkpoint", "overlap", "stride"}  # in run.json of every prediction run
SCALE = "scale_found"
"""In run.json: what was found out about the scale, so that it need not be searched for again."""


def settings_of(options: PredictOptions, camera: RoadCamera | None) -> dict[str, object]:
    """Return what decides a frame's outputs: --continue must find the same."""
    in_metres = options.stride.endswith("m")
    return {
        "checkpoint": str(options.run),
        "overlap": options.overlap,
        "road": options.road,
        "camera": None if camera is None else json.loads(json.dumps(camera.as_json())),
        "scheme": options.scheme,
        "min_length": options.min_length,
        "overlay": options.overlay,
        "probabilities": options.probabilities,
        "stride": options.stride,
    } | ({"track": options.track, "time_offset": options.time_offset} if in_metres else {})


def part_file(folder: Path, share: Share, suffix: str, part: int | None = None) -> Path:
    """Name a file of one part: its log (.jsonl), what says that it is done (.json), its lock."""
    number = share.part if part is None else part
    return folder / f"part-{number}-of-{share.parts}.{suffix}"


def parts_in(folder: Path) -> set[int]:
    """Return into how many parts a folder is shared out: nothing, one number, or a muddle."""
    found = (PART.fullmatch(path.name) for path in folder.glob("part-*"))
    return {int(match[2]) for match in found if match}


def remove_parts(folder: Path) -> None:
    """Remove what only the parts of a run that was shared out needed."""
    for path in folder.glob("part-*"):
        if PART.fullmatch(path.name):
            path.unlink()


def need_no_part_running(folder: Path) -> None:
    """Refuse a folder into which a part of a run is still writing; change nothing."""
    for path in folder.glob("part-*.lock"):
        if PART.fullmatch(path.name):
            with FolderLock(folder, path.name):
                pass


def choose_folder(options: PredictOptions) -> Path:
    """Return the output folder; a new one under `runs` where none is named."""
    if options.out is not None:
        return options.out
    name = re.sub(r"[^\w.+@=-]", "_", options.run.resolve().name).lstrip("_.+@=-") or "frames"
    return new_run_folder(RUNS.parent, RUNS.name, name[:60])


def settings_before(folder: Path) -> dict[str, Any] | None:
    """Return what run.json says of a prediction run; None where there was no such run."""
    try:
        found = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError):
        return None
    # a training's folder has a file of this name, too
    return found if isinstance(found, dict) and found.keys() >= OURS else None


def check_folder(folder: Path, options: PredictOptions, share: Share) -> None:
    """Refuse a folder that may not be written to, or not as it was asked for; change nothing."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", "a folder to write into", "choose another --out")
    # what begins with a dot is no output, but may be half of one
    used = {path.name for path in folder.iterdir() if path.name[0] != "."} - {LOCK}
    parts = parts_in(folder) - {share.parts}
    if parts and not options.overwrite:
        raise UsageError(
            f"{folder} is shared out in {min(parts)} parts",
            "each goes on with its own --num-parts and --part-id",
            "go on with these, or choose another --out"
            + (", or --overwrite all of them" if share.parts == 1 else ""),
        )
    strange = [name for name in used if not PART.fullmatch(name)]
    if strange and settings_before(folder) is None:
        raise UsageError(
            f"{folder} is not empty, and no prediction run wrote what is in it",
            "a new folder",
            "choose another --out",
        )
    if options.continue_ or options.overwrite:
        return
    if share.parts == 1 and used:
        raise UsageError(
            f"{folder} holds a prediction run",
            "a new folder",
            "add --continue to go on, --overwrite to begin anew, or choose another --out",
        )
    if share.parts > 1 and used & {part_file(folder, share, "jsonl").name, LOG}:
        raise UsageError(
            f"{folder}: part {share.part} was begun before", "", "add --continue to go on"
        )


def open_log(folder: Path, options: PredictOptions, settings: dict[str, object]) -> FrameLog:
    """Begin, continue or replace the run in a folder that no other process can now write to."""
    check_folder(folder, options, Share())  # again: another run may have come first
    if options.overwrite:
        need_no_part_running(folder)
        clear(folder)
        remove_parts(folder)
    before = settings_before(folder)
    if before is not None:
        check_same(before, settings)
    sweep(folder)
    write_settings(folder / RUN, settings)
    return FrameLog(folder / LOG)


def write_settings(path: Path, settings: dict[str, object]) -> None:
    """Write down what decides the outputs."""
    durable.write_text(path, json.dumps(settings, indent=1) + "\n")


def check_same(before: Mapping[str, Any], settings: Mapping[str, object]) -> None:
    """Refuse to continue with other settings: the outputs would not belong together."""
    for name, value in settings.items():
        if before.get(name) != value and name != SCALE:
            raise UsageError(
                f"{name} was {before.get(name)} and is now {value}",
                "--continue needs the settings of the first run",
                "use the same, or --overwrite",
            )


def check_sources(before: Mapping[str, tuple[str, int]], stream: FrameStream) -> None:
    """Refuse to continue without the files of before, or with others in their place.

    More files may come; a video may have grown, as one does that was cut off and fetched again.
    """
    sources = {source.real: source for source in stream.sources}
    names = {source.name: source.real for source in stream.sources}
    for name, (file, size_bytes) in before.items():
        source = sources.get(file)
        if source is None:
            raise UsageError(
                f"{name} was made from {file}, which is not among the frames now"
                + (f": {name} would be made from {names[name]}" if name in names else ""),
                "--continue needs all files of before, and takes more",
                "name their paths too, or choose another --out",
            )
        longer = source.size_bytes - size_bytes
        if longer < 0 or (longer and not source.is_video):
            raise UsageError(
                f"{file} had {size_bytes:,} bytes when {name} was made from it, and has "
                f"{source.size_bytes:,} now",
                "--continue needs the files as they were",
                "choose another --out",
            )


def done_before(folder: Path, share: Share) -> Index:
    """Return which frames are done, of the whole run and of this part, and the files of all."""
    whole = read_index(folder / LOG)
    if share.parts == 1:
        return whole
    mine = read_index(part_file(folder, share, "jsonl"))
    # Names are of all parts: what one of them has given, no other may give again.
    logs = (part_file(folder, share, "jsonl", part) for part in range(share.parts))
    sources = {name: file for log in logs for name, file in read_index(log).sources.items()}
    return Index(whole.places | mine.places, whole.sources | sources)
