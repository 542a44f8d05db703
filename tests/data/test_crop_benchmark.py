"""The benchmark of crops runs, and compares ways that give the same pixels."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "crops.py"


@pytest.fixture(scope="module")
def crops():
    spec = importlib.util.spec_from_file_location("benchmark_crops", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """One frame in the layout of a rendered drive."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (70, 70, 3), np.uint8)
    frame = cv2.resize(coarse, (1100, 1060), interpolation=cv2.INTER_CUBIC)
    for name, picture in (("images/0.jpg", frame), ("masks/0.png", frame[..., 0] // 128 * 255)):
        (tmp_path / name).parent.mkdir()
        cv2.imwrite(str(tmp_path / name), picture)
    return tmp_path


def test_it_measures_every_way(crops, drive: Path, tmp_path: Path):
    (tmp_path / "work").mkdir()
    found = crops.measure(drive, tmp_path / "work", rounds=2, stored=4, decoded=1)
    assert set(found["milliseconds"]) == {"store", "png", "jpeg"}
    for median, low, high in found["times_faster_than"].values():
        assert low <= median <= high


def test_ways_that_differ_are_not_compared(crops):
    image, mask = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    ways = dict.fromkeys(("store", "png", "jpeg"), lambda place: (image, mask))
    crops.check_parity(ways, [(0, 0, 0)])
    ways["png"] = lambda place: (image + np.uint8(9), mask)
    with pytest.raises(SystemExit, match="png and the store differ"):
        crops.check_parity(ways, [(0, 0, 0)])
