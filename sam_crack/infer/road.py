"""Where in a frame is looked: everywhere, a band, a drawn area, where others found something."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter

from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.gate import ROWS, Gate, soften

Region = NDArray[np.bool_]
DRAWN = (1000, 1000)  # cells that a polygon is drawn on
PRIOR_KEPT = 0.995
"""Share of what a prior has seen that lies in the area it opens; it is then widened."""
PRIOR_BLUR = 0.02
"""Blur of a prior, as a share of the height: few frames leave gaps where they saw nothing."""
WIDER = 0.03
"""What was measured and not drawn by hand is widened by this share of the frame's height."""
FORMS = (
    "`all`, `band:TOP,BOTTOM` with shares of the height, 0 <= TOP < BOTTOM <= 1, `mask:FILE` (JSON "
    "polygon or image), `prior:FILE` (heat_SPLIT.npy of `sam-crack data stats`), `auto` or `auto:N`"
)


@dataclass(frozen=True, eq=False)
class Road:
    """Where to look, for frames of any size."""

    region: Region | None = None
    """Cells stretched over the frame that count wholly; None leaves none out."""
    wider: float = 0.0
    """By how much the region is widened, as a share of the frame's height."""
    every: int = 0
    """The region has to be found in the frames, by `RoadFinder`, and holds for so many; 0: it is
    known."""

    def gate(self, size: tuple[int, int]) -> Gate | None:
        """Return how much each place of a frame of this height and width counts; None is alike."""
        if self.region is None:
            return None
        return _gate(self, int(np.clip(round(ROWS * size[1] / size[0]), 1, 16 * ROWS)))


@lru_cache(maxsize=16)
def _gate(road: Road, columns: int) -> Gate:
    """Soften a region on cells that are square in the frame."""
    assert road.region is not None
    # averaging leaves no cell out that the region touches: it errs to keep
    shares = cv2.resize(
        road.region.astype(np.float32), (columns, ROWS), interpolation=cv2.INTER_AREA
    )
    return soften(shares > 0, wider=road.wider)


def parse_road(text: str, *, alone: bool = False) -> Road:
    """Read one of `FORMS`; files are read at once, so that mistakes come early.

    Args:
        text: As given.
        alone: Refuse what depends on the frames that came before.
    """
    road = _parsed(text)
    if alone and road.every > 1:
        raise UsageError(
            f"road {text!r}",
            "here each frame is looked at by itself, whichever come before it",
            "use auto, which finds the road in each",
        )
    return road


def _parsed(text: str) -> Road:
    kind, _, rest = text.partition(":")
    match kind, rest:
        case "all", "" if text == "all":
            return Road()
        case "auto", "" if text == "auto":
            return Road(every=1)
        case "auto", _ if rest.isdecimal() and 0 < int(rest) < 10**6:
            return Road(every=int(rest))
        case "band", _ if rest:
            return _band(text, rest)
        case "mask", _ if rest:
            return Road(_drawn(Path(rest).expanduser()))
        case "prior", _ if rest:
            return Road(_likely(Path(rest).expanduser()), wider=WIDER)
    raise _wrong(text)


def _wrong(text: str) -> UsageError:
    return UsageError(f"road {text!r}", FORMS, "for the lower 60 % write band:0.4,1")


def _band(text: str, rest: str) -> Road:
    try:
        top, bottom = (float(part) for part in rest.split(","))
    except ValueError:
        top = bottom = math.nan
    if not 0 <= top < bottom <= 1:
        raise _wrong(text)
    if (top, bottom) == (0.0, 1.0):
        return Road()
    rows = np.arange(ROWS)
    return Road(((rows + 1 > top * ROWS) & (rows < bottom * ROWS))[:, None])


def _drawn(path: Path) -> Region:
    """Read a polygon or a mask image."""
    region = _polygon(path) if path.suffix.lower() == ".json" else _painted(path)
    if not region.any():
        raise BadInput(
            f"road {path}: nothing lies inside",
            "an area of the frame, however small",
            "draw the road, or use --road all",
        )
    return region


def _polygon(path: Path) -> Region:
    """Read a list of points (y, x) as shares of height and width."""
    accepted = "three or more points [y, x] as shares of the frame's height and width, 0 to 1"
    example = "for a road ahead write [[1,0],[0.5,0.4],[0.5,0.6],[1,1]]"
    try:
        points = np.array(json.loads(path.read_text("utf-8")), np.float64)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"road {path}: not read ({error})", f"JSON with {accepted}", example) from (
            error
        )
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise BadInput(
            f"road {path}: holds an array of shape {list(points.shape)}", accepted, example
        )
    outside = ~((points >= 0) & (points <= 1)).all(1)  # so that a NaN is outside too
    if outside.any():
        y, x = points[outside][0]
        raise BadInput(f"road {path}: point [{y:g}, {x:g}] is outside the frame", accepted, example)
    cells = np.zeros(DRAWN, np.uint8)
    corners = (points * (np.array(DRAWN) - 1))[:, ::-1].round().astype(np.int32)
    if np.ptp(corners, axis=0).min() > 0:  # else fillPoly would draw a line
        cv2.fillPoly(cells, [corners], 1)
    return cells > 0


def _painted(path: Path) -> Region:
    """Read an image whose bright half is road, be it 0 and 1 or 0 and 255."""
    try:
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.is_file() else None
    except cv2.error:
        grey = None
    if grey is None:
        raise BadInput(
            f"road {path}: {'not an image' if path.is_file() else 'no such file'}",
            "a mask image, bright on the road, or a polygon as .json",
            "give the path of one",
        )
    return np.asarray(grey > int(grey.max()) // 2)


def _likely(path: Path) -> Region:
    """Read a heat map of what a class covered, and open where nearly all of it was."""
    accepted = "heat_SPLIT.npy as `sam-crack data stats` writes it: shares of rows x columns"
    try:
        heat = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(
            f"road {path}: not read ({error})", accepted, "run `sam-crack data stats` first"
        ) from error
    if not (
        isinstance(heat, np.ndarray) and heat.ndim == 2 and heat.size and heat.dtype.kind in "fiu"
    ):
        raise BadInput(f"road {path}: not a heat map", accepted, "name one of its heat_*.npy")
    if not (np.isfinite(heat).all() and (heat >= 0).all() and heat.any()):
        raise BadInput(
            f"road {path}: holds no foreground, or values below 0",
            accepted,
            "count frames that show what is looked for",
        )
    blurred = gaussian_filter(heat.astype(np.float64), PRIOR_BLUR * len(heat), mode="nearest")
    ranked = np.sort(blurred.ravel())[::-1]
    last = np.searchsorted(np.cumsum(ranked), PRIOR_KEPT * ranked.sum())
    opened = blurred >= ranked[min(last, ranked.size - 1)]
    return np.asarray(binary_fill_holes(opened), np.bool_)
