"""What is on the road, as coverage of the frame's pixels: paint, patches, bitumen, cracks.

The rule of the mask: a pixel is crack when at least half of it is covered; and so that hairlines
stay connected, the pixels that the centre line runs through are crack too, as far away as the
crack is still at least `FAINTEST_PX` wide in the picture. What is thinner than that is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.cracks import Crack
from sam_crack.data.synth.raster import Coverage, coverage, ribbon
from sam_crack.data.synth.scene import AHEAD_M, Stretch, Strip
from sam_crack.data.synth.view import View

Float = NDArray[np.float64]
Plane = NDArray[np.float32]
FAINTEST_PX = 0.25
HALF_COVERED = 0.5
MASK_RULE = (
    "A pixel is crack (255) when at least 50 % of it is covered by a crack; the pixels of the "
    f"centre line are crack too wherever the crack is at least {FAINTEST_PX} px wide in the "
    "picture. Thinner parts, and parts behind vehicles, the bonnet or off the frame, are not."
)


@dataclass(frozen=True)
class Layers:
    """Planes of a whole frame, float32 0 to 1 unless said otherwise."""

    gain: Plane
    """What the road's brightness is multiplied by."""
    paint: Plane
    yellow: Plane
    tar: Plane
    dark: Plane
    """Light lost in cracks."""
    mask: NDArray[np.uint8]
    """Cracks by the rule of this module, 0 or 255, before anything stands in front."""
    lane: NDArray[np.uint8]
    """The own lane between its marks, 0 or 255."""


def draw_layers(view: View, scene: list[Stretch], cracks: list[Crack]) -> Layers:
    """Rasterise everything that lies on the road."""
    size = view.camera.size
    layers = blank_layers(size)
    for stretch in scene:
        for patch in stretch.patches:
            _multiply(layers.gain, _strip(view, patch), patch.tone)
            for side in (patch.left, patch.right):
                _multiply(layers.gain, _line(view, side, 0.007), 0.72)
            for ends in ((patch.left[0], patch.right[0]), (patch.left[-1], patch.right[-1])):
                _multiply(layers.gain, _line(view, np.stack(ends), 0.009), 0.7)
        for stain in stretch.stains:
            _draw_stain(view, layers, stain)
        for seal in stretch.seals:
            found = _strip(view, seal)
            _multiply(layers.gain, found, seal.tone)
            _unite(layers.tar, found, 1.0)
    if view.look.joints:
        _draw_joints(view, layers)
    _draw_marks(view, layers)
    for crack in cracks:
        draw_crack(view, crack, layers)
    lane = _lane_polygon(view)
    layers.lane[coverage(lane, size).on(size) >= HALF_COVERED] = 255
    return layers


def blank_layers(size: tuple[int, int]) -> Layers:
    """Make the planes of an empty road."""
    paint, yellow, tar, dark = (np.zeros(size, np.float32) for _ in range(4))
    mask, lane = (np.zeros(size, np.uint8) for _ in range(2))
    return Layers(np.ones(size, np.float32), paint, yellow, tar, dark, mask, lane)


def _multiply(plane: Plane, found: Coverage, by: float) -> None:
    plane[found.window] *= 1.0 + (by - 1.0) * found.share


def _unite(plane: Plane, found: Coverage, strength: float) -> None:
    part = plane[found.window]
    part += found.share * strength * (1.0 - part)


def _strip(view: View, strip: Strip) -> Coverage:
    left, right = (view.project_road(side) for side in (strip.left, strip.right))
    return coverage(ribbon(left, right), view.camera.size)


def _line(view: View, road: Float, width_m: float) -> Coverage:
    """A line of constant width along points in station and offset."""
    along = np.gradient(road, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.stack([-along[:, 1], along[:, 0]], axis=1) * width_m / 2
    return _strip(view, Strip(road - side, road + side, 1.0))


def _along(view: View, offset: float, *, reach: tuple[float, float], width_m: float) -> Float:
    """Quadrilaterals of a painted line between two distances ahead."""
    station = view.stations(*reach)
    left, right = (
        view.project_road(np.stack([station, np.full_like(station, offset + side)], -1))
        for side in (-width_m / 2, width_m / 2)
    )
    return ribbon(left, right)


def _draw_stain(view: View, layers: Layers, stain: Float) -> None:
    """Oil or fuel that soaked in: an irregular blot, darkest in the middle."""
    station, offset, long, wide, tone = stain
    rng = np.random.default_rng([17, round(abs(station) * 1000)])
    turn = np.linspace(0, 2 * np.pi, 40)
    reach = np.ones_like(turn)
    for waves in (2, 3, 5):
        reach += rng.normal(0, 0.12) * np.cos(waves * turn + rng.uniform(0, 6))
    rim = np.stack([long * np.cos(turn), wide * np.sin(turn)], axis=1) * reach[:, None] / 2
    for size in (1.0, 0.93, 0.85, 0.75, 0.6, 0.4):
        points = view.project_road(np.array([station, offset]) + rim * size)
        _multiply(layers.gain, coverage(points[None], view.camera.size), float(tone ** (1 / 6)))


def _draw_joints(view: View, layers: Layers) -> None:
    """Straight joints, filled dark: across the road every 6 m, and along its middle."""
    here, paved = view.pose.station_m, view.look.lane_m + 0.25
    for number in range(int(here // 6.0), int((here + 70.0) // 6.0) + 1):
        ends = np.stack([np.full(12, number * 6.0), np.linspace(-paved, paved, 12)], axis=-1)
        _multiply(layers.gain, _line(view, ends, 0.014), 0.4)
    seam = coverage(_along(view, 0.3, reach=(0.5, 70.0), width_m=0.011), view.camera.size)
    _multiply(layers.gain, seam, 0.5)


def _draw_marks(view: View, layers: Layers) -> None:
    """Edge lines, and the centre line in the drive's style."""
    look, here, whole = view.look, view.pose.station_m, (0.5, AHEAD_M)
    white = [_along(view, side * look.lane_m, reach=whole, width_m=0.13) for side in (-1, 1)]
    dashes = []
    for number in range(int((here - 12) // 12.0), int((here + AHEAD_M) // 12.0) + 1):
        start, stop = number * 12.0 - here, number * 12.0 + 4.5 - here
        if stop > 0.5:
            dashes.append((max(start, 0.5), stop))
    twin = 0.11
    match look.centre:
        case "dashed":
            middle = [_along(view, 0.0, reach=dash, width_m=0.12) for dash in dashes]
        case "double":
            middle = [_along(view, side, reach=whole, width_m=0.11) for side in (-twin, twin)]
        case "solid_dashed":
            middle = [_along(view, -twin, reach=whole, width_m=0.11)]
            middle += [_along(view, twin, reach=dash, width_m=0.11) for dash in dashes]
    size = view.camera.size
    _unite(layers.paint, coverage(np.concatenate(white), size), 1.0)
    if middle:
        into = layers.yellow if look.centre_yellow else layers.paint
        _unite(into, coverage(np.concatenate(middle), size), 1.0)


def _lane_polygon(view: View) -> Float:
    station = view.stations(0.5, 0.5 * AHEAD_M)
    left, right = (
        view.project_road(np.stack([station, np.full_like(station, offset)], axis=-1))
        for offset in (0.17, view.look.lane_m - 0.07)
    )
    return ribbon(left, right)


def draw_crack(view: View, crack: Crack, layers: Layers) -> None:
    """Add a crack (in plan coordinates) to the light it takes and to the mask."""
    size = view.camera.size
    left, right, joined = outline_px(view, crack)
    if not joined.any():
        return
    found = coverage(ribbon(left, right)[joined], size)
    _unite(layers.dark, found, crack.depth)
    if crack.mean_width_mm > 2.5:
        rim = ribbon(*(view.project(edge) for edge in crack.rim))[joined]
        _multiply(layers.gain, coverage(rim, size), 0.86)
    part = layers.mask[found.window]
    part[found.share >= HALF_COVERED] = 255
    # OpenCV draws (x, y) in 1/16 px
    fixed = np.round(np.nan_to_num((left + right) / 2)[:, ::-1] * 16).astype(np.int32)
    runs = [fixed[a:b].reshape(-1, 1, 2) for a, b in drawn_runs(left, right, joined)]
    cv2.polylines(layers.mask, runs, False, 255, 1, cv2.LINE_8, 4)


def outline_px(view: View, crack: Crack) -> tuple[Float, Float, NDArray[np.bool_]]:
    """Both edges in pixels, and which vertices are joined to the next and within reach."""
    ahead = view.pose.to_camera(crack.outline[0])[:, 1]
    near = (ahead > 0.4) & (ahead < AHEAD_M)
    left, right = (view.project(edge) for edge in crack.outline)
    joined: NDArray[np.bool_] = crack.joined & near[:-1] & near[1:]
    # far outside the frame fixed point would overflow; a NaN fails the comparison too
    inside: NDArray[np.bool_] = np.asarray((np.abs(left) < 30000).all(axis=1))
    inside &= (np.abs(right) < 30000).all(axis=1)
    joined &= inside[:-1] & inside[1:]
    return left, right, joined


def width_px(left: Float, right: Float) -> Float:
    """Width in the picture of every segment, at right angles to its projected centre line."""
    along = np.diff((left + right) / 2, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    gap = ((left - right)[1:] + (left - right)[:-1]) / 2
    wide: Float = np.abs(gap[:, 0] * along[:, 1] - gap[:, 1] * along[:, 0])
    return wide


def drawn_runs(left: Float, right: Float, joined: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of vertices (from, to) whose centre line is wide enough to be in the mask."""
    with np.errstate(invalid="ignore"):
        good = joined & (width_px(left, right) >= FAINTEST_PX)
    borders = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8)))
    return [(int(a), int(b) + 1) for a, b in zip(borders[::2], borders[1::2], strict=True)]
