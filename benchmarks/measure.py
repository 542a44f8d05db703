"""How exact lengths and widths are: measured on true masks, compared with what was rendered.

    python benchmarks/measure.py [FRAMES]

Draws the true 4K masks of practice drives (no picture is needed), measures them, and compares
crack by crack within rings of distance. What is true of a ring is the part of a crack that the
mask shows there: thinner than a quarter of a pixel nothing is drawn, and nothing can be measured.
Every fragment counts, however
short. A piece of a measured crack belongs to the true crack whose centre line it lies on.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.cracks import Crack
from sam_crack.data.synth.frame import SIZE_4K, cracks_near, view_of
from sam_crack.data.synth.layers import FAINTEST_PX, blank_layers, draw_crack, outline_px, width_px
from sam_crack.data.synth.view import View
from sam_crack.measure.cracks import measure_cracks
from sam_crack.measure.match import territory

Float = NDArray[np.float64]
RINGS_M = (2.5, 5.0, 7.5, 10.0, 12.5, 15.0)
SHORTEST_M = 0.5
"""A crack counts in a ring from this length there."""
REACH_PX = 6


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One true crack within one ring of one frame, and what was measured of it."""

    kind: str
    ring: int
    true_mm: float
    found_mm: float
    true_width_mm: float
    found_width_mm: float
    pixel_mm: float
    """Sampling distance at a right angle to the crack."""

    @property
    def length_error(self) -> float:
        """Share of the true length."""
        return self.found_mm / self.true_mm - 1

    @property
    def width_error_mm(self) -> float:
        """Measured minus true."""
        return self.found_width_mm - self.true_width_mm

    @property
    def width_limit_mm(self) -> float:
        """Ten percent, or half a sampling distance where that is more."""
        return max(0.1 * self.true_width_mm, 0.5 * self.pixel_mm)


def true_mask(view: View, cracks: Sequence[Crack]) -> NDArray[np.uint8]:
    """Draw a frame's cracks by the rule of `data synth`, with nothing in front of the road."""
    layers = blank_layers(view.camera.size)
    for crack in cracks:
        draw_crack(view, crack, layers)
    return layers.mask


def shown_steps(view: View, crack: Crack) -> tuple[Float, Float, Float, Float, NDArray[np.bool_]]:
    """Middle (x, z), course, length and width (mm) of each step of a crack, and if it is drawn."""
    left, right, joined = outline_px(view, crack)
    height, width = view.camera.size
    with np.errstate(invalid="ignore"):
        drawn = joined & (width_px(left, right) >= FAINTEST_PX)
        y, x = ((left + right)[1:] / 2).T
        drawn &= (y >= 0) & (y <= height - 1) & (x >= 0) & (x <= width - 1)
    line = view.pose.to_camera(np.concatenate([branch.line for branch in crack.branches]))
    lengths, widths = crack.step_sizes_mm
    return (line[1:] + line[:-1]) / 2, np.diff(line, axis=0), lengths, widths, drawn


def compare_frame(seed: int, index: int, *, spacing_m: float = 8.0) -> Iterator[Pair]:
    """Measure the true mask of one frame and pair it with the truth, by crack and ring."""
    view = view_of(seed, index, SIZE_4K, spacing_m=spacing_m)
    cracks = cracks_near(seed, view)
    mask = true_mask(view, cracks)
    found = _measured(view, mask, cracks)
    for number, crack in enumerate(cracks, 1):
        middle, course, lengths, widths, drawn = shown_steps(view, crack)
        rings = np.digitize(middle[:, 1], RINGS_M)
        for ring in range(1, len(RINGS_M)):
            mine = drawn & (rings == ring)
            total = float(lengths[mine].sum())
            if total < 1000 * SHORTEST_M or (number, ring) not in found:
                continue
            measured = np.array(found[number, ring])
            across = np.abs(course[mine][:, ::-1]).sum(axis=0) / np.abs(course[mine]).sum()
            spot = view.camera.to_pixels(middle[mine].mean(axis=0))
            down, aside = view.camera.millimetres_per_pixel(spot)
            yield Pair(
                kind=crack.kind,
                ring=ring,
                true_mm=total,
                found_mm=float(measured[:, 0].sum()),
                true_width_mm=float(lengths[mine] @ widths[mine]) / total,
                found_width_mm=float(np.average(measured[:, 1], weights=measured[:, 0])),
                pixel_mm=float(across @ (aside, down)),
            )


def _measured(
    view: View, mask: NDArray[np.uint8], cracks: Sequence[Crack]
) -> dict[tuple[int, int], list[tuple[float, float]]]:
    """True crack and ring to (length, width) of the measured pieces that lie on it."""
    lines = {n: [view.project(b.line) for b in crack.branches] for n, crack in enumerate(cracks, 1)}
    owner = territory(lines, view.camera.size, reach_px=dict.fromkeys(lines, REACH_PX))
    found: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for crack in measure_cracks(mask, camera=view.camera, min_length_px=1):
        for line in crack.road:
            y, x = np.round(view.camera.to_pixels(line.middles)).astype(int).T
            y, x = (np.clip(v, 0, side - 1) for v, side in zip((y, x), mask.shape, strict=True))
            rings = np.digitize(line.middles[:, 1], RINGS_M)
            pieces = zip(
                owner[y, x].tolist(), rings.tolist(), line.lengths_mm, line.widths_mm, strict=True
            )
            for number, ring, length, width in pieces:
                found[number, ring].append((length, width))
    return found


def table(pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """One row per ring, and one for all within 15 m; alligator fields are rows of their own."""
    rows = []
    groups = [(f"{RINGS_M[r - 1]:g}-{RINGS_M[r]:g} m", r) for r in range(1, len(RINGS_M))]
    for net in (False, True):
        some = [pair for pair in pairs if (pair.kind == "alligator") == net]
        for name, ring in [*groups, ("all", 0)]:
            mine = [pair for pair in some if ring in (0, pair.ring)]
            if mine:
                errors = [100 * pair.length_error for pair in mine]
                rows.append(
                    {
                        "ring": name,
                        "cracks": "alligator" if net else "lines",
                        "n": len(mine),
                        "length_error_pct": round(float(np.median(errors)), 2),
                        "abs_length_error_pct": round(float(np.median(np.abs(errors))), 2),
                        "width_error_mm": round(
                            float(np.median([p.width_error_mm for p in mine])), 2
                        ),
                        "abs_width_error_of_limit": round(
                            float(
                                np.median([abs(p.width_error_mm) / p.width_limit_mm for p in mine])
                            ),
                            2,
                        ),
                        "pixel_mm": round(float(np.median([p.pixel_mm for p in mine])), 1),
                    }
                )
    return rows


if __name__ == "__main__":
    cv2.setNumThreads(1)
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    pairs = [p for seed in (3, 5, 9) for index in range(frames) for p in compare_frame(seed, index)]
    rows = table(pairs)
    print("".join(f"{name:>26}" for name in rows[0]))
    for row in rows:
        print("".join(f"{value!s:>26}" for value in row.values()))
