"""Shadows cast on the road by what stands beside it, as a soft map in station and offset."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.plants import sprites
from sam_crack.data.synth.scene import Stretch, Upright
from sam_crack.data.synth.view import View

Plane = NDArray[np.float32]
TEXEL_M = 0.04
BEHIND_M, REACH_M, SIDE_M = 6.0, 130.0, 13.0


@dataclass(frozen=True)
class ShadowMap:
    """How much of the direct light arrives, 0 to 1; three maps, ever softer for the distance."""

    maps: tuple[Plane, ...]
    shift_m: float
    """Station of the first row, counted from the pose."""

    def look_up(self, rung: float, station: Plane, offset: Plane) -> Plane:
        """Direct light at pixels given by station (from the pose) and offset."""
        if not self.maps:
            return np.ones_like(station)
        chosen = self.maps[0 if rung < 5 else 1 if rung < 8 else 2]
        row = (station - np.float32(self.shift_m)) * np.float32(1 / TEXEL_M)
        column = (offset + np.float32(SIDE_M)) * np.float32(1 / TEXEL_M)
        found: Plane = cv2.remap(
            chosen, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return found


def cast_shadows(view: View, scene: list[Stretch], bodies: list[NDArray[np.float64]]) -> ShadowMap:
    """Draw the shadows of trees, poles and vehicles; none under a closed sky.

    Args:
        view: The frame's geometry.
        scene: What stands beside the road.
        bodies: Footprints of vehicles, (n, 2) station and offset, each casting one of its height.
    """
    look = view.look
    if look.sun == 0:
        return ShadowMap((), 0.0)
    start = math.floor((view.pose.station_m - BEHIND_M) / TEXEL_M) * TEXEL_M
    shape = (round((REACH_M + BEHIND_M) / TEXEL_M), round(2 * SIDE_M / TEXEL_M))
    crowns, thin = (_Patch(np.zeros(shape, np.uint8), start) for _ in range(2))
    for stretch in scene:
        for upright in stretch.uprights:
            if upright.kind in ("tree", "bush"):
                _draw_plant(view, upright, crowns)
            elif upright.kind == "pole":
                _draw_pole(view, upright, thin)
    for body in bodies:
        thin.fill(body)
    leaves = cv2.GaussianBlur(crowns.plane, (0, 0), 2.2)
    dark = np.maximum(leaves, cv2.GaussianBlur(thin.plane, (0, 0), 0.9)).astype(np.float32)
    light = 1.0 - dark * np.float32(0.94 / 255)
    maps = (light, cv2.GaussianBlur(light, (1, 15), 0), cv2.GaussianBlur(light, (5, 61), 0))
    return ShadowMap(maps, start - view.pose.station_m)


def shadow_step(view: View, station_m: float) -> tuple[float, float]:
    """Where the shadow of a point 1 m up falls, as a step in station and offset."""
    look = view.look
    first = float(view.track.heading(0.0))
    towards = first + look.sun_azimuth_rad - float(view.track.heading(station_m))
    reach = 1.0 / math.tan(look.sun_height_rad)
    return -reach * math.cos(towards), -reach * math.sin(towards)


@dataclass(frozen=True)
class _Patch:
    """A plane of shadow on the ground; its first row is at `start_m`."""

    plane: NDArray[np.uint8]
    start_m: float

    def fill(self, road: NDArray[np.float64]) -> None:
        """Fill a polygon given in station and offset."""
        corners = np.stack([road[:, 1] + SIDE_M, road[:, 0] - self.start_m], axis=-1)
        fixed = np.round(corners / TEXEL_M * 16).astype(np.int32)
        cv2.fillPoly(self.plane, [fixed], 255, cv2.LINE_AA, 4)


def _draw_plant(view: View, upright: Upright, ground: _Patch) -> None:
    """Lay a plant's silhouette on the ground: its height along the light, its width across."""
    sprite = sprites(upright.kind)[upright.variant].of_height(180)[..., 3]
    plane, step = ground.plane, np.array(shadow_step(view, upright.station_m))
    if abs(upright.offset_m) - upright.height_m * float(np.hypot(*step)) > SIDE_M:
        return
    up = step * upright.height_m
    across = np.array([-step[1], step[0]]) / float(np.hypot(*step)) * upright.height_m
    foot = np.array([upright.station_m - ground.start_m, upright.offset_m + SIDE_M])
    side = sprite.shape[0]
    corners = np.stack([foot - across / 2 + up, foot + across / 2 + up, foot - across / 2])
    source = np.array([[0, 0], [side, 0], [0, side]], np.float32)
    move = cv2.getAffineTransform(source, (corners[:, ::-1] / TEXEL_M).astype(np.float32))
    outer = np.concatenate([corners, [foot + across / 2]]) / TEXEL_M
    low = np.clip(np.floor(outer.min(axis=0)).astype(int) - 1, 0, plane.shape)
    high = np.clip(np.ceil(outer.max(axis=0)).astype(int) + 1, 0, plane.shape)
    if (high <= low).any():
        return
    move[:, 2] -= low[::-1]
    size = (int(high[1] - low[1]), int(high[0] - low[0]))
    drawn = cv2.warpAffine(sprite, move, size, flags=cv2.INTER_LINEAR)
    part = plane[low[0] : high[0], low[1] : high[1]]
    np.maximum(part, (drawn * 255).astype(np.uint8), out=part)


def _draw_pole(view: View, upright: Upright, ground: _Patch) -> None:
    step = np.array(shadow_step(view, upright.station_m))
    side = np.array([-step[1], step[0]]) / max(float(np.hypot(*step)), 1e-9) * 0.09
    foot = np.array([upright.station_m, upright.offset_m])
    tip = foot + step * upright.height_m
    ground.fill(np.stack([foot - side, foot + side, tip + side, tip - side]))
