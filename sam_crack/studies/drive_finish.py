"""What is made of a whole drive once its frames are done: labels, map, sections, page."""

from __future__ import annotations

from typing import Any

from sam_crack.errors import BadInput
from sam_crack.infer.rows import write_jsonl
from sam_crack.measure.track import Placer
from sam_crack.studies.drive_folder import write_tables
from sam_crack.studies.drive_labels import write_labels
from sam_crack.studies.drive_map import DriveMap, map_drive, write_map
from sam_crack.studies.drive_report import write_drive_page
from sam_crack.studies.drive_writer import Writer


def finish_drive(writer: Writer, placer: Placer | None, facts: dict[str, Any]) -> dict[str, Any]:
    """Write everything that covers the whole drive, and return the summary."""
    folder, options = writer.folder, writer.options
    summary = write_tables(folder, writer.log, writer.stream) | facts
    sources = [source.name for source in writer.stream.sources]
    write_labels(folder, lambda: writer.log.records(sources), options)
    drive: DriveMap | None = None
    if placer is not None and len(writer.log):
        try:
            drive = map_drive(lambda: writer.log.records(sources), placer, options, writer.camera)
        except BadInput as error:  # the frames are done: what was found in them is kept
            trouble = {"name": "", "source": options.track, "reason": str(error)}
            summary["errors"].append(trouble)
            write_jsonl(folder / "errors.jsonl", summary["errors"])
        else:
            summary |= write_map(folder, drive, options)
    if options.report:
        write_drive_page(
            folder,
            lambda: writer.log.records(sources),
            options=options,
            camera=writer.camera,
            drive=drive,
            summary=summary,
        )
    return summary
