"""One frame's geometry: which road point each pixel sees, and where road points appear."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.data.synth.look import Look
from sam_crack.data.synth.scene import AHEAD_M
from sam_crack.data.synth.track import Pose, Track
from sam_crack.measure.camera import Camera

Float = NDArray[np.float64]
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A camera at a pose over a track."""

    camera: Camera
    pose: Pose
    track: Track
    look: Look

    @cached_property
    def horizon(self) -> int:
        """First row that sees the road nearer than the furnished distance and a half."""
        height, width = self.camera.size
        rows = np.arange(height, dtype=np.float64)
        ahead = self.camera.to_ground(np.stack([rows, np.full(height, width / 2)], -1))[:, 1]
        seen = np.flatnonzero((ahead > 0) & (ahead < 1.5 * AHEAD_M))
        return int(seen[0]) if len(seen) else height

    @cached_property
    def ahead_m(self) -> Float:
        """Distance ahead of every row from the horizon down; the camera has no roll."""
        height, width = self.camera.size
        rows = np.arange(self.horizon, height, dtype=np.float64)
        ahead: Float = self.camera.to_ground(np.stack([rows, np.full(len(rows), width / 2)], -1))[
            :, 1
        ]
        return ahead

    @cached_property
    def _centre(self) -> tuple[Float, Float, Float, Float]:
        """The centre line in camera ground axes: ahead, station, side, turn against the axis."""
        station = self.pose.station_m + np.concatenate(
            [np.arange(-6, 30, 0.5), np.arange(30, 1.6 * AHEAD_M, 2.0)]
        )
        ground = self.pose.to_camera(self.track.plan(station, 0.0))
        turn = self.track.heading(station) - np.radians(self.pose.heading_deg)
        turn = np.mod(turn + np.pi, 2 * np.pi) - np.pi
        return ground[:, 1], station - self.pose.station_m, ground[:, 0], turn

    def road_coordinates(self, rows: slice) -> tuple[Plane, Plane]:
        """Station (counted from the pose) and offset of every pixel of some rows below horizon."""
        height, width = self.camera.size
        picked = np.arange(self.horizon, height, dtype=np.float64)[rows]
        ends = np.stack([np.zeros_like(picked), np.full_like(picked, width - 1)], axis=-1)
        side = self.camera.to_ground(np.stack([np.repeat(picked[:, None], 2, 1), ends], -1))
        known, station, centre, turn = self._centre
        ahead = side[:, 0, 1]
        middle, base, angle = (np.interp(ahead, known, v) for v in (centre, station, turn))
        share = np.linspace(0.0, 1.0, width, dtype=np.float32)[None, :]
        across = (side[:, 1, 0] - side[:, 0, 0]).astype(np.float32)[:, None] * share
        across += (side[:, 0, 0] - middle).astype(np.float32)[:, None]
        offset = across * np.cos(angle).astype(np.float32)[:, None]
        across *= np.sin(angle).astype(np.float32)[:, None]
        across += base.astype(np.float32)[:, None]
        return across, offset

    def project(self, plan: ArrayLike, *, up_m: float = 0.0) -> Float:
        """Pixels (y, x) of plan points (..., 2), on the road or `up_m` above it."""
        ground = self.pose.to_camera(plan)
        ground = np.where(ground[..., 1:] > 0.4, ground, np.nan)
        camera = self.camera
        if up_m:
            camera = replace(camera, height_m=camera.height_m - up_m)
        return camera.to_pixels(ground)

    def project_road(self, road: ArrayLike, *, up_m: float = 0.0) -> Float:
        """Pixels of points given as station and offset (..., 2)."""
        points = np.asarray(road, np.float64)
        return self.project(self.track.plan(points[..., 0], points[..., 1]), up_m=up_m)

    def stations(self, start_m: float, stop_m: float) -> Float:
        """Stations between two distances ahead, close together where they are near."""
        length = max(stop_m - start_m, 0.0)
        steps = start_m + length * np.linspace(0, 1, max(int(length / 0.7), 2) + 1) ** 1.6
        return self.pose.station_m + steps
