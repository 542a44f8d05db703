"""What is true of a drive: every crack, and of it what each frame shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.cracks import Crack
from sam_crack.data.synth.frame import RenderedFrame
from sam_crack.data.synth.layers import FAINTEST_PX, MASK_RULE, outline_px, width_px
from sam_crack.data.synth.view import View

Float = NDArray[np.float64]
REACH_M = 20.0
"""Per-frame lengths and widths count what is no further ahead than this."""


def crack_row(crack: Crack) -> dict[str, Any]:
    """Describe a crack that lies on the plan, for `truth.json`."""
    return {
        "id": crack.id,
        "class": crack.kind,
        "length_mm": round(crack.length_mm, 1),
        "mean_width_mm": round(crack.mean_width_mm, 2),
        "max_width_mm": round(crack.max_width_mm, 2),
        "branches": [
            {
                "east_north_m": np.round(branch.line, 4).tolist(),
                "width_mm": np.round(branch.width_mm, 2).tolist(),
            }
            for branch in crack.branches
        ],
    }


def frame_row(frame: RenderedFrame, *, name: str, seconds: float) -> dict[str, Any]:
    """Describe a frame: its pose, and the part of each crack that it shows."""
    pose = frame.view.pose
    return {
        "frame": name,
        "time_s": seconds,
        "east_m": round(pose.east_m, 4),
        "north_m": round(pose.north_m, 4),
        "heading_deg": round(pose.heading_deg, 5),
        "station_m": pose.station_m,
        "cracks": [row for crack in frame.cracks if (row := visible_part(frame, crack))],
    }


def visible_part(frame: RenderedFrame, crack: Crack) -> dict[str, Any] | None:
    """Measure the part of a crack inside the frame, unhidden and within `REACH_M`."""
    lengths, widths = crack.step_sizes_mm
    left, right, joined = outline_px(frame.view, crack)
    seen = joined & _seen_steps(frame, crack)
    if not seen.any():
        return None
    with np.errstate(invalid="ignore"):
        drawn = seen & (width_px(left, right) >= FAINTEST_PX)
    length, width = lengths[seen], widths[seen]
    return {
        "id": crack.id,
        "class": crack.kind,
        "length_mm": round(float(length.sum()), 1),
        "mean_width_mm": round(float(length @ width / length.sum()), 2),
        "max_width_mm": round(float(width.max()), 2),
        "length_in_mask_mm": round(float(lengths[drawn].sum()), 1),
    }


def _seen_steps(frame: RenderedFrame, crack: Crack) -> NDArray[np.bool_]:
    """Whether the middle of every segment is in the frame, near enough and unhidden."""
    line = np.concatenate([branch.line for branch in crack.branches])
    middle = (line[1:] + line[:-1]) / 2
    ahead = frame.view.pose.to_camera(middle)[:, 1]
    pixels = frame.view.project(middle)
    height, width = frame.mask.shape
    inside = (ahead <= REACH_M) & np.isfinite(pixels).all(axis=1)
    whole = np.round(np.where(inside[:, None], pixels, -1)).astype(np.int64)
    y, x = whole[:, 0], whole[:, 1]
    inside &= (y >= 0) & (y < height) & (x >= 0) & (x < width)
    inside[inside] = ~frame.front[y[inside], x[inside]]
    found: NDArray[np.bool_] = inside
    return found


def head_row(view: View, *, seed: int, spacing_m: float, seconds: float) -> dict[str, Any]:
    """Say what `truth.json` means and how the drive was made."""
    latitude, longitude = view.track.start
    return {
        "seed": seed,
        "size": list(view.camera.size),
        "spacing_m": spacing_m,
        "seconds_per_frame": seconds,
        "reach_m": REACH_M,
        "origin": {"lat": latitude, "lon": longitude},
        "mask_rule": MASK_RULE,
        "coordinates": (
            "Cracks lie in the drive's plan: metres east and north of its origin. A frame's pose "
            "turns them into the camera's ground axes of camera.json: with d = (east, north) - "
            "pose and h = heading, x = d.east cos h - d.north sin h and "
            "z = d.east sin h + d.north cos h."
        ),
        "lengths": (
            "A crack's length is the sum over its branches along their centre lines, its mean "
            "width is weighted by length. Per frame they count the part inside the frame, not "
            "hidden, and no more than reach_m ahead; length_in_mask_mm counts of that what is "
            f"at least {FAINTEST_PX} px wide in the picture."
        ),
    }
