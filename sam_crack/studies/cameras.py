"""`sam-crack camera`: find a camera from places in one frame, and look at what it claims."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.config.look_verbs import CalibrateOptions, CameraGridOptions
from sam_crack.console import Console
from sam_crack.data.formats.images import read_rgb
from sam_crack.durable import write_bytes
from sam_crack.errors import BadInput
from sam_crack.measure.calibrate import calibrate, given_places
from sam_crack.measure.camera_file import load_camera
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.report.grid import draw_grid

SHOWN_M = (5.0, 10.0, 15.0, 25.0)


def run_camera_calibrate(options: CalibrateOptions, console: Console) -> dict[str, object]:
    """Find the camera and write it, and its grid over the frame where one is given."""
    frame = None if options.frame is None else _read(options.frame, options.size)
    fit = calibrate(options)
    camera = fit.camera
    options.out.parent.mkdir(parents=True, exist_ok=True)
    camera.save(options.out)
    turned = f"{camera.roll_deg:.2f} degrees turned" if fit.has_roll else "taken to stand upright"
    console.say(
        f"{camera.height_m:.3f} m high, {camera.pitch_deg:.2f} degrees down, {turned}, "
        f"focal length {camera.focal_px:.0f} px; misses what was given by {fit.miss_px:.1f} px"
    )
    _show_sampling(camera, console)
    found: dict[str, object] = {
        "camera": str(options.out),
        "height_m": camera.height_m,
        "pitch_deg": camera.pitch_deg,
        "roll_deg": camera.roll_deg,
        "roll_found": fit.has_roll,
        "focal_px": camera.focal_px,
        "miss_px": round(fit.miss_px, 3),
        "grid": None,
    }
    if frame is not None:
        points, lines = given_places(options)
        picture = options.out.with_suffix(".png")
        _write(picture, draw_grid(frame, camera, points=points, lines=lines))
        console.say(f"grid of metres drawn to {picture}; it should lie on the road")
        found["grid"] = str(picture)
    console.say(f"written to {options.out}; use it with predict --camera")
    return found


def run_camera_grid(options: CameraGridOptions, console: Console) -> dict[str, object]:
    """Draw a camera's grid of metres over a frame."""
    camera = load_camera(options.camera)
    frame = read_rgb(options.frame)
    camera = camera.resized((frame.shape[0], frame.shape[1]))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    _write(options.out, draw_grid(frame, camera))
    console.say(camera.words)
    rows = _show_sampling(camera, console)
    console.say(f"grid of metres drawn to {options.out}; it should lie on the road")
    return {"camera": str(options.camera), "grid": str(options.out), "sampling": rows}


def _read(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read the frame; one of another size was not what the places were marked in."""
    frame = read_rgb(path)
    if frame.shape[:2] != tuple(size):
        raise BadInput(
            f"{path} of {frame.shape[0]} x {frame.shape[1]}",
            f"a frame of {size[0]} x {size[1]}, as was said",
            "give the frame's own height,width, and places in its pixels",
        )
    return frame


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a PNG, whole or not at all."""
    good, content = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if path.suffix.lower() != ".png" or not good:
        raise BadInput(f"{path}", "a file that ends in .png", "for example grid.png")
    write_bytes(path, content.tobytes())


def _show_sampling(camera: RoadCamera, console: Console) -> list[dict[str, float]]:
    """Say what a pixel is on the road ahead; the smallest width is that of one pixel."""
    rows = []
    for ahead_m in SHOWN_M:
        pixel = camera.to_pixels([0.0, ahead_m])
        down, across = camera.millimetres_per_pixel(pixel)
        if np.isfinite([*pixel, down, across]).all() and 0 <= pixel[0] < camera.size[0]:
            rows.append(
                {
                    "ahead_m": ahead_m,
                    "row": round(float(pixel[0]), 1),
                    "down_mm": round(float(down), 2),
                    "across_mm": round(float(across), 2),
                }
            )
    table = [
        (
            f"{row['ahead_m']:g}",
            f"{row['row']:.0f}",
            f"{row['down_mm']:.1f}",
            f"{row['across_mm']:.1f}",
        )
        for row in rows
    ]
    console.table(("metres ahead", "row", "mm/px down", "mm/px across"), table)
    return rows
