"""How fast random crops are read: prepared store against cv2 on PNG and on JPEG.

Run with a rendered drive, `sam-crack data synth --frames 3 --video none --out DRIVE`:
    python benchmarks/crops.py DRIVE

Rounds alternate between the ways, on one core, with warm caches; each figure is the median of
paired ratios with the smallest and largest. All ways are first checked to give the same pixels.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from sam_crack.config.data_verbs import DataPrepareOptions
from sam_crack.console import Console
from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.data.prepare import run_data_prepare
from sam_crack.data.store import Store, open_store

SIDE = 1024
Place = tuple[int, int, int]
Cut = tuple[np.ndarray, np.ndarray]


def measure(
    drive: Path, work: Path, *, rounds: int = 5, stored: int = 300, decoded: int = 4
) -> dict[str, object]:
    """Return crops per second of each way, and the ratios of the store to the others.

    Args:
        drive: A rendered drive with JPEG frames.
        work: Folder for the store and the PNG copies.
        rounds: How often the ways take turns.
        stored: Crops per round from the store.
        decoded: Crops per round from PNG and JPEG.
    """
    cv2.setNumThreads(1)
    plain = open_dataset("synth", drive)
    jpegs = [record.image for record in plain.records]
    masks = [record.masks["mask"] for record in plain.records]
    pngs = [work / f"{path.stem}.png" for path in jpegs]
    for source, target in zip(jpegs, pngs, strict=True):
        cv2.imwrite(str(target), cv2.imread(str(source)))
    options = DataPrepareOptions(name="synth", root=drive, out=work / "store", workers=0)
    run_data_prepare(options, Console(quiet=True))
    store = open_store(work / "store")
    ways: dict[str, Callable[[Place], Cut]] = {
        "store": lambda place: from_store(store, place),
        "png": lambda place: from_files(pngs, masks, place),
        "jpeg": lambda place: from_files(jpegs, masks, place),
    }
    rng = np.random.default_rng(0)
    places = random_places(plain, max(stored, decoded) * rounds, rng)
    check_parity(ways, places[:3])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, read in ways.items():
            count = stored if name == "store" else decoded
            mine = places[number * count : (number + 1) * count]
            start = time.perf_counter()
            for place in mine:
                read(place)
            seconds[name].append((time.perf_counter() - start) / len(mine))
    return summary(seconds)


def from_store(store: Store, place: Place) -> Cut:
    """Read pixels and mask of one crop from the store."""
    index, top, left = place
    crop = store.read_crop(index, top, left, (SIDE, SIDE))
    return crop.image, crop.mask


def from_files(images: list[Path], masks: list[Path], place: Place) -> Cut:
    """Read pixels and mask of one crop as a plain loader does: decode all, keep a part."""
    index, top, left = place
    part = slice(top, top + SIDE), slice(left, left + SIDE)
    image = cv2.imread(str(images[index]))[part][..., ::-1].copy()
    mask = cv2.imread(str(masks[index]), cv2.IMREAD_GRAYSCALE)[part] > 127
    return image, mask.astype(np.uint8)


def random_places(dataset: Dataset, number: int, rng: np.random.Generator) -> list[Place]:
    """Draw frames and corners."""
    height, width = dataset.read_image(0).shape[:2]
    return [
        (
            int(rng.integers(len(dataset))),
            int(rng.integers(height - SIDE + 1)),
            int(rng.integers(width - SIDE + 1)),
        )
        for _ in range(number)
    ]


def check_parity(ways: dict[str, Callable[[Place], Cut]], places: list[Place]) -> None:
    """Raise unless every way gives the same crop; JPEG decoders may differ by rounding."""
    for place in places:
        image, mask = ways["store"](place)
        for name in ("png", "jpeg"):
            other, other_mask = ways[name](place)
            if np.abs(image.astype(int) - other).max() > 3 or not np.array_equal(mask, other_mask):
                raise SystemExit(f"{name} and the store differ at {place}")


def summary(seconds: dict[str, list[float]]) -> dict[str, object]:
    """Turn times into rates and paired ratios."""
    ratios = {
        name: [slow / fast for slow, fast in zip(times, seconds["store"], strict=True)]
        for name, times in seconds.items()
        if name != "store"
    }
    return {
        "milliseconds": {n: round(1e3 * statistics.median(t), 3) for n, t in seconds.items()},
        "times_faster_than": {
            n: [round(f(r), 1) for f in (statistics.median, min, max)] for n, r in ratios.items()
        },
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(sys.argv[1]), Path(folder))
    print(json.dumps(found, indent=1))
