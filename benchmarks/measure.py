"""How exact lengths and widths are on true masks, against what was rendered; and how fast.

    python benchmarks/measure.py [FRAMES] [--speed]

Draws the true 4K masks of practice drives (no picture is needed), measures them, and compares
crack by crack within rings of distance: as the drives are rendered, and through a camera that is
turned and whose lens bends lines. What is true of a ring is the part of a crack that the mask
shows there: thinner than a quarter of a pixel nothing is drawn, and nothing can be measured.
Cracks that touch are one crack: no mask can tell where one ends and the other begins. Every
fragment counts, however short. Widths are also given for cracks that are a pixel wide or wider:
nothing narrower can be measured, and each crack's row says so.

With --speed: a 4K mask with 25 cracks on one core, against plain scikit-image and scipy.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.cracks import Crack
from sam_crack.data.synth.frame import SIZE_4K, cracks_near, view_of
from sam_crack.data.synth.layers import FAINTEST_PX, blank_layers, draw_crack, outline_px, width_px
from sam_crack.data.synth.view import View
from sam_crack.measure.cracks import measure_cracks
from sam_crack.measure.match import territory
from sam_crack.measure.sections import touched_m2
from sam_crack.measure.skeleton import thin

Float = NDArray[np.float64]
RINGS_M = (0.0, 5.0, 10.0, 15.0, 25.0)
TRUSTED_M = 15.0
SHORTEST_M = 0.5
"""A crack counts in a ring from this length there."""
REACH_PX = 6
SEEDS = (3, 5, 9)
TURNED_DEG, BENT = 2.5, (-0.18, 0.04, 0.0008, -0.0005, 0.0)
"""Roll and lens of the other camera: what a wide dashcam has."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One true crack, with those it touches, in one ring of one frame; what was measured of it."""

    kinds: frozenset[str]
    ring: int
    """Number of the ring; 0 for all within what is trusted."""
    true_mm: float
    found_mm: float
    true_width_mm: float
    found_width_mm: float
    true_m2: float
    found_m2: float
    """Of the cells of half a metre that it touches."""
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Steps:
    """True steps of the cracks of a frame that are drawn, as columns."""

    crack: NDArray[np.int64]
    middle: Float
    across: Float
    """(n, 2) share of a step's run down the frame and across it, at a right angle to it."""
    length_mm: Float
    width_mm: Float


def turned(view: View) -> View:
    """Return the view through a camera that is turned and whose lens bends lines."""
    return replace(view, camera=replace(view.camera, roll_deg=TURNED_DEG, distortion=BENT))


def compare_frame(
    seed: int, index: int, *, spacing_m: float = 8.0, bent: bool = False
) -> Iterator[Pair]:
    """Measure the true mask of one frame and pair it with the truth, by crack and ring."""
    view = view_of(seed, index, SIZE_4K, spacing_m=spacing_m)
    if bent:
        view = turned(view)
    cracks = cracks_near(seed, view)
    steps = _steps(view, cracks)
    owner, group = _owners(view, cracks)
    pieces = _pieces(view, true_mask(view, cracks), owner)
    kinds: dict[int, set[str]] = defaultdict(set)
    for number, crack in enumerate(cracks, 1):
        kinds[group[number]].add(crack.kind)
    for ring in range(len(RINGS_M)):
        low, high = (RINGS_M[ring - 1], RINGS_M[ring]) if ring else (0.0, TRUSTED_M)
        for number, names in kinds.items():
            mine = (group[steps.crack] == number) & _within(steps.middle, low, high)
            total = float(steps.length_mm[mine].sum())
            found = (group[pieces[:, 0].astype(int)] == number) & _within(pieces[:, 1:3], low, high)
            if total < 1000 * SHORTEST_M or not found.any():
                continue
            weight = steps.length_mm[mine] / total
            gsd = view.camera.millimetres_per_pixel(view.camera.to_pixels(steps.middle[mine]))
            yield Pair(
                kinds=frozenset(names),
                ring=ring,
                true_mm=total,
                found_mm=float(pieces[found, 3].sum()),
                true_width_mm=float(weight @ steps.width_mm[mine]),
                found_width_mm=float(np.average(pieces[found, 4], weights=pieces[found, 3])),
                true_m2=touched_m2(steps.middle[mine]),
                found_m2=touched_m2(pieces[found, 1:3]),
                pixel_mm=float(weight @ (gsd * steps.across[mine]).sum(axis=1)),
            )


def _within(places: Float, low: float, high: float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (places[:, 1] >= low) & (places[:, 1] < high)
    return inside


def _steps(view: View, cracks: Sequence[Crack]) -> _Steps:
    """Lay the drawn steps of all cracks under each other."""
    parts = []
    for number, crack in enumerate(cracks, 1):
        middle, course, lengths, widths, drawn = shown_steps(view, crack)
        # A step that runs ahead is crossed by pixels that lie across, and the other way round.
        across = np.abs(course) / np.maximum(np.abs(course).sum(axis=1, keepdims=True), 1e-9)
        columns = [np.full(len(lengths), number), *middle.T, *across.T, lengths, widths]
        parts.append(np.stack(columns, axis=1)[drawn])
    table = np.concatenate(parts)
    return _Steps(
        crack=table[:, 0].astype(np.int64),
        middle=table[:, 1:3],
        across=table[:, 3:5],
        length_mm=table[:, 5],
        width_mm=table[:, 6],
    )


def _owners(view: View, cracks: Sequence[Crack]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number of the true crack at every pixel, and of the group of those that touch it."""
    size = view.camera.size
    owner = np.zeros(size, np.int32)
    group = np.arange(len(cracks) + 1)
    for number, crack in enumerate(cracks, 1):
        lines = [_near(view, branch.line) for branch in crack.branches]
        with np.errstate(invalid="ignore"):
            ends = np.concatenate([line[np.isfinite(line).all(axis=1)] for line in lines])
        low = np.clip(ends.min(axis=0, initial=1e6) - REACH_PX - 1, 0, size).astype(int)
        high = np.clip(ends.max(axis=0, initial=-1e6) + REACH_PX + 2, low, size).astype(int)
        if (high <= low).any():
            continue
        part = owner[low[0] : high[0], low[1] : high[1]]
        own = {number: [line - low for line in lines]}
        mine = territory(own, part.shape, reach_px={number: REACH_PX}) > 0
        for other in np.unique(part[mine]):
            if other:
                group[group == group[other]] = group[number]
        part[mine] = number
    return owner, group


def _near(view: View, line: Float) -> Float:
    """Pixels of a line as far as the rings reach: further out everything touches."""
    pixels = view.project(line)
    pixels[view.pose.to_camera(line)[:, 1] > RINGS_M[-1]] = np.nan
    return pixels


def _pieces(view: View, mask: NDArray[np.uint8], owner: NDArray[np.int32]) -> Float:
    """(n, 5) the measured pieces: true crack, x and z in metres, length and width in mm."""
    table = [np.zeros((0, 5))]
    for crack in measure_cracks(mask, camera=view.camera, min_length_px=1):
        for line in crack.road:
            y, x = np.round(view.camera.to_pixels(line.middles)).astype(int).T
            y, x = (np.clip(v, 0, side - 1) for v, side in zip((y, x), mask.shape, strict=True))
            columns = [owner[y, x], *line.middles.T, line.lengths_mm, line.widths_mm]
            table.append(np.stack(columns, axis=1))
    return np.concatenate(table)


def table(pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """One row per ring, and one for all that is trusted; nets of cracks are rows of their own."""
    rows = []
    names = [f"{low:g}-{high:g} m" for low, high in pairwise(RINGS_M)]
    for net in (False, True):
        some = [pair for pair in pairs if ("alligator" in pair.kinds) == net]
        for ring in (*range(1, len(RINGS_M)), 0):
            mine = [pair for pair in some if pair.ring == ring]
            if mine:
                name = names[ring - 1] if ring else f"0-{TRUSTED_M:g} m"
                rows.append({"ring": name, "cracks": "nets" if net else "lines"} | figures(mine))
    return rows


def figures(pairs: Sequence[Pair]) -> dict[str, object]:
    """Medians over cracks."""

    def median(values: Iterable[float], digits: int) -> float | None:
        some = list(values)
        return round(float(np.median(some)), digits) if some else None

    wide = [pair for pair in pairs if pair.true_width_mm >= pair.pixel_mm]
    return {
        "n": len(pairs),
        "length_pct": median((100 * p.length_error for p in pairs), 2),
        "abs_length_pct": median((100 * abs(p.length_error) for p in pairs), 2),
        "width_mm": median((p.width_error_mm for p in pairs), 2),
        "width_of_limit": median((abs(p.width_error_mm) / p.width_limit_mm for p in pairs), 2),
        "n_wide": len(wide),
        "wide_of_limit": median((abs(p.width_error_mm) / p.width_limit_mm for p in wide), 2),
        "abs_area_pct": median((100 * abs(p.found_m2 / p.true_m2 - 1) for p in pairs), 2),
        "pixel_mm": median((p.pixel_mm for p in pairs), 1),
    }


def many_cracks() -> NDArray[np.uint8]:
    """A 4K mask with 25 wandering cracks, 2 to 6 px wide."""
    rng = np.random.default_rng(0)
    mask = np.zeros(SIZE_4K, np.uint8)
    for number in range(25):
        steps = rng.normal(0, 3, (100, 2)) + rng.uniform(-5, 5, 2)
        origin = np.array([300 + number % 5 * 740, 1000 + number // 5 * 230])
        walk = (np.cumsum(steps, 0) + origin).round().astype(np.int32)
        cv2.polylines(mask, [walk], False, 1, int(rng.integers(2, 7)))
    return mask


def plainly(mask: NDArray[np.uint8]) -> list[tuple[int, float]]:
    """Measure with scikit-image and scipy as they come: pixels of skeleton and mean width."""
    from scipy.ndimage import distance_transform_edt
    from skimage.measure import label, regionprops
    from skimage.morphology import skeletonize

    labels = label(mask > 0, connectivity=2)
    line = skeletonize(mask > 0, method="lee") > 0
    radius = distance_transform_edt(mask)
    found = []
    for region in regionprops(labels):
        own = line[region.slice] & region.image
        found.append((int(own.sum()), 2 * float(radius[region.slice][own].mean())))
    return found


def speed() -> None:
    """Time both in turns, and say whether their skeletons are the same."""
    from skimage.morphology import skeletonize

    paired = beside("paired").paired
    mask, camera = many_cracks(), view_of(SEEDS[0], 0).camera
    same = np.array_equal(thin(mask * np.uint8(255), 8) > 0, skeletonize(mask > 0, method="lee"))
    print(f"same skeleton: {same}")
    print("pixels only:", paired(lambda: measure_cracks(mask), lambda: plainly(mask)))
    print(
        "with a camera:", paired(lambda: measure_cracks(mask, camera=camera), lambda: plainly(mask))
    )
    bent = replace(camera, roll_deg=TURNED_DEG, distortion=BENT)
    print("and a lens:", paired(lambda: measure_cracks(mask, camera=bent), lambda: plainly(mask)))


def beside(name: str) -> Any:  # noqa: ANN401 - a module
    """Load a module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(
        f"benchmark_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Print the tables."""
    cv2.setNumThreads(1)
    if "--speed" in sys.argv:
        speed()
        return
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    for bent, name in ((False, "as rendered"), (True, "turned camera, bent lens")):
        pairs = [
            p
            for seed in SEEDS
            for index in range(frames)
            for p in compare_frame(seed, index, bent=bent)
        ]
        rows = table(pairs)
        print(f"{name}, {frames} frames of each of {len(SEEDS)} drives")
        print("".join(f"{name:>16}" for name in rows[0]))
        for row in rows:
            print("".join(f"{value!s:>16}" for value in row.values()), flush=True)


if __name__ == "__main__":
    main()
