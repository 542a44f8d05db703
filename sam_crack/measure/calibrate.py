"""From the text of the command line to a camera: road points, or marks and what is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sam_crack.config.look_verbs import CalibrateOptions
from sam_crack.errors import BadInput, UsageError
from sam_crack.measure.camera import STRAIGHT, Camera, Five
from sam_crack.measure.camera_file import check_lens, read_distortion
from sam_crack.measure.camera_fit import Fit, fit_points, focal_of
from sam_crack.measure.line_fit import Marks, fit_lines

Float = NDArray[np.float64]
EXAMPLE = "see sam-crack camera calibrate --help for an example"


def calibrate(options: CalibrateOptions) -> Fit:
    """Find the camera, rounded as it is written."""
    if bool(options.points) == bool(options.lines):
        given = "--points and --lines" if options.points else "neither --points nor --lines"
        raise UsageError(given, "one of the two", EXAMPLE)
    if options.focal is not None and options.fov is not None:
        raise UsageError("--focal and --fov", "one of the two", "leave --fov out")
    focal = options.focal
    if options.fov is not None:
        focal = focal_of(options.size, options.fov)
    lens = _distortion(options.distortion)
    fit = (
        _from_points(options, focal, lens) if options.points else _from_lines(options, focal, lens)
    )
    camera = replace(
        fit.camera,
        height_m=round(fit.camera.height_m, 4),
        pitch_deg=round(fit.camera.pitch_deg, 4),
        focal_px=round(fit.camera.focal_px, 2),
        roll_deg=round(fit.camera.roll_deg, 4),
    )
    check_lens(camera)
    return replace(fit, camera=camera)


def given_places(options: CalibrateOptions) -> tuple[Float, Float]:
    """Return what was marked in the frame: points (n, 2) and lines (m, 2, 2), as (y, x)."""
    points = _groups("points", options.points, (4,))[:, :2]
    lanes = _groups("lines", options.lines, (4, 5))[:, :4]
    lines = np.concatenate([lanes, _groups("across", options.across, (4,))])
    return points, lines.reshape(-1, 2, 2)


def _from_points(options: CalibrateOptions, focal: float | None, lens: Five) -> Fit:
    table = _groups("points", options.points, (4,))
    return fit_points(table[:, :2], table[:, 2:], options.size, focal_px=focal, distortion=lens)


def _from_lines(options: CalibrateOptions, focal: float | None, lens: Five) -> Fit:
    if focal is None:
        raise UsageError("--lines alone", "lines with a focal length", "add --focal or --fov")
    table = _groups("lines", options.lines, (4, 5))
    marks = Marks(
        lanes=table[:, :4].reshape(-1, 2, 2),
        right_m=table[:, 4],
        across=_groups("across", options.across, (4,))[:, :4].reshape(-1, 2, 2),
    )
    places_known = np.isfinite(marks.right_m).any()
    if options.lane_width is not None and places_known:
        raise UsageError(
            "--lane-width and a fifth number in --lines", "one of the two", "leave --lane-width out"
        )
    if options.lane_width is not None:
        marks = marks.with_width(options.lane_width, options.size)
    elif options.height is None and not places_known:
        raise UsageError(
            "--lines", "lines with a measure in metres", "add --height, --lane-width or both"
        )
    camera = Camera(height_m=1.0, pitch_deg=0.0, focal_px=focal, size=options.size, distortion=lens)
    return fit_lines(marks, camera, height_m=options.height)


def _distortion(text: str) -> Five:
    """Read k1,k2,p1,p2,k3."""
    if not text:
        return STRAIGHT
    try:
        return read_distortion([float(part) for part in text.split(",")])
    except (ValueError, BadInput):
        raise UsageError(
            f"--distortion {text[:60]!r}",
            "k1,k2,p1,p2 and k3, as cv2.calibrateCamera returns them",
            "for example --distortion=-0.21,0.05,0,0,0",
        ) from None


def _groups(name: str, text: str, sizes: tuple[int, ...]) -> Float:
    """Read groups of numbers (n, largest size); what a group leaves out is NaN."""
    groups = [group for group in text.split(";") if group.strip()]
    try:
        table = [[float(part) for part in group.split(",")] for group in groups]
        if any(len(row) not in sizes or not all(map(math.isfinite, row)) for row in table):
            raise ValueError
    except ValueError:
        raise UsageError(
            f"--{name} {text[:60]!r}",
            f"groups of {' or '.join(map(str, sizes))} numbers, with semicolons between groups",
            EXAMPLE,
        ) from None
    rows = [row + [math.nan] * (max(sizes) - len(row)) for row in table]
    return np.array(rows, dtype=np.float64).reshape(-1, max(sizes))
