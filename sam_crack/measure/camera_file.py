"""`camera.json`: a lens at a height, points of the road, or a table of millimetres per pixel.

    {"size": [2160, 3840], "height_m": 1.4, "pitch_deg": 8, "focal_px": 2600,
     "roll_deg": 0.5, "centre": [1081, 1915], "distortion": [-0.2, 0.04, 0, 0, 0]}
    {"size": [2160, 3840], "points": [[1860, 900, -1.75, 6], ...]}
    {"size": [2160, 3840], "sampling": {"rows": [900, 1400, 2159], "across_mm": [9, 3.4, 1.5],
     "down_mm": [120, 19, 3.1], "nearest_m": 3.2}}

The first may give `fov_deg`, across the frame without its distortion, in place of `focal_px`; its
last three keys may be left out. A point is row, column, metres right of the camera and metres
ahead. With `columns`, a table holds one value for each of them in every row.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import fields
from pathlib import Path
from typing import TypeAlias

import numpy as np

from sam_crack.errors import BadInput
from sam_crack.measure.camera import STRAIGHT, Camera, Five
from sam_crack.measure.camera_fit import focal_of
from sam_crack.measure.plane import PlaneCamera
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.measure.sampling import SamplingMap, Table

Given: TypeAlias = dict[str, object]
LARGEST_FILE_BYTES = 1_000_000
MAX_SIDE_PX = 100_000
MOST_POINTS = 10_000
EXAMPLE = (
    'write {"height_m": 1.4, "pitch_deg": 8, "focal_px": 2600, "size": [2160, 3840]}, '
    "lens above the road in metres, tilt below the horizon in degrees"
)
POINTS_EXAMPLE = 'write "points": [[1500, 900, -1.75, 6], ...]'
MAP_EXAMPLE = (
    'write {"size": [2160, 3840], "sampling": {"rows": [800, 2159], "across_mm": [9, 1.5], '
    '"down_mm": [120, 3]}}'
)
LENS_KEYS = (*(field.name for field in fields(Camera)), "fov_deg")
PLANE_KEYS = ("size", "points")
MAP_KEYS = ("size", "sampling")
TABLE_KEYS = ("rows", "across_mm", "down_mm", "columns", "nearest_m")


def load_camera(path: Path) -> RoadCamera:
    """Read `camera.json`; whatever a camera cannot be is refused by name."""
    given = _read(path)
    try:
        if "points" in given:
            return _plane(given)
        if "sampling" in given:
            return _map(given)
        return _lens(given)
    except BadInput as error:
        raise BadInput(f"{path}: {error.given}", error.accepted, error.todo) from error


def _read(path: Path) -> Given:
    """Read a JSON object of a reasonable size."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise BadInput(f"{path}: too large", f"at most {LARGEST_FILE_BYTES:,} bytes", EXAMPLE)
        given = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not valid JSON", "a camera as JSON", EXAMPLE) from error
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "a readable camera.json", EXAMPLE) from error
    if not isinstance(given, dict):
        raise BadInput(f"{path}: not a JSON object", "a camera as JSON", EXAMPLE)
    return given


def _lens(given: Given) -> Camera:
    """Read height, tilt, focal length or field of view, roll and distortion."""
    _check_keys(given, LENS_KEYS)
    if "focal_px" in given and "fov_deg" in given:
        raise BadInput("focal_px and fov_deg", "one of the two", "remove fov_deg")
    names = ("height_m", "pitch_deg", "fov_deg" if "fov_deg" in given else "focal_px", "size")
    missing = [name for name in names if name not in given]
    if missing:
        raise BadInput(f"no {', '.join(missing)}", "a complete camera", EXAMPLE)
    size = _size(given)
    longest = max(size)
    if "fov_deg" in given:
        focal_px = focal_of(size, _number("fov_deg", given["fov_deg"], low=1, high=175))
    else:
        focal_px = _number("focal_px", given["focal_px"], low=0.05 * longest, high=1e6)
    centre = None
    if given.get("centre") is not None:
        y, x = _pair("centre", given["centre"], low=-longest, high=2 * longest)
        centre = (y, x)
    camera = Camera(
        height_m=_number("height_m", given["height_m"], low=0.05, high=100),
        pitch_deg=_number("pitch_deg", given["pitch_deg"], low=-45, high=90),
        focal_px=focal_px,
        size=size,
        roll_deg=_number("roll_deg", given.get("roll_deg", 0.0), low=-90, high=90),
        centre=centre,
        distortion=read_distortion(given.get("distortion", list(STRAIGHT))),
    )
    check_lens(camera)
    return camera


def read_distortion(value: object) -> Five:
    """Read k1, k2, p1, p2 and k3, which may be left out."""
    if isinstance(value, list) and len(value) in (4, 5):
        k1, k2, p1, p2, k3 = (
            _number("distortion", part, low=-100, high=100) for part in [*value, 0.0][:5]
        )
        return k1, k2, p1, p2, k3
    raise BadInput(
        f"distortion {str(value)[:40]!r}",
        "k1, k2, p1, p2 and k3, as cv2.calibrateCamera returns them",
        "leave distortion out if it is not known",
    )


def check_lens(camera: Camera) -> None:
    """Refuse a camera that sees no road, and a lens whose picture folds back inside the frame."""
    height, width = camera.size
    y, x = np.linspace(-0.5, height - 0.5, 33), np.linspace(-0.5, width - 0.5, 33)
    border = [np.stack([np.full(33, row), x], 1) for row in y[[0, -1]]]
    border += [np.stack([y, np.full(33, column)], 1) for column in x[[0, -1]]]
    pixels = np.concatenate(border)
    bad = ~np.isfinite(camera.rays(pixels)).all(axis=1)
    if bad.any():
        row, column = pixels[bad][0]
        raise BadInput(
            f"distortion {list(camera.distortion)} with a focal length of {camera.focal_px:g} px",
            f"a lens that reaches the frame's border, also at row {row:.0f}, column {column:.0f}",
            "check the order k1, k2, p1, p2, k3, and that focal_px is of this frame size",
        )
    if not np.isfinite(camera.to_ground(pixels)).any():
        raise BadInput(
            f"a camera {camera.pitch_deg:g} degrees down, which sees no road at all",
            "a horizon above the lower edge of the frame",
            "check the sign of pitch_deg: below the horizon is positive",
        )


def _plane(given: Given) -> PlaneCamera:
    """Read road points."""
    _check_keys(given, PLANE_KEYS)
    if "size" not in given:
        raise BadInput("no size", "a complete camera", 'add "size": [height, width] in pixels')
    rows = given["points"]
    if not isinstance(rows, list) or len(rows) > MOST_POINTS:
        raise BadInput(
            f"points {str(rows)[:40]!r}",
            f"a list of 4 to {MOST_POINTS:,} road points",
            POINTS_EXAMPLE,
        )
    points = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 4:
            raise BadInput(
                f"point {str(row)[:40]!r}",
                "four numbers: row, column, metres right, metres ahead",
                POINTS_EXAMPLE,
            )
        y, x, right, ahead = (_number("points", part, low=-1e6, high=1e6) for part in row)
        points.append((y, x, right, ahead))
    return PlaneCamera(size=_size(given), points=tuple(points))


def _map(given: Given) -> SamplingMap:
    """Read a table of millimetres per pixel."""
    _check_keys(given, MAP_KEYS)
    table = given["sampling"]
    if not isinstance(table, dict):
        raise BadInput(
            f"sampling {str(table)[:40]!r}", f"an object of {', '.join(TABLE_KEYS)}", MAP_EXAMPLE
        )
    _check_keys(table, TABLE_KEYS)
    missing = [name for name in ("rows", "across_mm", "down_mm") if name not in table]
    missing += [] if "size" in given else ["size"]
    if missing:
        raise BadInput(
            f"no {', '.join(missing)}",
            "a complete table",
            MAP_EXAMPLE,
        )
    return SamplingMap(
        size=_size(given),
        rows=_numbers("rows", table["rows"]),
        across_mm=_table("across_mm", table["across_mm"]),
        down_mm=_table("down_mm", table["down_mm"]),
        columns=_numbers("columns", table.get("columns", [])),
        nearest_m=_number("nearest_m", table.get("nearest_m", 0.0), low=-1000, high=1000),
    )


def _check_keys(given: Given, known: tuple[str, ...]) -> None:
    """Refuse a name that means nothing here."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            todo = f"did you mean {near[0]}?" if near else EXAMPLE
            raise BadInput(f"unknown {name[:40]!r}", f"one of {', '.join(known)}", todo)


def _size(given: Given) -> tuple[int, int]:
    """Return the frame's height and width."""
    height, width = _pair("size", given["size"], low=1, high=MAX_SIDE_PX, whole=True)
    return int(height), int(width)


def _table(name: str, value: object) -> Table:
    """Return rows of numbers; a plain list is one number a row."""
    if isinstance(value, list) and all(isinstance(row, list) for row in value):
        return tuple(_numbers(name, row) for row in value)
    return tuple((part,) for part in _numbers(name, value))


def _numbers(name: str, value: object) -> tuple[float, ...]:
    """Return a list of numbers."""
    if not isinstance(value, list):
        raise BadInput(f"{name} {str(value)[:40]!r}", "a list of numbers", MAP_EXAMPLE)
    return tuple(_number(name, part, low=-1e6, high=1e6) for part in value)


def _number(name: str, value: object, *, low: float, high: float) -> float:
    """Return a number inside its bounds; true, text, NaN and infinity are none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise BadInput(
        f"{name} {str(value)[:40]!r}", f"a number from {low:g} to {high:g}", f"correct {name}"
    )


def _pair(
    name: str, value: object, *, low: float, high: float, whole: bool = False
) -> tuple[float, float]:
    """Return two numbers in a list."""
    if isinstance(value, list) and len(value) == 2:
        first, second = (_number(name, part, low=low, high=high) for part in value)
        if not whole or (first.is_integer() and second.is_integer()):
            return first, second
    kind = "whole numbers" if whole else "numbers"
    raise BadInput(
        f"{name} {str(value)[:40]!r}", f"two {kind}, down and across: [y, x]", f"correct {name}"
    )
