"""`sam-crack predict`: frames become masks, overlays, and a table of every crack."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sam_crack.config.look_verbs import PredictOptions
from sam_crack.console import Console, counted
from sam_crack.errors import BadInput, Interrupted
from sam_crack.infer.assemble import assemble
from sam_crack.infer.device import choose_device
from sam_crack.infer.few_frames import few_frames
from sam_crack.infer.frame_log import FrameLog, Index
from sam_crack.infer.frames import Frame, FrameStream, open_frames
from sam_crack.infer.pipeline import run_pipeline
from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Prediction
from sam_crack.infer.road import parse_road
from sam_crack.infer.scale import parse_scale
from sam_crack.infer.scale_choice import FEW, Known, choose_scale, scale_settings, searched_scale
from sam_crack.infer.scaled import Looker
from sam_crack.infer.share import Share, choose_share
from sam_crack.infer.stride import parse_stride
from sam_crack.measure.camera_file import load_camera
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.measure.track import Placer
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.model.trained_scale import TrainedScale
from sam_crack.studies.drive.folder import (
    RUNS,
    SCALE,
    check_folder,
    check_same,
    check_sources,
    choose_folder,
    done_before,
    open_log,
    settings_before,
    settings_of,
)
from sam_crack.studies.drive.map import make_placer, station_of
from sam_crack.studies.drive.parts import check_unlocked, lock_run, open_part, sum_up
from sam_crack.studies.drive.plan import check_options, expected_frames, first_screen, rehearse
from sam_crack.studies.drive.tables import problems_of
from sam_crack.studies.drive.writer import Writer


def run_predict(options: PredictOptions, console: Console) -> dict[str, object]:
    """Find and measure the cracks of frames; what cannot be read is listed and does not stop it."""
    parse_road(options.road)  # before anything takes long
    choice = parse_scale(options.scale)
    share = choose_share(options.num_parts, options.part_id, os.environ)
    check_options(options, share, console)
    camera = load_camera(options.camera) if options.camera else None
    device = choose_device(options.device, process=share.local)
    before = None if options.overwrite or not options.out else settings_before(options.out)
    stream, known = _find(options, share, begun=before is not None)
    if options.continue_ and before is None:
        console.warn(f"no run in {options.out} that could go on: it begins there")
    placer = make_placer(options, stream)
    stream.wanted = parse_stride(options.stride, station_of(placer) if placer else None)
    stream.share = share
    predictor, trained, facts = _load(options, device, console)
    settings = settings_of(options, camera) | facts
    if before is not None:  # what a search for the scale is spared, if it differs
        check_same(before, settings | searched_scale(choice))
    known_to = Known(
        trained=trained,
        camera=camera,
        few=lambda: few_frames(stream.sources, FEW),
        before=(before or {}).get(SCALE),
    )
    looker, at_scale = choose_scale(choice, predictor, known_to, console=console)
    settings |= scale_settings(at_scale) | ({SCALE: at_scale} if searched_scale(choice) else {})
    if before is not None:
        check_same(before, settings)
    asked = Asked(
        options=options,
        share=share,
        camera=camera,
        placer=placer,
        threshold=predictor.threshold,
        settings=settings,
        facts=facts | {"scale": at_scale},
    )
    if options.dry_run:
        return rehearse(
            options, stream, looker, threshold=asked.threshold, known=known, console=console
        )
    return predict_all(asked, stream, looker, console)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a drive was asked for, once it is known to make sense."""

    options: PredictOptions
    share: Share
    camera: RoadCamera | None
    placer: Placer | None
    threshold: float
    settings: dict[str, object]
    """What a run that goes on must have in common with this one."""
    facts: dict[str, object]
    """What the tables say of the model."""


def predict_all(
    asked: Asked, stream: FrameStream, looker: Looker, console: Console
) -> dict[str, object]:
    """Pass the frames that are not done, and sum up the drive if this was the last part of it."""
    options, share = asked.options, asked.share
    folder = choose_folder(options)
    with lock_run(folder, share), _open(folder, options, asked.settings, share) as log:
        check_sources(log.sources, stream)
        known = len(log)
        for line in first_screen(
            stream, looker.window, options, threshold=asked.threshold, known=known
        ):
            console.say(line)
        writer = Writer(folder=folder, log=log, stream=stream, options=options, camera=asked.camera)
        began = time.perf_counter()
        interrupted = _stream(looker, writer, console)
        seconds, frames = time.perf_counter() - began, len(log) - known
        if not (interrupted and share.parts > 1):
            summary, waiting = sum_up(
                writer,
                asked.placer,
                asked.facts,
                share=share,
                taken=(seconds, frames),
                console=console,
            )
    if interrupted:
        raise Interrupted(
            f"stopped after {len(log)} frames, which are whole in {folder}",
            "",
            "repeat the command with --continue"
            + (" to go on" if options.out else f" and --out {folder} to go on"),
        )
    if waiting:  # what could not be read is the last part's to answer for: a launcher that sees
        # one process fail ends the others
        _say_waiting(share, summary, waiting, console)
        summary |= {"part": share.part, "parts": share.parts, "waiting_for": waiting}
        return {"out": folder, **summary}
    _say_result(folder, summary, console)
    return {"out": folder, **summary, "exit_code": BadInput.exit_code * bool(summary["errors"])}


def _find(options: PredictOptions, share: Share, *, begun: bool) -> tuple[FrameStream, int]:
    """Find the frames, and how many are done, once the folder is sure to be theirs."""
    goes_on = begun and options.continue_
    done = done_before(options.out, share) if options.out and goes_on else Index()
    names = {file: name for name, (file, _) in done.sources.items()}
    stream = open_frames(options.paths, exclude=options.out or RUNS, known=names)
    if options.out:
        check_folder(options.out, options, share)
        check_unlocked(options.out, share)
        check_sources(done.sources, stream)
    return stream, len(done.places)


def _load(
    options: PredictOptions, device: torch.device, console: Console
) -> tuple[Predictor, TrainedScale | None, dict[str, object]]:
    """Load the model into what looks; also at what scale it learnt, and what tables say of it."""
    segmenter, meta = load_checkpoint(options.run, device=device)
    threshold = meta.threshold if options.threshold is None else options.threshold
    predictor = assemble(
        segmenter,
        options,
        threshold=threshold,
        device=device,
        deep=options.probabilities == "16",
        warn=console.warn,
    )
    facts = {"threshold": threshold, "base_sha256": meta.base_sha256, "config": meta.config_hash}
    return predictor, meta.scale, facts


def _open(
    folder: Path, options: PredictOptions, settings: dict[str, object], share: Share
) -> FrameLog:
    """Open the log of the run, or of this part of it."""
    if share.parts == 1:
        return open_log(folder, options, settings)
    return open_part(folder, options, settings, share)


def _stream(looker: Looker, writer: Writer, console: Console) -> bool:
    """Pass every frame that is not done yet; True if the user stopped it."""
    stream, known = writer.stream, len(writer.log)
    nothing: tuple[Frame, ...] = ()  # the bar is moved by hand, from the writing end
    expected = expected_frames(stream, writer.options.stride)
    total = None if expected is None else expected - known
    with console.bar(nothing, "predict", total=total, unit="frame") as bar:

        def write(frame: Frame, prediction: Prediction) -> None:
            writer.write(frame, prediction)
            bar.update()

        try:
            frames = stream.frames(writer.log.__contains__)
            run_pipeline(frames, looker.frames, write)
        except (KeyboardInterrupt, Interrupted):
            return True
    return False


def _say_waiting(
    share: Share, summary: dict[str, Any], waiting: list[int], console: Console
) -> None:
    """Tell that this part is done, and which are not."""
    for problem in problems_of(summary["errors"]):
        console.warn(problem)
    names = ", ".join(map(str, waiting))
    console.say(
        f"part {share.part} of {share.parts} is done: {counted(summary['frames'], 'frame')}; the "
        f"last of the parts {names} to finish writes tables, map and report"
    )


def _say_result(folder: Path, summary: dict[str, Any], console: Console) -> None:
    """Tell what was found and where it is."""
    metres = f", {summary['length_m']:.1f} m" if summary["length_m"] is not None else ""
    each = summary["seconds_per_frame"]
    console.say(
        f"{counted(summary['cracks'], 'crack')} in {counted(summary['frames'], 'frame')}{metres}"
        + ("" if each is None else f"; {each:g} s a frame")
    )
    for problem in problems_of(summary["errors"]):
        console.warn(problem)
    if "road_cracks" in summary:
        console.say(
            f"on the road: {counted(summary['road_cracks'], 'crack')}, "
            f"{summary['road_length_m']:,.1f} m, each counted once and with the pieces that "
            f"--min-length leaves out of frames; {summary['frames_placed']:,} of "
            f"{summary['frames']:,} frames lie on the track"
        )
    console.say(f"masks, overlays, tables and report: {folder}")
