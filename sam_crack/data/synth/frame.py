"""One frame of a practice drive, as a pure function of seed, number and size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.backdrop import draw_backdrop, haze_colour
from sam_crack.data.synth.cracks import Crack
from sam_crack.data.synth.ground import shade_ground
from sam_crack.data.synth.layers import draw_layers
from sam_crack.data.synth.look import look_of
from sam_crack.data.synth.objects import draw_objects, vehicles_near
from sam_crack.data.synth.optics import develop
from sam_crack.data.synth.scene import AHEAD_M, on_plan, stretches
from sam_crack.data.synth.shadows import cast_shadows
from sam_crack.data.synth.surface import materials
from sam_crack.data.synth.track import Track
from sam_crack.data.synth.view import View

SIZE_4K = (2160, 3840)
HAZE_M = 900.0


@dataclass(frozen=True)
class RenderedFrame:
    """A frame with its truth."""

    image: NDArray[np.uint8]
    """(height, width, 3), RGB."""
    mask: NDArray[np.uint8]
    """(height, width), crack 255, else 0; the rule is `layers.MASK_RULE`."""
    lane: NDArray[np.uint8]
    """(height, width), own lane 255, else 0."""
    front: NDArray[np.bool_]
    """(height, width) where something stands in front of the road."""
    cracks: tuple[Crack, ...]
    """Every crack within reach, on the plan (east and north, metres)."""
    view: View
    """Camera and pose."""


def view_of(
    seed: int, index: int, size: tuple[int, int] = SIZE_4K, *, spacing_m: float = 5.0
) -> View:
    """Camera and pose of a frame."""
    look, station = look_of(seed), index * spacing_m
    track = Track(seed, station + 1.7 * AHEAD_M)
    return View(look.camera(size), track.pose(station, look), track, look)


def cracks_near(seed: int, view: View) -> tuple[Crack, ...]:
    """Return the cracks of all stretches that a frame can see, on the plan."""
    scene = stretches(seed, view.pose.station_m)
    return tuple(on_plan(crack, view.track) for part in scene for crack in part.cracks)


def render_frame(
    seed: int, index: int, size: tuple[int, int] = SIZE_4K, *, spacing_m: float = 5.0
) -> RenderedFrame:
    """Render a frame; the same arguments give the same bytes."""
    cv2.setRNGSeed(0)
    view = view_of(seed, index, size, spacing_m=spacing_m)
    scene, cracks = stretches(seed, view.pose.station_m), cracks_near(seed, view)
    layers = draw_layers(view, scene, list(cracks))
    vehicles = vehicles_near(seed, view)
    shadows = cast_shadows(view, scene, [vehicle.shadow(view) for vehicle in vehicles])
    light = np.empty((*size, 3), np.float32)
    light[: view.horizon] = draw_backdrop(view, max(view.horizon, 2))[: view.horizon]
    ground = shade_ground(view, materials(seed, view.camera), layers, shadows)
    far = 1.0 - np.exp(-view.ahead_m / HAZE_M).astype(np.float32)[:, None, None]
    ground += far * (haze_colour(view.look) * 0.7 - ground)
    light[view.horizon :] = ground
    front = draw_objects(view, scene, vehicles, light)
    image = develop(view, light, np.random.default_rng([seed, 53, index]))
    layers.mask[front] = 0
    layers.lane[front] = 0
    return RenderedFrame(image, layers.mask, layers.lane, front, cracks, view)
