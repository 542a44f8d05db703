"""What a prediction run is about to do: said before it begins, or all that is done by a dry run."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import fields
from pathlib import Path

from sam_crack.config.look_verbs import PredictOptions
from sam_crack.console import Console, counted
from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.frames import FrameStream
from sam_crack.infer.scaled import Looker
from sam_crack.infer.share import Share
from sam_crack.report.geopackage import need_geopackage
from sam_crack.studies.drive.folder import RUNS
from sam_crack.studies.drive.outputs import outputs_of

NEEDS = {  # what a setting says nothing without
    **dict.fromkeys(("time_offset", "section", "lane_width", "gpkg"), "track"),
    "video_rate": "video",
    "scheme": "camera",
}
MOST_FOLDERS = 5  # named on the first screen


def check_options(options: PredictOptions, share: Share, console: Console) -> None:
    """Refuse, before anything takes long, what could not be written or would not fit together.

    What merely changes nothing is warned of.
    """
    _check_folder_options(options, share)
    for field in fields(options):
        need = NEEDS.get(field.name)
        if need and not getattr(options, need) and getattr(options, field.name) != field.default:
            console.warn(f"--{field.name.replace('_', '-')} has no effect without --{need}")
    if options.track and options.camera is None:
        console.warn("--track without --camera places frames, but no crack: sections stay empty")
    if options.gpkg:
        need_geopackage()
    if share.parts > 1 and options.road.startswith("auto:"):
        raise UsageError(
            f"--road {options.road} with {share.parts} parts",
            "parts need a road that each frame gives by itself",
            "use --road auto",
        )
    if options.video and not options.overlay:
        raise UsageError("--video with --no-overlay", "a video is made of overlays", "drop one")


def _check_folder_options(options: PredictOptions, share: Share) -> None:
    """Refuse what no folder could be written by."""
    if options.continue_ and options.overwrite:
        raise UsageError("--continue and --overwrite", "one of the two")
    if share.parts > 1 and (options.out is None or options.overwrite):
        raise UsageError(
            f"{share.parts} parts {'with --overwrite' if options.overwrite else 'without --out'}",
            "all parts fill one folder, which none of them may clear",
            "name a new --out" if options.overwrite else "name the same --out for each",
        )
    if options.continue_ and options.out is None:
        raise UsageError(
            "--continue without --out", "the folder of the run that goes on", "name it with --out"
        )


def expected_frames(stream: FrameStream, stride: str) -> int | None:
    """Frames that this process will look at; None where only the videos' times can tell."""
    total = stream.total()
    if stride[-1:] in {"s", "m"}:
        return None
    return stream.share.of(-(-total // int(float(stride))))


def first_screen(
    stream: FrameStream,
    window: tuple[int, int],
    options: PredictOptions,
    *,
    threshold: float,
    known: int,
) -> list[str]:
    """Say what is there and how it is looked at."""
    videos = sum(source.is_video for source in stream.sources)
    kinds = [(videos, "video"), (len(stream.sources) - videos, "picture")]
    files = " and ".join(counted(count, kind) for count, kind in kinds if count)
    number = expected_frames(stream, options.stride)
    looked = f"one per {options.stride}" if number is None else f"{number:,} to look at"
    if stream.share.parts > 1:
        looked += f" in part {stream.share.part} of {stream.share.parts}, counted from 0"
    lines = [
        f"{counted(stream.total(), 'frame')} in {files}, {looked}"
        + (f", {known:,} of them done before" if known else ""),
        f"by {options.run}: windows of {window[1]} x {window[0]} px, overlap {options.overlap:g}, "
        f"road {options.road}, threshold {threshold:.3f}",
    ]
    if elsewhere := _folders(stream):
        lines.append(f"pictures of {elsewhere}: name the folder of the frames if these are not all")
    if stream.errors:
        lines.append(f"{counted(len(stream.errors), 'path')} cannot be read and will be listed")
    return lines


def _folders(stream: FrameStream) -> str:
    """Say how many pictures each folder holds, where there is more than one: masks may be among."""
    folders = Counter(s.path.parent.name for s in stream.sources if not s.is_video)
    if len(folders) < 2:
        return ""
    named = ", ".join(f"{name} ({count:,})" for name, count in folders.most_common(MOST_FOLDERS))
    more = len(folders) - MOST_FOLDERS
    return named + (f" and {more:,} more folders" if more > 0 else "")


def rehearse(
    options: PredictOptions,
    stream: FrameStream,
    looker: Looker,
    *,
    threshold: float,
    known: int,
    console: Console,
) -> dict[str, object]:
    """Look at the first frame that can be read, say what all would take, and write nothing."""
    for line in first_screen(stream, looker.window, options, threshold=threshold, known=known):
        console.say(line)
    frame = next(stream.frames(), None)
    if frame is None:
        raise BadInput("not one frame can be read", "whole images or videos", "check the paths")
    began = time.perf_counter()
    (prediction,) = looker.frames(iter([frame.image]))
    seconds = time.perf_counter() - began + frame.decode_s
    number = expected_frames(stream, options.stride)
    left = None if number is None else max(0, number - known)
    height, width = frame.image.shape[:2]
    console.say(
        f"{frame.name}: {width} x {height} px, {counted(prediction.windows, 'window')}, "
        f"{seconds:.1f} s here"
        + (
            ""
            if left is None
            else f"; {counted(left, 'such frame')}: about {_span(seconds * left)}"
        )
    )
    out = str(options.out or RUNS / "NAME-N")
    outputs = outputs_of(options, stream, mapped=bool(options.track))
    console.say(f"would write into {out}: {', '.join(outputs)}")
    for error in stream.errors[:5]:
        console.warn(error.reason)
    return {
        "dry_run": True,
        "files": len(stream.sources),
        "frames": number,
        "done_before": known,
        "frame_size": [height, width],
        "windows_per_frame": prediction.windows,
        "seconds_per_frame": round(seconds, 3),
        "seconds": None if left is None else round(seconds * left, 1),
        "out": Path(out),
        "outputs": outputs,
        "errors": [error.row() for error in stream.errors],
        "exit_code": BadInput.exit_code * bool(stream.errors),
    }


def _span(seconds: float) -> str:
    """Write a time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
