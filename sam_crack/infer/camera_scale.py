"""The scale that a camera asks for: millimetres of road per pixel, as in training."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sam_crack.config.fields import HIGHEST_SCALE, LOWEST_SCALE
from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.parts import Parts, Size, strip_parts, whole_frame
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.measure.road_scale import millimetres_across, road_strips
from sam_crack.model.trained_scale import TrainedScale

SHARPEST = 2.0
"""Strips are not enlarged more than this: pixels that far away hold nothing more to be seen."""


def trained_gsd(trained: TrainedScale | None, camera: RoadCamera | None) -> float:
    """Return the ground resolution that frames are to be brought to, in millimetres per pixel."""
    if camera is None:
        raise UsageError(
            "--scale camera without a camera",
            "the camera.json of these frames",
            "add --camera FILE, or use --scale auto",
        )
    if trained is None or trained.gsd_mm is None:
        raise BadInput(
            "--scale camera with a checkpoint that does not know its ground resolution",
            "one trained on frames with a camera.json, as the bundled practice is",
            "use --scale calibrate:FOLDER with a few labelled frames, or --scale auto",
        )
    return trained.gsd_mm


def camera_factor(camera: RoadCamera, gsd_mm: float) -> float:
    """Return the factor that gives the road of a camera's frames this resolution half-way down."""
    across = millimetres_across(camera)
    factor = across / gsd_mm
    if LOWEST_SCALE <= factor <= HIGHEST_SCALE:
        return factor
    raise BadInput(
        f"a camera with {across:.3g} mm per pixel and a model trained at {gsd_mm:.3g}",
        f"a factor from {LOWEST_SCALE:g} to {HIGHEST_SCALE:g} between them",
        "check camera.json, or name a factor",
    )


def camera_parts(
    camera: RoadCamera, gsd_mm: float, *, strips: bool
) -> tuple[float, Callable[[Size], Parts]]:
    """Return the factor for whole frames, and how a frame of any size is shown.

    A frame of another shape is not the camera's; it gets the factor of those that are.
    """
    factor = camera_factor(camera, gsd_mm)

    @lru_cache(maxsize=16)
    def parts(size: Size) -> Parts:
        try:
            own = camera.resized(size)
        except BadInput:
            return whole_frame(size, factor)
        if not strips:
            return whole_frame(size, camera_factor(own, gsd_mm))
        found = road_strips(own, coarsest_mm=1.5 * SHARPEST * gsd_mm)
        factors = [min(SHARPEST, max(LOWEST_SCALE, one.millimetres / gsd_mm)) for one in found]
        return strip_parts(found, factors, size)

    return factor, parts
