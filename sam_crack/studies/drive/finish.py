"""What is made of a whole drive once its frames are done: labels, map, sections, page."""

from __future__ import annotations

import json
from typing import Any

from sam_crack import durable
from sam_crack.console import Console
from sam_crack.errors import BadInput
from sam_crack.infer.rows import write_jsonl
from sam_crack.measure.track import Placer
from sam_crack.studies.drive.labels import write_labels
from sam_crack.studies.drive.map import DriveMap, map_drive, write_map
from sam_crack.studies.drive.outputs import outputs_of, remove_stale
from sam_crack.studies.drive.report import write_drive_page
from sam_crack.studies.drive.tables import write_tables
from sam_crack.studies.drive.video import write_videos
from sam_crack.studies.drive.writer import Writer


def finish_drive(
    writer: Writer,
    placer: Placer | None,
    facts: dict[str, Any],
    *,
    seconds: float,
    frames: int,
    console: Console,
) -> dict[str, Any]:
    """Write everything that covers the whole drive, and return the summary.

    Args:
        writer: What wrote the frames, with the log of all of them.
        placer: Places frames on the track, where there is one.
        facts: Of the model, for the summary.
        seconds: What looking took now.
        frames: Frames that were looked at in that time.
        console: For the progress of what takes long.
    """
    folder, options = writer.folder, writer.options
    summary = write_tables(folder, writer.log, writer.stream) | facts
    sources = [source.name for source in writer.stream.sources]
    drive: DriveMap | None = None
    if placer is not None and len(writer.log):
        try:
            drive = map_drive(lambda: writer.log.records(sources), placer, options, writer.camera)
        except BadInput as error:  # the frames are done: what was found in them is kept
            trouble = {"name": "", "source": options.track, "reason": str(error)}
            summary["errors"].append(trouble)
            write_jsonl(folder / "errors.jsonl", summary["errors"])
    written = outputs_of(options, writer.stream, mapped=drive is not None)
    if stale := remove_stale(folder, written):
        console.say(f"removed, as the run before made it and this one does not: {', '.join(stale)}")
    if drive is not None:
        summary |= write_map(folder, drive, options)
    write_labels(folder, lambda: writer.log.records(sources), options, writer.stream.sources)
    if options.video:
        rate = options.video_rate
        write_videos(folder, lambda: writer.log.records(sources), rate=rate, console=console)
    if options.report:
        write_drive_page(
            folder,
            lambda: writer.log.records(sources),
            options=options,
            camera=writer.camera,
            drive=drive,
            summary=summary,
            listed=writer.stream.listed,
        )
    summary |= {
        "seconds": round(seconds, 2),
        "seconds_per_frame": round(seconds / frames, 3) if frames else None,
    }
    durable.write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    return summary
