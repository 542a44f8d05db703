"""The folder that `sam-crack predict` fills: what is in it, and when it may be written to."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.config.look_verbs import PredictOptions
from sam_crack.config.runs import new_run_folder
from sam_crack.errors import UsageError
from sam_crack.infer.frame_log import FrameLog, read_index
from sam_crack.infer.frames import FrameStream
from sam_crack.infer.paths import LOG, RUN
from sam_crack.infer.rows import write_csv, write_jsonl
from sam_crack.infer.share import Share
from sam_crack.measure.cracks import ROW_COLUMNS
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.studies.drive.labels import LABEL_FILES, LABEL_FOLDERS
from sam_crack.studies.drive.map import MAP_FILES
from sam_crack.studies.drive.video import PICTURES, VIDEO_FOLDER

RUNS = Path("runs") / "predict"
LOCK, MAX_PROBLEMS = "run.lock", 5
PART = re.compile(r"part-(\d+)-of-(\d+)\.(jsonl|json|lock)")
FOLDERS = ("masks", "overlays", "probabilities", VIDEO_FOLDER, *LABEL_FOLDERS)
TABLES = ("cracks.jsonl", "cracks.csv", "errors.jsonl", "summary.json", "report.html")
FILES = (RUN, LOG, PICTURES, *TABLES, *LABEL_FILES, *MAP_FILES)


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


def choose_folder(options: PredictOptions, share: Share) -> Path:
    """Return the output folder; a new one under `runs` where none is named."""
    if options.continue_ and options.overwrite:
        raise UsageError("--continue and --overwrite", "one of the two")
    if share.parts > 1 and (options.out is None or options.overwrite):
        raise UsageError(
            f"{share.parts} parts {'with --overwrite' if options.overwrite else 'without --out'}",
            "all parts fill one folder, which none of them may clear",
            "name a new --out" if options.overwrite else "name the same --out for each",
        )
    if options.out is not None:
        return options.out
    name = re.sub(r"[^\w.+@=-]", "_", options.run.resolve().name).lstrip("_.+@=-") or "frames"
    return new_run_folder(RUNS.parent, RUNS.name, name[:60])


def open_log(folder: Path, options: PredictOptions, settings: dict[str, object]) -> FrameLog:
    """Begin, continue or replace the run in a folder, once that is sure to be meant."""
    used = any(path.name != LOCK for path in folder.iterdir())
    if parts := parts_in(folder) if not options.overwrite else None:
        raise UsageError(
            f"{folder} is shared out in {min(parts)} parts",
            "each goes on with its own --num-parts and --part-id",
            "go on with these, or use --overwrite",
        )
    if used and options.continue_:
        check_same(folder / RUN, settings)
        sweep(folder)
    elif used and options.overwrite:
        _clear(folder)
    elif used:
        raise UsageError(
            f"{folder} is not empty",
            "a new folder",
            "add --continue to go on, --overwrite to begin anew, or choose another --out",
        )
    write_settings(folder / RUN, settings)
    return FrameLog(folder / LOG)


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


def sources_before(folder: Path, share: Share) -> dict[str, tuple[str, int]]:
    """Return from which files the frames were made that are done; see `infer.frame_log.Index`."""
    found = read_index(folder / LOG).sources
    return found | (
        read_index(part_file(folder, share, "jsonl")).sources if share.parts > 1 else {}
    )


def write_settings(path: Path, settings: dict[str, object]) -> None:
    """Write down what decides the outputs."""
    durable.write_text(path, json.dumps(settings, indent=1) + "\n")


def check_same(path: Path, settings: dict[str, object]) -> None:
    """Refuse to continue with other settings: the outputs would not belong together."""
    try:
        before = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path.parent} holds no prediction run that could go on",
            "a folder with run.json",
            "use --overwrite, or choose another --out",
        ) from error
    changed = [name for name, value in settings.items() if before.get(name) != value]
    if changed:
        name = changed[0]
        raise UsageError(
            f"{name} was {before.get(name)} and is now {settings[name]}",
            "--continue needs the settings of the first run",
            "use the same, or --overwrite",
        )


def _clear(folder: Path) -> None:
    """Remove what a prediction run writes, and nothing else."""
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    remove_parts(folder)


def sweep(folder: Path) -> None:
    """Remove what a killed run left half written: no output's own name begins with a dot."""
    for name in FOLDERS:
        for path in (folder / name).rglob(".*"):
            path.unlink()
    for name in (*FILES, "part-"):
        for path in folder.glob(f".{name}*"):
            path.unlink()


def remove_parts(folder: Path) -> None:
    """Remove what only the parts of a run that was shared out needed."""
    for path in folder.glob("part-*"):
        if PART.fullmatch(path.name):
            path.unlink()


def write_tables(folder: Path, log: FrameLog, stream: FrameStream) -> dict[str, Any]:
    """Write the tables from the log, in the order of the stream, and sum them up."""
    sources = [source.name for source in stream.sources]
    write_jsonl(folder / "cracks.jsonl", _crack_rows(log, sources))
    write_csv(folder / "cracks.csv", ("frame", "time_s", *ROW_COLUMNS), _crack_rows(log, sources))
    errors = [e.row() for e in sorted(stream.errors, key=lambda error: (error.key, error.reason))]
    seconds: Counter[str] = Counter()
    windows = 0
    for record in log.records(sources):
        seconds.update(record["seconds"])
        windows += record["windows"]
        if record["problem"]:
            name, source = record["name"], record["source"]
            errors.append({"name": name, "source": source, "reason": record["problem"]})
    write_jsonl(folder / "errors.jsonl", errors)
    return {
        "frames": len(log),
        "windows": windows,
        **_totals(_crack_rows(log, sources)),
        "errors": errors,
        "videos": {
            name: {"read": r, "declared": d} for name, (r, d) in stream.video_frames.items()
        },
        "stage_seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "stage_seconds_per_frame": {
            stage: round(value / max(1, len(log)), 4) for stage, value in seconds.items()
        },
    }


def problems_of(errors: list[dict[str, Any]]) -> list[str]:
    """Say what went wrong: each reason once, and of many the first."""
    reasons = Counter(str(error["reason"]) for error in errors)
    told = [f"{why} ({count:,} times)" if count > 1 else why for why, count in reasons.items()]
    more = len(told) - MAX_PROBLEMS
    return told[:MAX_PROBLEMS] + ([f"{more:,} more in errors.jsonl"] if more > 0 else [])


def _crack_rows(log: FrameLog, sources: list[str]) -> Iterator[dict[str, Any]]:
    """Yield every crack with the name and time of its frame."""
    for record in log.records(sources):
        for crack in record["cracks"]:
            del crack["road"]  # for the map alone: ten times as long as all the rest
            yield {"frame": record["name"], "time_s": record["time_s"], **crack}


def _totals(rows: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Sum up over frames; a crack that several frames show counts in each of them."""
    kinds, severities = Counter[str](), Counter[str]()
    length_px = length_mm = 0.0
    for row in rows:
        kinds[row["kind"]] += 1
        length_px += row["length_px"]
        if row["length_mm"] is not None:
            severities[row["severity"]] += 1
            length_mm += row["length_mm"]
    return {
        "cracks": kinds.total(),
        "length_px": round(length_px, 1),
        "length_m": round(length_mm / 1000, 3) if severities else None,
        "kinds": dict(kinds),
        "severities": dict(severities),
    }
