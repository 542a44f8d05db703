"""`sam-crack predict`: frames become masks, overlays, and a table of every crack."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.config.look_verbs import PredictOptions
from sam_crack.console import Console
from sam_crack.errors import BadInput, Interrupted
from sam_crack.infer.device import choose_device
from sam_crack.infer.frames import Frame, FrameStream, open_frames
from sam_crack.infer.pipeline import run_pipeline
from sam_crack.infer.predict import Prediction, Predictor
from sam_crack.infer.road import parse_road
from sam_crack.infer.stride import parse_stride
from sam_crack.measure.camera_file import load_camera
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.report.geopackage import need_geopackage
from sam_crack.studies.drive_finish import finish_drive
from sam_crack.studies.drive_folder import (
    RUNS,
    choose_folder,
    open_log,
    settings_of,
)
from sam_crack.studies.drive_map import make_placer, station_of
from sam_crack.studies.drive_writer import Writer
from sam_crack.train.state import FolderLock


def run_predict(options: PredictOptions, console: Console) -> dict[str, object]:
    """Find and measure the cracks of frames; what cannot be read is listed and does not stop it."""
    parse_road(options.road)  # before anything takes long
    camera = load_camera(options.camera) if options.camera else None
    device = choose_device(options.device)
    if options.gpkg:
        need_geopackage()
    stream = open_frames(options.paths, exclude=options.out or RUNS)
    placer = make_placer(options, stream)
    stream.wanted = parse_stride(options.stride, station_of(placer) if placer else None)
    segmenter, meta = load_checkpoint(options.run, device=device)
    threshold = meta.threshold if options.threshold is None else options.threshold
    predictor = Predictor(
        segmenter,
        window=segmenter.config.window,
        stride=segmenter.stride,
        threshold=threshold,
        overlap=options.overlap,
        batch_size=options.batch_size,
        road=options.road,
        device=device,
        deep=options.probabilities == "16",
        on_halved=lambda size: console.warn(f"out of memory: going on with batches of {size}"),
    )
    facts = {"threshold": threshold, "base_sha256": meta.base_sha256, "config": meta.config_hash}
    folder = choose_folder(options)
    began = time.perf_counter()
    with FolderLock(folder), open_log(folder, options, settings_of(options, camera) | facts) as log:
        known = len(log)
        console.say(_first_screen(stream, predictor, known))
        writer = Writer(folder=folder, log=log, stream=stream, options=options, camera=camera)
        interrupted = _stream(predictor, writer, console)
        summary = finish_drive(writer, placer, facts)
    seconds = time.perf_counter() - began
    per_frame = seconds / max(1, len(log) - known)
    summary |= {"seconds": round(seconds, 2), "seconds_per_frame": round(per_frame, 3)}
    durable.write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    if interrupted:
        raise Interrupted(
            f"stopped after {len(log)} frames, which are whole in {folder}",
            "",
            "repeat the command with --continue to go on",
        )
    _say_result(folder, summary, console)
    return {"out": folder, **summary, "exit_code": BadInput.exit_code * bool(summary["errors"])}


def _first_screen(stream: FrameStream, predictor: Predictor, known: int) -> str:
    """Say what is about to happen."""
    height, width = predictor.window
    return (
        f"{stream.total():,} frames in {len(stream.sources):,} files, {known:,} done before; "
        f"windows {height} x {width}, overlap {predictor.overlap:g}, road {predictor.road}, "
        f"threshold {predictor.threshold:.3f}"
    )


def _stream(predictor: Predictor, writer: Writer, console: Console) -> bool:
    """Pass every frame that is not done yet; True if the user stopped it."""
    stream, known = writer.stream, len(writer.log)
    nothing: tuple[Frame, ...] = ()  # the bar is moved by hand, from the writing end
    total = stream.total() - known if writer.options.stride == "1" else None
    with console.bar(nothing, "predict", total=total, unit="frame") as bar:

        def write(frame: Frame, prediction: Prediction) -> None:
            writer.write(frame, prediction)
            bar.update()

        try:
            frames = stream.frames(writer.log.__contains__)
            run_pipeline(frames, predictor.frames, write)
        except (KeyboardInterrupt, Interrupted):
            return True
    return False


def _say_result(folder: Path, summary: dict[str, Any], console: Console) -> None:
    """Tell what was found and where it is."""
    metres = f", {summary['length_m']:.1f} m" if summary["length_m"] is not None else ""
    console.say(
        f"{summary['cracks']:,} cracks in {summary['frames']:,} frames{metres}; "
        f"{summary['seconds_per_frame']:g} s a frame"
    )
    for error in summary["errors"][:5]:
        console.warn(error["reason"])
    if len(summary["errors"]) > 5:
        console.warn(f"{len(summary['errors']) - 5:,} more in {folder / 'errors.jsonl'}")
    if "road_cracks" in summary:
        console.say(
            f"on the road: {summary['road_cracks']:,} cracks, {summary['road_length_m']:,.1f} m, "
            f"each counted once; {summary['frames_placed']:,} of {summary['frames']:,} frames "
            "lie on the track"
        )
    console.say(f"masks, overlays, tables and report: {folder}")
