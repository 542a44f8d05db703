"""One frame of a practice drive, as a pure function of seed, number and size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.backdrop import draw_backdrop
from sam_crack.data.synth.canvas import Canvas
from sam_crack.data.synth.cracks import Crack
from sam_crack.data.synth.ground import shade_ground
from sam_crack.data.synth.layers import draw_layers
from sam_crack.data.synth.look import look_of
from sam_crack.data.synth.objects import draw_objects
from sam_crack.data.synth.optics import develop
from sam_crack.data.synth.scene import (
    AHEAD_M,
    STRETCH_M,
    on_plan,
    stretch,
    stretch_numbers,
    stretches,
)
from sam_crack.data.synth.shadows import cast_shadows
from sam_crack.data.synth.surface import materials
from sam_crack.data.synth.track import track_of
from sam_crack.data.synth.vehicles import cast, own_footprint, vehicles_near
from sam_crack.data.synth.view import View

SIZE_4K = (2160, 3840)


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
    track = track_of(seed, station + 1.7 * AHEAD_M)
    return View(look.camera(size), track.pose(station, look), track, look)


def cracks_near(seed: int, view: View) -> tuple[Crack, ...]:
    """Return the cracks of all stretches that a frame can see, on the plan."""
    return tuple(
        crack
        for number in stretch_numbers(view.pose.station_m)
        for crack in _laid_cracks(seed, number)
    )


@lru_cache(maxsize=32)
def _laid_cracks(seed: int, number: int) -> tuple[Crack, ...]:
    """Lay the cracks of a stretch on the plan, once for all frames that see them."""
    track = track_of(seed, (number + 3) * STRETCH_M)
    return tuple(on_plan(crack, track) for crack in stretch(seed, number).cracks)


def render_frame(
    seed: int, index: int, size: tuple[int, int] = SIZE_4K, *, spacing_m: float = 5.0
) -> RenderedFrame:
    """Render a frame; the same arguments give the same bytes."""
    view = view_of(seed, index, size, spacing_m=spacing_m)
    scene, cracks = stretches(seed, view.pose.station_m), cracks_near(seed, view)
    layers = draw_layers(view, scene, list(cracks))
    vehicles = vehicles_near(seed, view)
    bodies = [cast(view, vehicle.footprint(), vehicle.size[1]) for vehicle in vehicles]
    shadows = cast_shadows(view, scene, [*bodies, cast(view, own_footprint(view), 1.45)])
    light = np.empty((*size, 3), np.float32)
    light[: view.horizon] = draw_backdrop(view, max(view.horizon, 2))[: view.horizon]
    made = materials(seed, view.camera)
    shade_ground(view, layers, made=made, shadows=shadows, into=light[view.horizon :])
    canvas = Canvas(light, np.zeros(size, np.bool_))
    draw_objects(view, canvas, scene=scene, vehicles=vehicles)
    image = develop(view, light, np.random.default_rng([seed, 53, index]))
    layers.mask[canvas.front] = 0
    layers.lane[canvas.front] = 0
    return RenderedFrame(image, layers.mask, layers.lane, canvas.front, cracks, view)
