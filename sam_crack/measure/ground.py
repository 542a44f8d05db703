"""Cracks on the road instead of in the frame: millimetres, metres, severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from sam_crack.measure.centreline import Float, Line
from sam_crack.measure.polyline import arc_length
from sam_crack.measure.road_camera import RoadCamera

Scheme = Literal["astm-ac", "ltpp"]
Severity = Literal["low", "medium", "high"]
Kind = Literal["longitudinal", "transverse", "diagonal", "alligator"]
LOOPS_OF_ALLIGATOR = 3  # closed cells from which a net of cracks is called alligator


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a camera over a flat road adds to a crack."""

    length_mm: float
    """Along the crack on the road."""
    width_mean_mm: float
    """Across the crack on the road, every millimetre of its length counting the same."""
    width_p95_mm: float
    """Width that 95 % of the length stays below."""
    width_max_mm: float
    """Largest width."""
    x_m: float
    """Middle of the crack, metres right of the camera."""
    z_m: float
    """Middle of the crack, metres ahead of the camera."""
    distance_m: float
    """From the point on the road below the camera to the middle."""
    gsd_down_mm: float
    """Ground sampling distance at the middle: mm per pixel down the frame."""
    gsd_across_mm: float
    """The same across the frame."""
    smallest_width_mm: float
    """What one pixel across this crack is on the road: nothing narrower can be measured."""
    scheme: Scheme
    """Whose limits name the severity."""
    severity: Severity
    """Class of the mean width."""


def grade(width_mm: float, scheme: Scheme) -> Severity:
    """Name the severity of a mean width.

    ASTM D6433, asphalt, linear cracks: low below 10 mm, high above 75. LTPP: low up to 6 mm,
    moderate up to 19.
    """
    match scheme:
        case "astm-ac":
            return "low" if width_mm < 10 else "medium" if width_mm <= 75 else "high"
        case "ltpp":
            return "low" if width_mm <= 6 else "medium" if width_mm <= 19 else "high"
        case _:
            assert_never(scheme)


def heading(points: Float) -> float:
    """Principal direction of (right, ahead) points: 0 is ahead, 90 across, positive leans right."""
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    right, ahead = axes[0] if len(axes) else (0.0, 1.0)
    angle = float(np.degrees(np.arctan2(right, ahead)))
    return angle - 180 if angle > 90 else angle + 180 if angle <= -90 else angle


def kind_of(orientation_deg: float, num_loops: int) -> Kind:
    """Class of a crack by its graph and direction."""
    if num_loops >= LOOPS_OF_ALLIGATOR:
        return "alligator"
    slant = abs(orientation_deg)
    return "longitudinal" if slant <= 30 else "transverse" if slant >= 60 else "diagonal"


def measure_ground(lines: Sequence[Line], camera: RoadCamera, scheme: Scheme) -> Ground | None:
    """Project the lines of one crack to the road; None where the road is not to be seen."""
    places = np.concatenate([line.places for line in lines])
    tangents = np.concatenate([line.tangents for line in lines])
    sides = [line.edges() for line in lines]
    first, last = (np.concatenate([side[i] for side in sides]) for i in (0, 1))
    normals = tangents[:, ::-1] * (1, -1) / 2
    # one call for all: what a camera costs is mostly the call
    spots, ahead, back, first, last, beyond, before = camera.to_ground(
        np.stack(
            [
                *(places, places + tangents, places - tangents, first, last),
                *(places + normals, places - normals),
            ]
        )
    )
    course = ahead - back
    run = np.linalg.norm(course, axis=1)  # road seen along the line; also the weight of a place
    unit = course / np.maximum(run, 1e-12)[:, None]
    widths = _across(last - first, unit)
    pixel = _across(beyond - before, unit)
    seen = np.isfinite(run) & np.isfinite(widths) & np.isfinite(pixel) & (run > 0)
    if not seen.any():
        return None
    corners = camera.to_ground(np.concatenate([line.corners for line in lines]))
    cuts = np.cumsum([len(line.corners) for line in lines])[:-1]
    length = sum(_visible_length(part) for part in np.split(corners, cuts))
    weight = run[seen] / run[seen].sum()
    spots = spots[seen]
    centre = (spots * weight[:, None]).sum(axis=0)
    nearest = int(np.linalg.norm(spots - centre, axis=1).argmin())
    down, across = camera.millimetres_per_pixel(places[seen][nearest])
    mean = float((widths[seen] * weight).sum()) * 1000
    return Ground(
        length_mm=1000 * length,
        width_mean_mm=mean,
        width_p95_mm=1000 * _quantile(widths[seen], weight, 0.95),
        width_max_mm=1000 * float(widths[seen].max()),
        x_m=float(spots[nearest, 0]),
        z_m=float(spots[nearest, 1]),
        distance_m=float(np.linalg.norm(spots[nearest])),
        gsd_down_mm=float(down),
        gsd_across_mm=float(across),
        smallest_width_mm=1000 * float((pixel[seen] * weight).sum()),
        scheme=scheme,
        severity=grade(mean, scheme),
    )


def _across(chords: Float, unit: Float) -> Float:
    """Length of chords at a right angle to a direction, both on the road."""
    part: Float = np.abs(chords[:, 0] * unit[:, 1] - chords[:, 1] * unit[:, 0])
    return part


def _visible_length(points: Float) -> float:
    """Length of a line on the road; points above the horizon are left out."""
    return arc_length(points[np.isfinite(points).all(axis=1)])


def _quantile(values: Float, weight: Float, share: float) -> float:
    """Smallest value that `share` of the weight does not exceed."""
    order = np.argsort(values)
    rank = int(np.searchsorted(np.cumsum(weight[order]), share - 1e-9))
    return float(values[order][min(rank, len(values) - 1)])
