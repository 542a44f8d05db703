"""The folder that `sam-crack predict` fills: what is in it, and when it may be written to."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack import durable
from sam_crack.config.look_verbs import PredictOptions
from sam_crack.config.runs import new_run_folder
from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.frame_log import FrameLog
from sam_crack.infer.frames import Frame, FrameStream
from sam_crack.infer.predict import Prediction
from sam_crack.infer.rows import write_csv, write_jsonl
from sam_crack.measure.camera import Camera
from sam_crack.measure.cracks import ROW_COLUMNS, Crack, measure_cracks
from sam_crack.measure.polyline import simplify
from sam_crack.report.overlay import Label, draw_overlay, jpeg
from sam_crack.studies.drive_labels import LABEL_FILES, LABEL_FOLDERS
from sam_crack.studies.drive_map import MAP_FILES

RUNS = Path("runs") / "predict"
RUN, LOG, LOCK = "run.json", "frames.jsonl", "run.lock"
FOLDERS = ("masks", "overlays", "probabilities", *LABEL_FOLDERS)
TABLES = ("cracks.jsonl", "cracks.csv", "errors.jsonl", "summary.json", "report.html")
FILES = (RUN, LOG, *TABLES, *LABEL_FILES, *MAP_FILES)
MAX_LABELS, FARTHEST_M = 12, 20.0  # more, or those far ahead, would hide what they name


def settings_of(options: PredictOptions, camera: Camera | None) -> dict[str, object]:
    """Return what decides a frame's outputs: --continue must find the same."""
    in_metres = options.stride.endswith("m")
    return {
        "checkpoint": str(options.run),
        "overlap": options.overlap,
        "road": options.road,
        "camera": None if camera is None else json.loads(json.dumps(asdict(camera))),
        "scheme": options.scheme,
        "min_length": options.min_length,
        "overlay": options.overlay,
        "probabilities": options.probabilities,
        "stride": options.stride,
    } | ({"track": options.track, "time_offset": options.time_offset} if in_metres else {})


def choose_folder(options: PredictOptions) -> Path:
    """Return the output folder; a new one under `runs` where none is named."""
    if options.continue_ and options.overwrite:
        raise UsageError("--continue and --overwrite", "one of the two")
    if options.out is not None:
        return options.out
    name = re.sub(r"[^\w.+@=-]", "_", options.run.resolve().name).lstrip("_.+@=-") or "frames"
    return new_run_folder(RUNS.parent, RUNS.name, name[:60])


def open_log(folder: Path, options: PredictOptions, settings: dict[str, object]) -> FrameLog:
    """Begin, continue or replace the run in a folder, once that is sure to be meant."""
    used = any(path.name != LOCK for path in folder.iterdir())
    if used and options.continue_:
        _check_same(folder / RUN, settings)
    elif used and options.overwrite:
        _clear(folder)
    elif used:
        raise UsageError(
            f"{folder} is not empty",
            "a new folder",
            "add --continue to go on, --overwrite to begin anew, or choose another --out",
        )
    durable.write_text(folder / RUN, json.dumps(settings, indent=1) + "\n")
    return FrameLog(folder / LOG)


def _check_same(path: Path, settings: dict[str, object]) -> None:
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


@dataclass(kw_only=True, eq=False)
class Writer:
    """Measures a frame's mask and writes all that comes of it; the log's line comes last."""

    folder: Path
    log: FrameLog
    stream: FrameStream
    options: PredictOptions
    camera: Camera | None

    def write(self, frame: Frame, prediction: Prediction) -> None:
        """Write mask and overlay, then the record that makes the frame done."""
        camera, problem = self._camera_for(frame)
        began = time.perf_counter()
        cracks = measure_cracks(
            prediction.mask,
            prob=prediction.prob,
            camera=camera,
            min_length_px=self.options.min_length,
            scheme=self.options.scheme,
        )
        seconds = dict(prediction.seconds) | {"measure": time.perf_counter() - began}
        durable.write_bytes(self.folder / "masks" / f"{frame.name}.png", bilevel(prediction.mask))
        deep = prediction.prob if prediction.deep_prob is None else prediction.deep_prob
        if self.options.probabilities != "none":
            target = self.folder / "probabilities" / f"{frame.name}.png"
            durable.write_bytes(target, cv2.imencode(".png", deep)[1].tobytes())
        if self.options.overlay:
            drawn = draw_overlay(frame.image, prediction.mask, labels=_labels(cracks))
            durable.write_bytes(self.folder / "overlays" / f"{frame.name}.jpg", jpeg(drawn))
        seconds["write"] = time.perf_counter() - began - seconds["measure"]
        self.log.append(
            {
                "name": frame.name,
                "source_name": self.stream.sources[frame.key[0]].name,
                "source": str(frame.source),
                "index": frame.key[1],
                "time_s": frame.time_s,
                "clock_s": frame.clock_s,
                "size": list(frame.image.shape[:2]),
                "windows": prediction.windows,
                "problem": problem,
                "seconds": {stage: round(value, 4) for stage, value in seconds.items()},
                "cracks": [crack.row() | _lines(crack) for crack in cracks],
            }
        )

    def _camera_for(self, frame: Frame) -> tuple[Camera | None, str | None]:
        """Fit the camera to the frame's size, or say why this frame is measured in pixels."""
        if self.camera is None:
            return None, None
        try:
            return self.camera.resized((frame.image.shape[0], frame.image.shape[1])), None
        except BadInput as error:
            return None, str(error)


def bilevel(mask: NDArray[np.bool_]) -> bytes:
    """Return a mask as a PNG of one bit per pixel."""
    pixels = mask.view(np.uint8) * np.uint8(255)
    # No compression level: naming one changes the filter and takes four times as long.
    _, content = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_BILEVEL, 1])
    return content.tobytes()


def _labels(cracks: list[Crack]) -> list[Label]:
    """Name the longest cracks beside their middle."""
    labels = []
    near = [one for one in cracks if one.ground is None or one.ground.distance_m <= FARTHEST_M]
    for crack in sorted(near, key=lambda crack: -crack.length_px)[:MAX_LABELS]:
        y, x = crack.lines[0][len(crack.lines[0]) // 2]
        ground = crack.ground
        size = f"{ground.length_mm / 1000:.2f} m" if ground else f"{crack.length_px:.0f} px"
        labels.append(Label(text=f"{crack.id}: {size}", y=float(y), x=float(x)))
    return labels


def _lines(crack: Crack) -> dict[str, object]:
    """Centre lines with as few corners as their shape needs, and the same on the road."""
    lines = [simplify(line.astype(np.float64)).round(1).tolist() for line in crack.lines]
    return {"lines": lines, "road": [line.row() for line in crack.road]}


def write_tables(folder: Path, log: FrameLog, stream: FrameStream) -> dict[str, Any]:
    """Write the tables from the log, in the order of the stream, and sum them up."""
    sources = [source.name for source in stream.sources]
    write_jsonl(folder / "cracks.jsonl", _crack_rows(log, sources))
    write_csv(folder / "cracks.csv", ("frame", "time_s", *ROW_COLUMNS), _crack_rows(log, sources))
    errors = [error.row() for error in stream.errors]
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
    }


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
