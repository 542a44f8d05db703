"""`sam-crack camera calibrate`: places in one frame become camera.json."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sam_crack.config.look_verbs import CalibrateOptions
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.measure.camera import Camera
from sam_crack.measure.camera_fit import Fit, fit_lines, fit_points, focal_of

SHOWN_M = (5.0, 10.0, 15.0)


def run_camera_calibrate(options: CalibrateOptions, console: Console) -> dict[str, object]:
    """Find the camera and write it."""
    if bool(options.points) == bool(options.lines):
        raise UsageError("--points and --lines", "one of the two")
    if options.focal is not None and options.fov is not None:
        raise UsageError("--focal and --fov", "one of the two")
    focal = options.focal
    if options.fov is not None:
        focal = focal_of(options.size, options.fov)
    fit = _from_points(options, focal) if options.points else _from_lines(options, focal)
    camera = Camera(
        height_m=round(fit.camera.height_m, 4),
        pitch_deg=round(fit.camera.pitch_deg, 4),
        focal_px=round(fit.camera.focal_px, 2),
        size=fit.camera.size,
        roll_deg=round(fit.camera.roll_deg, 4),
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    camera.save(options.out)
    console.say(
        f"{camera.height_m:.3f} m high, {camera.pitch_deg:.2f} degrees down, "
        f"{camera.roll_deg:.2f} degrees turned, focal length {camera.focal_px:.0f} px; "
        f"misses what was given by {fit.miss_px:.1f} px"
    )
    rows = [_sampling(camera, ahead) for ahead in SHOWN_M]
    console.table(("metres ahead", "row", "mm/px down", "mm/px across"), rows)
    console.say(f"written to {options.out}; use it with predict --camera")
    return {
        "camera": str(options.out),
        "height_m": camera.height_m,
        "pitch_deg": camera.pitch_deg,
        "roll_deg": camera.roll_deg,
        "focal_px": camera.focal_px,
        "miss_px": round(fit.miss_px, 3),
    }


def _sampling(camera: Camera, ahead_m: float) -> tuple[object, ...]:
    """What a pixel is on the road so far ahead."""
    pixel = camera.to_pixels([0.0, ahead_m])
    down, across = camera.millimetres_per_pixel(pixel)
    return (f"{ahead_m:g}", f"{pixel[0]:.0f}", f"{down:.1f}", f"{across:.1f}")


def _from_points(options: CalibrateOptions, focal: float | None) -> Fit:
    table = _numbers("points", options.points)
    return fit_points(table[:, :2], table[:, 2:], options.size, focal_px=focal)


def _from_lines(options: CalibrateOptions, focal: float | None) -> Fit:
    if focal is None:
        raise UsageError("--lines without a focal length", "add --focal or --fov")
    if (options.height is None) == (options.lane_width is None):
        raise UsageError("--lines", "add --height or --lane-width, one of the two")
    return fit_lines(
        _numbers("lines", options.lines).reshape(-1, 2, 2),
        options.size,
        focal_px=focal,
        height_m=options.height,
        lane_m=options.lane_width,
    )


def _numbers(name: str, text: str) -> NDArray[np.float64]:
    """Read groups of four numbers."""
    groups = [group for group in text.split(";") if group.strip()]
    try:
        table = [[float(part) for part in group.split(",")] for group in groups]
        if any(len(row) != 4 or not all(map(math.isfinite, row)) for row in table):
            raise ValueError
    except ValueError:
        raise UsageError(
            f"--{name} {text[:60]!r}", "groups of four numbers, with semicolons between groups"
        ) from None
    return np.array(table, dtype=np.float64).reshape(-1, 4)
