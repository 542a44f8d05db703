"""What stands in front of the road and beside it: plants, poles, rails, vehicles, the bonnet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.raster import Coverage, coverage
from sam_crack.data.synth.scene import Stretch
from sam_crack.data.synth.view import View

Float = NDArray[np.float64]
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Vehicle:
    """A vehicle on the road."""

    station_m: float
    offset_m: float

    def shadow(self, view: View) -> Float:
        """Return the ground it darkens."""
        s, u = self.station_m, self.offset_m
        return np.array([[s, u - 0.9], [s, u + 0.9], [s + 4, u + 0.9], [s + 4, u - 0.9]])


def vehicles_near(seed: int, view: View) -> list[Vehicle]:
    """Return the vehicles in sight, farthest first."""
    return []


def blend(light: Plane, found: Coverage, colour: Float | Plane) -> None:
    """Lay a colour over the light where something is covered."""
    part = light[found.window]
    part += found.share[..., None] * (np.asarray(colour, np.float32) - part)


def draw_objects(
    view: View, scene: list[Stretch], vehicles: list[Vehicle], light: Plane
) -> NDArray[np.bool_]:
    """Draw everything that stands, far to near, and return what it hides."""
    front = np.zeros(view.camera.size, np.bool_)
    if view.look.bonnet:
        found = coverage([_bonnet_outline(view)], view.camera.size)
        blend(light, found, np.array(view.look.bonnet_colour))
        front[found.window] |= found.share > 0.5
    return front


def _bonnet_outline(view: View) -> Float:
    height, width = view.camera.size
    x = np.linspace(-0.02, 1.02, 60)
    top = 0.945 + 0.16 * np.abs(x - 0.5) ** 2.4
    curve = np.stack([top * height, x * width], axis=-1)
    return np.concatenate([curve, [[height + 5, 1.02 * width], [height + 5, -0.02 * width]]])
