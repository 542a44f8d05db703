"""One drive looked at by several processes: all fill one folder, and the last to finish sums up."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.config.look_verbs import PredictOptions
from sam_crack.console import Console
from sam_crack.errors import IntegrityError, UsageError
from sam_crack.infer.frame_log import FrameLog, merge_logs
from sam_crack.infer.frames import FrameError, FrameStream
from sam_crack.infer.paths import LOG, RUN
from sam_crack.infer.share import Share
from sam_crack.measure.track import Placer
from sam_crack.studies.drive.finish import finish_drive
from sam_crack.studies.drive.folder import (
    LOCK,
    check_folder,
    check_same,
    need_no_part_running,
    part_file,
    parts_in,
    remove_parts,
    settings_before,
    write_settings,
)
from sam_crack.studies.drive.outputs import sweep
from sam_crack.studies.drive.writer import Writer
from sam_crack.train.state import FolderLock

PATIENCE_S = 20.0


def lock_run(folder: Path, share: Share) -> FolderLock:
    """Keep a second process from the folder, or from this part of it."""
    if share.parts == 1:
        return FolderLock(folder)
    return FolderLock(folder, part_file(folder, share, "lock").name)


def check_unlocked(folder: Path, share: Share) -> None:
    """Refuse a folder, or a part of it, that another process is writing to; change nothing."""
    if share.parts == 1:
        need_no_part_running(folder)
    path = folder / LOCK if share.parts == 1 else part_file(folder, share, "lock")
    if path.exists():
        with lock_run(folder, share):
            pass


def open_part(
    folder: Path, options: PredictOptions, settings: dict[str, object], share: Share
) -> FrameLog:
    """Begin or continue one part in the folder of all; the first to come describes the run."""
    with _whole_folder(folder):
        check_folder(folder, options, share)  # again: another run may have come first
        before = settings_before(folder)
        if before is None:
            write_settings(folder / RUN, settings)
        else:
            check_same(before, settings)
        part_file(folder, share, "json").unlink(missing_ok=True)
        return FrameLog(part_file(folder, share, "jsonl"), before=folder / LOG)


def sum_up(
    writer: Writer,
    placer: Placer | None,
    facts: dict[str, Any],
    *,
    share: Share,
    taken: tuple[float, int],
    console: Console,
) -> tuple[dict[str, Any], list[int]]:
    """End this process's part, and the whole drive if it was the last.

    Args:
        writer: What wrote the frames.
        placer: Places frames on the track, where there is one.
        facts: Of the model, for the summary.
        share: Which part this is; one of one is the whole.
        taken: The seconds that looking took now, and for how many frames.
        console: For the progress of what takes long.

    Returns:
        What was found, and the parts that are not yet done.
    """
    folder, stream = writer.folder, writer.stream
    seconds, frames = taken
    if share.parts == 1:
        summary = finish_drive(
            writer, placer, facts, seconds=seconds, frames=frames, console=console
        )
        return summary, []
    waiting = finish_part(writer.log, stream, share, seconds)
    if waiting:
        errors = [error.row() for error in stream.errors]
        return {"frames": len(writer.log), "errors": errors}, waiting
    with _whole_folder(folder, patience_s=math.inf):
        if not parts_in(folder):  # another part was quicker
            done: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
            return done, []
        seconds, frames = merge_parts(folder, stream, share)
        with FrameLog(folder / LOG) as log:
            whole = dataclasses.replace(writer, log=log)
            summary = finish_drive(
                whole, placer, facts, seconds=seconds, frames=frames, console=console
            )
        remove_parts(folder)
        sweep(folder)
    return summary, []


def finish_part(log: FrameLog, stream: FrameStream, share: Share, seconds: float) -> list[int]:
    """Say on disk that this part is done, and return the parts that are not."""
    done = {
        "sources": _sources_sha256(stream),
        "seconds": seconds,
        "frames": len(log),
        "errors": [[*error.key, error.row()] for error in stream.errors],
        "videos": {name: list(counts) for name, counts in stream.video_frames.items()},
    }
    folder = log.path.parent
    durable.write_text(part_file(folder, share, "json"), json.dumps(done) + "\n")
    return [n for n in range(share.parts) if not part_file(folder, share, "json", n).exists()]


def merge_parts(folder: Path, stream: FrameStream, share: Share) -> tuple[float, int]:
    """Put the logs of all parts into one and their errors into the stream, as one process has it.

    Returns:
        The seconds that all parts took together, and the frames that they looked at.
    """
    errors: dict[tuple[int, int, str], FrameError] = {}
    seconds, frames = 0.0, 0
    for part in range(share.parts):
        path = part_file(folder, share, "json", part)
        done: dict[str, Any] = json.loads(path.read_bytes())
        if done["sources"] != _sources_sha256(stream):
            raise IntegrityError(
                f"{path}: part {part} was given other frames than part {share.part}",
                "the same paths for every part, and nothing added meanwhile",
                f"repeat part {part} with --continue",
            )
        seconds, frames = seconds + done["seconds"], frames + done["frames"]
        stream.video_frames |= {name: (read, said) for name, (read, said) in done["videos"].items()}
        for number, index, row in done["errors"]:
            key = (number, index, row["reason"])
            errors[key] = FrameError(
                name=row["name"],
                source=Path(row["source"]),
                reason=row["reason"],
                key=(number, index),
            )
    stream.errors = [errors[key] for key in sorted(errors)]
    logs = [part_file(folder, share, "jsonl", part) for part in range(share.parts)]
    earlier = [folder / LOG] if (folder / LOG).exists() else []
    merge_logs(folder / LOG, earlier + logs, [source.name for source in stream.sources])
    return seconds, frames


def _whole_folder(folder: Path, patience_s: float = PATIENCE_S) -> FolderLock:
    """Take the folder for a moment; other parts may be doing the same."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return FolderLock(folder)
        except UsageError:
            if time.monotonic() > until:
                raise
        time.sleep(0.05)


def _sources_sha256(stream: FrameStream) -> str:
    names = "\n".join(source.name for source in stream.sources)
    return hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()
