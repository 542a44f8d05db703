"""The verb `data synth`: renders a drive into a folder, frame by frame, and continues one."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.config.verbs import SynthOptions
from sam_crack.console import Console
from sam_crack.data.synth.frame import cracks_near, render_frame, view_of
from sam_crack.data.synth.look import look_of
from sam_crack.data.synth.readme import readme_text
from sam_crack.data.synth.tables import (
    Place,
    csv_text,
    frame_name,
    gpx_text,
    place_of,
    seconds_per_frame,
    splits,
)
from sam_crack.data.synth.truth import REACH_M, crack_row, frame_row, head_row
from sam_crack.data.video import write_video
from sam_crack.durable import write_bytes, write_text
from sam_crack.errors import BadInput

STAMP = "drive.json"
BYTES_PER_PIXEL = 0.3
"""Of a frame with its mask and lane; a little more than was measured."""
SMALLEST, LARGEST = 64, 8192


def run_synth(options: SynthOptions, console: Console) -> dict[str, object]:
    """Render a practice drive with its truth."""
    _check_size(options)
    root = options.out
    present = _claim(root, options)
    missing = [index for index in range(options.frames) if index not in present]
    _check_disk(options, len(missing), console=console)
    for index in console.progress(missing, "rendering", unit="frame"):
        _write_frame(options, index)
    summary = _write_tables(options)
    video = _write_video(options, console)
    console.say(
        f"{options.frames} frames in {root} ({len(missing)} rendered now), "
        f"{summary['cracks']} cracks, {summary['crack_length_m']} m of them"
    )
    rendered = {"rendered": len(missing), "kept": len(present), "video": video}
    return {"root": str(root), "frames": options.frames, **rendered, **summary}


def _check_size(options: SynthOptions) -> None:
    if not all(SMALLEST <= side <= LARGEST for side in options.size):
        raise BadInput(
            f"--size {options.size[0]},{options.size[1]}",
            f"height,width, each {SMALLEST} to {LARGEST} pixels",
            "for example --size 2160,3840",
        )


def _settings(options: SynthOptions) -> dict[str, object]:
    return {
        "made_by": "sam-crack data synth",
        "seed": options.seed,
        "size": list(options.size),
        "spacing_m": options.spacing,
    }


def _claim(root: Path, options: SynthOptions) -> set[int]:
    """Make the folder ours, or find what is already in it; refuse anyone else's."""
    stamp = root / STAMP
    if root.exists() and not root.is_dir():
        raise BadInput(f"{root} is a file", "a folder, new or empty", "choose another --out")
    if root.is_dir() and any(root.iterdir()) and not stamp.is_file():
        raise BadInput(
            f"{root} holds other files",
            "a new or empty folder, or a drive to continue",
            "choose another --out",
        )
    if stamp.is_file():
        found = _read_stamp(stamp)
        if found != _settings(options):
            raise BadInput(
                f"{root} holds a drive made with other settings: {_differences(found, options)}",
                "the same --seed, --size and --spacing",
                "choose another --out, or give the settings of the drive that is there",
            )
    else:
        write_text(stamp, json.dumps(_settings(options), indent=2) + "\n")
    present = {int(path.stem) for path in (root / "truth").glob("[0-9]*.json") if _whole(path)}
    if present and max(present) >= options.frames:
        raise BadInput(
            f"{root} already holds {max(present) + 1} frames, --frames {options.frames} is fewer",
            f"--frames {max(present) + 1} or more",
            "choose another --out for a shorter drive",
        )
    return present


def _whole(truth: Path) -> bool:
    """Whether all files of a frame are there."""
    root, name = truth.parents[1], truth.stem
    files = ("images", f"{name}.jpg"), ("masks", f"{name}.png"), ("lanes", f"{name}.png")
    return all((root / folder / file).is_file() for folder, file in files)


def _read_stamp(stamp: Path) -> dict[str, Any]:
    try:
        found = json.loads(stamp.read_text("utf-8"))
    except ValueError as error:
        raise BadInput(
            f"{stamp} cannot be read ({error})", "the file this verb wrote", "choose another --out"
        ) from error
    return found if isinstance(found, dict) else {}


def _differences(found: dict[str, Any], options: SynthOptions) -> str:
    asked = _settings(options)
    return ", ".join(
        f"{key} {found.get(key)}, asked {asked[key]}"
        for key in asked
        if found.get(key) != asked[key]
    )


def _check_disk(options: SynthOptions, missing: int, *, console: Console) -> None:
    """Say how much will be written, and refuse before the disk is full rather than after."""
    pixels = options.size[0] * options.size[1]
    share = BYTES_PER_PIXEL * (missing + (options.frames if options.video != "none" else 0))
    need, free = int(pixels * share), shutil.disk_usage(options.out).free
    console.say(
        f"{missing} of {options.frames} frames to render, about {need / 1e6:,.0f} MB to write; "
        f"{free / 1e6:,.0f} MB free"
    )
    if need > 0.95 * free:
        raise BadInput(
            f"about {need / 1e6:,.0f} MB to write and {free / 1e6:,.0f} MB free at {options.out}",
            "enough free space",
            "render fewer --frames, a smaller --size, or to another disk",
        )


def _write_frame(options: SynthOptions, index: int) -> None:
    """Render one frame and write its files; the truth comes last and marks it as done."""
    root, name, look = options.out, frame_name(index), look_of(options.seed)
    frame = render_frame(options.seed, index, options.size, spacing_m=options.spacing)
    write_bytes(root / "masks" / f"{name}.png", _encode(".png", frame.mask))
    write_bytes(root / "lanes" / f"{name}.png", _encode(".png", frame.lane))
    quality = [cv2.IMWRITE_JPEG_QUALITY, look.quality]
    picture = _encode(".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), quality)
    write_bytes(root / "images" / f"{name}.jpg", picture)
    seconds = round(index * seconds_per_frame(look, options.spacing), 3)
    row = frame_row(frame, name=name, seconds=seconds)
    write_text(root / "truth" / f"{name}.json", json.dumps(row) + "\n")


def _encode(suffix: str, image: NDArray[np.uint8], flags: Sequence[int] = ()) -> bytes:
    good, data = cv2.imencode(suffix, image, list(flags))
    assert good, suffix
    return bytes(data.tobytes())


def _write_tables(options: SynthOptions) -> dict[str, object]:
    """Write everything that covers the whole drive."""
    root = options.out
    places: list[Place] = []
    cracks: dict[str, dict[str, Any]] = {}
    for index in range(options.frames):
        view = view_of(options.seed, index, options.size, spacing_m=options.spacing)
        places.append(place_of(view, index, spacing_m=options.spacing))
        for crack in cracks_near(options.seed, view):
            cracks.setdefault(crack.id, crack_row(crack))
    rows = [json.loads((root / "truth" / f"{p.name}.json").read_text("utf-8")) for p in places]
    head = head_row(
        view,
        seed=options.seed,
        spacing_m=options.spacing,
        seconds=seconds_per_frame(view.look, options.spacing),
    )
    truth = {**head, "cracks": list(cracks.values()), "frames": rows}
    write_text(root / "truth.json", json.dumps(truth) + "\n")
    view.camera.save(root / ".camera.json")
    (root / ".camera.json").replace(root / "camera.json")
    write_text(root / "track.gpx", gpx_text(places))
    write_text(root / "frames.csv", csv_text(places))
    gap = math.ceil(REACH_M / options.spacing)
    for split, names in splits([place.name for place in places], gap=gap).items():
        write_text(root / f"{split}.txt", "".join(f"{name}\n" for name in names))
    write_text(root / "README.txt", readme_text(options, gap=gap))
    length = sum(float(row["length_mm"]) for row in cracks.values())
    return {"cracks": len(cracks), "crack_length_m": round(length / 1000, 1)}


def _write_video(options: SynthOptions, console: Console) -> str | None:
    """Write the video that was asked for."""
    if options.video == "none":
        return None
    path = options.out / ("drive.mp4" if options.video == "mpeg4" else "drive.avi")
    pictures = [
        options.out / "images" / f"{frame_name(index)}.jpg" for index in range(options.frames)
    ]
    bar = console.progress(pictures, "video", unit="frame")
    seconds = seconds_per_frame(look_of(options.seed), options.spacing)
    write_video(path, bar, hertz=1 / seconds)
    return str(path)
