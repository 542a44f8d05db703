"""What the package asks of a camera, however it was calibrated."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.errors import BadInput

Float = NDArray[np.float64]


class RoadCamera(Protocol):
    """Turns pixels into metres of flat road and back. Ground axes: x to the right, z ahead.

    `Camera` (a lens at a height), `PlaneCamera` (road points) and `SamplingMap` (a table) are
    its kinds; `camera_file.load_camera` reads all of them.
    """

    @property
    def size(self) -> tuple[int, int]:
        """Frame height and width in pixels."""

    @property
    def words(self) -> str:
        """What it is, in a few words for a report."""

    def to_pixels(self, ground_xz: ArrayLike) -> Float:
        """Project ground points (..., 2) as (x, z) to pixels (..., 2) as (y, x); NaN if unseen."""

    def to_ground(self, pixels_yx: ArrayLike) -> Float:
        """Find pixels (..., 2) as (y, x) on the road: (..., 2) as (x, z); NaN where none is."""

    def millimetres_per_pixel(self, pixels_yx: ArrayLike) -> Float:
        """Ground sampling distance (..., 2): mm per pixel down the frame and across it."""

    def resized(self, size: tuple[int, int]) -> RoadCamera:
        """Return the same camera for frames of another size but the same shape."""

    def as_json(self) -> dict[str, object]:
        """Return what camera.json holds."""


def sampling_distance(camera: RoadCamera, pixels_yx: ArrayLike) -> Float:
    """Length (..., 2) of a pixel's middle lines on the road, in mm: down the frame and across."""
    pixels = np.asarray(pixels_yx, dtype=np.float64)
    half = 0.5
    step_y, step_x = np.array([half, 0.0]), np.array([0.0, half])
    along = camera.to_ground(pixels + step_y) - camera.to_ground(pixels - step_y)
    across = camera.to_ground(pixels + step_x) - camera.to_ground(pixels - step_x)
    return 1000.0 * np.stack(
        [np.linalg.norm(along, axis=-1), np.linalg.norm(across, axis=-1)], axis=-1
    )


def scale_between(old: tuple[int, int], new: tuple[int, int]) -> float:
    """Return by how much larger frames of another size are; another shape is refused."""
    scale = new[0] / old[0]
    if abs(new[1] / old[1] / scale - 1) > 0.005:
        raise BadInput(
            f"a camera for frames of {old[0]} x {old[1]}, and a frame of {new[0]} x {new[1]}",
            "frames of the same shape, whatever their size",
            "use the camera.json of these frames",
        )
    return scale
