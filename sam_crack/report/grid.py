"""A metric grid over a frame, so that an eye can judge whether a camera fits its road."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.road_camera import RoadCamera
from sam_crack.report.lettering import annotate
from sam_crack.report.overlay import line_width

Float = NDArray[np.float64]
Frame = NDArray[np.uint8]
Colour = tuple[int, int, int]
FINE, BOLD, MARKED = (90, 220, 255), (255, 220, 0), (255, 70, 40)
SKY: Colour = (255, 255, 255)
PAPER: Colour = (20, 24, 28)
NUM_COLUMNS = 65
EVERY_M, BOLD_EVERY = 1, 5
SIDE_M, NEAREST_M, FARTHEST_M = 6, 2, 25
STEP_M = 0.05
SHIFT = 4
"""Binary places of the coordinates that OpenCV draws with."""
FINEST_PX = 8.0
"""Fine lines stop where they would be closer than this, of a frame 1,000 px wide."""


def draw_grid(
    frame: Frame,
    camera: RoadCamera,
    *,
    points: Float | None = None,
    lines: Float | None = None,
) -> Frame:
    """Return a copy of an RGB frame with a grid of metres on its road, and the horizon.

    Args:
        frame: (height, width, 3) of the camera's size.
        camera: What is to be judged.
        points: (n, 2) as (y, x), places that were marked in the frame.
        lines: (m, 2, 2) marked lines.
    """
    picture, thick = frame.copy(), line_width(frame.shape[:2])
    _draw(picture, _horizon(camera), SKY, thick=thick)
    farthest = _farthest(camera)
    for is_bold in (False, True):
        for line in _lines(camera, farthest, is_bold=is_bold):
            _draw(picture, line, BOLD if is_bold else FINE, thick=thick * (1 + is_bold))
    for line in () if lines is None else lines:
        _draw(picture, line, MARKED, thick=2 * thick)
    for y, x in () if points is None else points:
        centre = round(x * 2**SHIFT), round(y * 2**SHIFT)
        for colour, wide in ((PAPER, 3 * thick), (MARKED, thick + 1)):
            cv2.circle(picture, centre, 8 * thick << SHIFT, colour, wide, cv2.LINE_AA, SHIFT)
    return annotate(picture, _labels(camera))


def _farthest(camera: RoadCamera) -> float:
    """Metres ahead to which lines a metre apart can be told apart in the frame."""
    ahead = np.arange(NEAREST_M, FARTHEST_M + 1.0)
    with np.errstate(invalid="ignore"):
        rows = camera.to_pixels(np.stack([np.zeros_like(ahead), ahead], axis=1))[:, 0]
        apart = -np.diff(rows)
    clear = ahead[1:][apart >= FINEST_PX * camera.size[1] / 1000]
    return float(clear.max()) if len(clear) else float(NEAREST_M)


def _horizon(camera: RoadCamera) -> Float:
    """Where the road ends in the frame, (n, 2) as (y, x); NaN in columns that end elsewhere."""
    height, width = camera.size
    columns = np.linspace(0, width - 1, NUM_COLUMNS)
    pixels = np.stack(np.meshgrid(np.arange(float(height)), columns, indexing="ij"), axis=-1)
    seen: NDArray[np.bool_] = np.isfinite(camera.to_ground(pixels)[..., 1])
    first = np.where(seen.any(axis=0) & ~seen[0], seen.argmax(axis=0), np.nan)
    return np.stack([first, columns], axis=1)


def _lines(camera: RoadCamera, farthest: float, *, is_bold: bool) -> Iterator[Float]:
    """Yield grid lines as pixels: straight ahead and across, at whole metres from the camera."""
    last = FARTHEST_M if is_bold else farthest
    ahead = np.arange(NEAREST_M, last + STEP_M / 2, STEP_M)
    aside = np.arange(-SIDE_M, SIDE_M + STEP_M / 2, STEP_M)
    for metre in range(-SIDE_M, SIDE_M + 1, EVERY_M):
        if (metre == 0) == is_bold:
            yield camera.to_pixels(np.stack([np.full_like(ahead, metre), ahead], axis=1))
    for metre in range(NEAREST_M, int(last) + 1, EVERY_M):
        if (metre % BOLD_EVERY == 0) == is_bold:
            yield camera.to_pixels(np.stack([aside, np.full_like(aside, metre)], axis=1))


def _draw(picture: Frame, line: Float, colour: Colour, *, thick: int) -> None:
    """Draw a line with a dark rim, as far as it can be seen."""
    # OpenCV draws with 32-bit coordinates: what lies far outside the frame is left out
    with np.errstate(invalid="ignore"):
        good = np.isfinite(line).all(axis=1) & (np.abs(line) < 30_000).all(axis=1)
    edges = np.flatnonzero(np.diff(good.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    for a, b in edges.tolist():
        corners = np.round(line[a:b, ::-1] * 2**SHIFT).astype(np.int32)[:, None]
        for tint, wide in ((PAPER, thick + 2), (colour, thick)):
            cv2.polylines(picture, [corners], False, tint, wide, cv2.LINE_AA, SHIFT)


def _labels(camera: RoadCamera) -> list[tuple[str, float, float]]:
    """Name the bold lines: metres ahead beside the left end that is seen, and the sides."""
    height, width = camera.size
    found = []
    for metre in range(BOLD_EVERY, FARTHEST_M + 1, BOLD_EVERY):
        aside = np.linspace(-SIDE_M, SIDE_M, 8 * SIDE_M + 1)
        pixels = camera.to_pixels(np.stack([aside, np.full_like(aside, metre)], axis=1))
        seen = pixels[_inside(pixels, height, width)]
        if len(seen):
            found.append((f"{metre} m", float(seen[0, 0]), float(seen[0, 1])))
    return found


def _inside(pixels: Float, height: int, width: int) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        inside: NDArray[np.bool_] = np.all((pixels >= 0) & (pixels < (height, width)), axis=1)
    return inside
