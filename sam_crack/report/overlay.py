"""Masks drawn on frames so that a hairline crack is still seen on a thumbnail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput
from sam_crack.report.lettering import annotate

Frame = NDArray[np.uint8]
Mask = NDArray[np.bool_] | NDArray[np.uint8]
Colour = tuple[int, int, int]

# These three and asphalt grey stay at least 35 apart (CIE76) under every dichromacy.
FOUND: Colour = (255, 220, 0)
MISSED: Colour = (230, 70, 0)
FALSE: Colour = (0, 140, 255)
CRACK: Colour = (255, 64, 40)
KEY: tuple[tuple[str, Colour], ...] = (("found", FOUND), ("missed", MISSED), ("false", FALSE))
TINT = 0.35
"""Share of the colour inside an outline: what is under it must stay visible."""
THUMBNAIL_PX = 640
"""Width at which a line of `line_width` is still more than a pixel wide."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """A short text beside a place in the frame, such as `3: 1.82 m`."""

    text: str
    y: float
    x: float


def line_width(size: tuple[int, int]) -> int:
    """Return the outline width in pixels for a frame of this height and width."""
    return max(1, round(max(size) / THUMBNAIL_PX))


def draw_overlay(
    frame: Frame,
    mask: Mask,
    *,
    truth: Mask | None = None,
    labels: Sequence[Label] = (),
    tolerance_px: int | None = None,
    legend: bool = True,
) -> Frame:
    """Return a copy of an RGB frame with the cracks of `mask` tinted and outlined.

    With `truth`, three colours tell found, missed and false apart; `legend` explains them on the
    frame, which is for full size: beside thumbnails, show `KEY` as text.
    A pixel counts as found within `tolerance_px` of the other mask (default: the line width), so
    that a border that is off by a hair does not drown what matters.
    """
    _check_frame(frame)
    width = line_width(frame.shape[:2])
    tolerance = width if tolerance_px is None else tolerance_px
    given = [_checked(mask, frame, "mask")]
    if truth is not None:
        given.append(_checked(truth, frame, "truth"))
    drawn = frame.copy()
    # Everything happens around what is marked: most of a frame is clean road and sky.
    place = _around(given, margin_px=width + tolerance)
    parts = [one[place] for one in given]
    if truth is None:
        _paint(drawn[place], [(parts[0], CRACK)], width)
    else:
        found, missed, false = _compare(parts[0], parts[1], tolerance)
        _paint(drawn[place], [(found, FOUND), (false, FALSE), (missed, MISSED)], width)
    names = [f"found (within {tolerance} px)", "missed", "false"]
    entries = list(zip(names, (FOUND, MISSED, FALSE), strict=True))
    return annotate(
        drawn,
        [(label.text, label.y, label.x) for label in labels],
        legend=entries if legend and truth is not None else (),
    )


def thumbnail(frame: Frame, width: int, *, quality: int = 82) -> bytes:
    """Return the RGB frame reduced to `width` pixels as JPEG; it is never enlarged."""
    height_px, width_px = frame.shape[:2]
    if width < width_px:
        size = (width, max(1, round(height_px * width / width_px)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return jpeg(frame, quality=quality)


def jpeg(frame: Frame, *, quality: int = 88) -> bytes:
    """Return the RGB frame as JPEG."""
    bgr = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2BGR)
    ok, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise BadInput(f"a frame of shape {frame.shape} cannot be written as JPEG")
    return content.tobytes()


def _check_frame(frame: Frame) -> None:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise BadInput(
            f"a frame of {frame.dtype} with shape {frame.shape}", "uint8 (height, width, 3), RGB"
        )


def _checked(mask: Mask, frame: Frame, name: str) -> NDArray[np.uint8]:
    """Return the mask as 0 and 1; raise unless it fits the frame."""
    if mask.shape != frame.shape[:2]:
        raise BadInput(
            f"a {name} of shape {mask.shape} for a frame of {frame.shape[:2]}",
            "both must have the same height and width",
        )
    return (mask > 0).view(np.uint8)


def _around(masks: Sequence[NDArray[np.uint8]], *, margin_px: int) -> tuple[slice, slice]:
    """Return the rows and columns that hold every mask, with a margin."""
    boxes = [cv2.boundingRect(mask) for mask in masks]
    boxes = [box for box in boxes if box[2]] or [(0, 0, 0, 0)]
    left = min(x for x, _, _, _ in boxes) - margin_px
    top = min(y for _, y, _, _ in boxes) - margin_px
    right = max(x + width for x, _, width, _ in boxes) + margin_px
    bottom = max(y + height for _, y, _, height in boxes) + margin_px
    return slice(max(0, top), bottom), slice(max(0, left), right)


def _disk(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)


def _compare(
    predicted: NDArray[np.uint8], truth: NDArray[np.uint8], tolerance_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Split both masks into found, missed and false, blind to borders off by the tolerance."""
    disk = _disk(tolerance_px)
    near_truth, near_predicted = cv2.dilate(truth, disk), cv2.dilate(predicted, disk)
    missed = truth & (1 - near_predicted)
    false = predicted & (1 - near_truth)
    found = (truth | predicted) & (1 - missed) & (1 - false)
    return found.astype(np.uint8), missed.astype(np.uint8), false.astype(np.uint8)


def _paint(frame: Frame, layers: Sequence[tuple[NDArray[np.uint8], Colour]], width: int) -> None:
    """Tint each mask in place and draw its outline on the outside, later layers on top."""
    for mask, colour in layers:
        inside = mask > 0
        tinted = frame[inside] * (1 - TINT) + np.array(colour) * TINT
        frame[inside] = np.round(tinted).astype(np.uint8)
        # Outside, so that not one pixel of the crack itself is hidden.
        frame[(cv2.dilate(mask, _disk(width)) > 0) & ~inside] = colour
