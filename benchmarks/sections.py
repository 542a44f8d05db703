"""How well a drive adds up: metres of crack at strides of 1 to 10 m, against the truth.

    python benchmarks/sections.py [SEED ...] [--bent]

Draws the true 4K masks of practice drives, measures them, counts every crack once and compares
the sum over a section of 100 m, from 20 m to 120 m of the road, with two truths: what at least
one mask shows within 15 m of the camera, and what is there. The difference of the two is what no
mask can show: cracks thinner than a quarter of a pixel where they are seen best. Of those that
are a pixel wide somewhere, which can be measured, it also says how much was found. With --bent,
the camera is turned and its lens bends lines.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sam_crack.data.synth.frame import SIZE_4K, cracks_near, view_of
from sam_crack.data.synth.layers import outline_px, width_px
from sam_crack.data.synth.view import View
from sam_crack.measure.cracks import measure_cracks
from sam_crack.measure.inventory import RING_M, SeenCrack, Sighting, take_inventory
from sam_crack.measure.track import Pose

Float = NDArray[np.float64]
STRIDES_M = (1.0, 2.0, 5.0, 10.0)
LOW_M, HIGH_M, END_M = 20.0, 120.0, 130.0
NEAR_M = 0.15
"""What was found so near to a true place is that place."""
FRAGMENT_PX = 3.0  # as `predict` has it


def _beside(name: str) -> Any:  # noqa: ANN401 - a module
    spec = importlib.util.spec_from_file_location(
        f"benchmark_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MEASURE = _beside("measure")


def sighting(seed: int, view: View, name: str) -> Sighting:
    """Measure the true mask of one pose."""
    mask = MEASURE.true_mask(view, cracks_near(seed, view))
    mask[: int(view.camera.to_pixels([0, 25.0])[0])] = 0
    pose = view.pose
    placed = Pose(
        lat_deg=0,
        lon_deg=0,
        east_m=pose.east_m,
        north_m=pose.north_m,
        heading_deg=pose.heading_deg,
        station_m=pose.station_m,
        gap_s=0,
    )
    found = measure_cracks(mask, camera=view.camera, min_length_px=FRAGMENT_PX)
    cracks = tuple(SeenCrack(kind=crack.kind, lines=crack.road) for crack in found)
    return Sighting(name=name, pose=placed, camera=view.camera, cracks=cracks)


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The true steps of every crack between LOW_M and HIGH_M, as columns."""

    place: Float
    """(n, 2) east and north."""
    length_m: Float
    is_shown: NDArray[np.bool_]
    """Some mask shows it within the ring: it is a quarter of a pixel wide there, or wider."""
    is_wide: NDArray[np.bool_]
    """It is a pixel wide there, or wider: the smallest width that can be measured."""

    def metres(self, some: NDArray[np.bool_] | None = None) -> float:
        """Sum of all lengths, or of some."""
        return float(self.length_m.sum() if some is None else self.length_m[some].sum())


def truth(seed: int, views: Sequence[View]) -> Truth:
    """Lay out what is there, and what frames show of it."""
    parts = []
    for crack in {c.id: c for view in views for c in cracks_near(seed, view)}.values():
        line = np.concatenate([branch.line for branch in crack.branches])
        lengths = crack.step_sizes_mm[0]
        shown, wide = np.zeros((2, len(lengths)), np.bool_)
        station = np.full(len(lengths), np.nan)
        for view in views:
            middle, _, _, _, drawn = MEASURE.shown_steps(view, crack)
            within = (middle[:, 1] > 0) & (middle[:, 1] <= RING_M)
            shown |= drawn & within
            with np.errstate(invalid="ignore"):
                wide |= drawn & within & (width_px(*outline_px(view, crack)[:2]) >= 1)
            first = within & np.isnan(station)
            station[first] = view.pose.station_m + middle[first, 1]
        inside = (station >= LOW_M) & (station < HIGH_M)
        columns = [*((line[1:] + line[:-1]) / 2).T, lengths / 1000, shown, wide]
        parts.append(np.stack(columns, axis=1)[inside])
    table = np.concatenate(parts)
    return Truth(
        place=table[:, :2], length_m=table[:, 2], is_shown=table[:, 3] > 0, is_wide=table[:, 4] > 0
    )


def compare(seed: int, stride_m: float, *, bent: bool = False) -> dict[str, float]:
    """Add up one drive at one stride."""
    views = [
        view_of(seed, index, SIZE_4K, spacing_m=stride_m) for index in range(int(END_M / stride_m))
    ]
    if bent:
        views = [MEASURE.turned(view) for view in views]
    sightings = [sighting(seed, view, str(index)) for index, view in enumerate(views)]
    began = time.perf_counter()
    cracks = take_inventory(sightings)
    seconds = time.perf_counter() - began
    found_m, places = 0.0, [np.zeros((0, 2))]
    for crack in cracks:
        for part in crack.parts:
            inside = (part.stations_m >= LOW_M) & (part.stations_m < HIGH_M)
            found_m += float(part.lengths_mm[inside].sum()) / 1000
            places.append((part.points[1:] + part.points[:-1]) / 2)
    there = truth(seed, views)
    near = cKDTree(np.concatenate(places)).query(there.place)[0] <= NEAR_M
    shown_m, there_m = there.metres(there.is_shown), there.metres()
    return {
        "seed": seed,
        "stride_m": stride_m,
        "frames": len(views),
        "found_m": round(found_m, 2),
        "shown_m": round(shown_m, 2),
        "there_m": round(there_m, 2),
        "of_shown_pct": round(100 * found_m / shown_m, 1),
        "of_there_pct": round(100 * found_m / there_m, 1),
        "wide_m": round(there.metres(there.is_wide), 2),
        "wide_seen_pct": round(
            100 * there.metres(there.is_wide & near) / there.metres(there.is_wide), 1
        ),
        "inventory_s": round(seconds, 2),
    }


if __name__ == "__main__":
    cv2.setNumThreads(1)
    bent = "--bent" in sys.argv
    seeds = [int(text) for text in sys.argv[1:] if text != "--bent"] or [3, 5, 9]
    for number, seed in enumerate(seeds):
        for stride in STRIDES_M:
            row = compare(seed, stride, bent=bent)
            if number == 0 and stride == STRIDES_M[0]:
                print("".join(f"{name:>14}" for name in row))
            print("".join(f"{value!s:>14}" for value in row.values()), flush=True)
