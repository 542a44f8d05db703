"""`sam-crack demo`: the whole promise in a few minutes, on a road that is rendered on the spot."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sam_crack import durable
from sam_crack.config.load import config_hash, load_config, shipped_config
from sam_crack.config.runs import write_run_header
from sam_crack.config.schema import BackboneConfig, RunConfig
from sam_crack.config.verbs import DemoOptions, SynthOptions
from sam_crack.console import Console
from sam_crack.data.synth.drive import run_synth
from sam_crack.errors import BadInput, IntegrityError
from sam_crack.studies.demo.page import summarise, write_page
from sam_crack.studies.demo.road import look_with_road
from sam_crack.studies.demo.teach import FROM_BASE, TRAIN_FRAMES, VAL_FRAMES, teach
from sam_crack.studies.demo.truth import Looker
from sam_crack.train.session import CHECKPOINT
from sam_crack.train.state import FolderLock
from sam_crack.weights.base import fetch

OTHER_ROADS, OTHER_FRAMES = 2, 3
"""Roads besides the one that is looked at, each with its own light and surface."""
SPACING_M = 25.0
"""Between frames: more than the 20 m within which cracks count, so no frame shows another's."""


def run_demo(options: DemoOptions, console: Console) -> dict[str, object]:
    """Fetch SAM, render a road, teach, look at held-back frames, and report."""
    began = time.perf_counter()
    with FolderLock(options.out):
        config, note = _config(options, console)
        # Another configuration is another run; rendered roads are shared by all.
        start = options.start if config.model.backbone.pretrained else FROM_BASE
        folder = options.out / f"run-{Path(start).name}-{config_hash(config)[:8]}"
        write_run_header(folder, config, sys.argv)
        with _step(console, "2/5", "render the road to learn from and look at, and two others"):
            roads = _render(options, console)
        with _step(console, "3/5", f"teach {config.model.backbone.name} for {options.steps} steps"):
            taught = teach(config, start, roads, folder, console)
        with _step(console, "4/5", f"look at {options.frames} held-back frames"):
            looker = Looker(folder / CHECKPOINT, config.infer, roads[0])
            first = TRAIN_FRAMES + VAL_FRAMES
            frames = range(first, first + options.frames)
            results = [
                looker.look(index) for index in console.progress(frames, "look", unit="frame")
            ]
            road = None
            if config.model.backbone.pretrained:
                labelled = range(TRAIN_FRAMES, first)
                road = look_with_road(
                    config.infer, roads[0], labelled=labelled, frames=frames, console=console
                )
        with _step(console, "5/5", "write the report"):
            summary = summarise(config, taught, results, road=road, note=note)
            durable.write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
            page = write_page(
                folder / "report.html",
                config=config,
                taught=taught,
                results=results,
                road=road,
                drive=roads[0],
                note=note,
            )
    minutes = (time.perf_counter() - began) / 60
    console.say(f"\n{summary['line']}\nThis took {minutes:.1f} minutes. Open the report:\n{page}")
    return {**summary, "report": page, "minutes": minutes}


@contextmanager
def _step(console: Console, number: str, what: str) -> Iterator[None]:
    """Announce a part of the demo, and say how long it took."""
    console.say(f"[{number}] {what}")
    began = time.perf_counter()
    yield
    console.say(f"      done in {time.perf_counter() - began:.0f} s")


def _config(options: DemoOptions, console: Console) -> tuple[RunConfig, str]:
    """Take MobileSAM where it can be had, else the small random SAM, and say so."""
    config = load_config(RunConfig, file=shipped_config("demo"))
    config = dataclasses.replace(
        config, seed=options.seed, train=dataclasses.replace(config.train, steps=options.steps)
    )
    with _step(console, "1/5", "get MobileSAM"):
        try:
            fetch(config.model.backbone.name, console)
        except (BadInput, IntegrityError) as error:  # an interrupt stays one
            console.warn(f"{error}")
            note = (
                "MobileSAM could not be fetched. This demo ran on a tiny SAM with random weights: "
                "it shows that every part works, and its results say nothing about SAM."
            )
            console.warn(note)
            tiny = BackboneConfig(name="tiny", pretrained=False)
            return dataclasses.replace(
                config, model=dataclasses.replace(config.model, backbone=tiny)
            ), note
    return config, ""


def _render(options: DemoOptions, console: Console) -> list[Path]:
    """Render the road to learn from, validate and look at, and others for variety."""
    quiet = dataclasses.replace(console, quiet=True, no_progress=True)
    lengths = [TRAIN_FRAMES + VAL_FRAMES + options.frames, *[OTHER_FRAMES] * OTHER_ROADS]
    folders = []
    for number, frames in enumerate(console.progress(lengths, "render", unit="road")):
        seed = options.seed * 10 + number
        # Size and length are part of the name: the folder of another one would be refused.
        root = options.out / f"road-{seed}-{options.size[0]}-{frames}"
        road = SynthOptions(
            out=root, frames=frames, seed=seed, video="none", size=options.size, spacing=SPACING_M
        )
        run_synth(road, quiet)
        folders.append(root)
    return folders
