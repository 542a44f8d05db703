"""The tables of a prediction run, made from its log, and what they sum up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sam_crack.infer.frame_log import FrameLog
from sam_crack.infer.frames import FrameStream
from sam_crack.infer.rows import write_csv, write_jsonl
from sam_crack.measure.cracks import ROW_COLUMNS

MAX_PROBLEMS = 5


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
