"""Every data set, in its published layout, passes through check, stats, store and crops."""

from pathlib import Path

import numpy as np
import pytest

from sam_crack.config.data_verbs import DataCheckOptions, DataPrepareOptions
from sam_crack.config.schema import DataConfig
from sam_crack.console import Console
from sam_crack.data.check import run_data_check
from sam_crack.data.crops import CropDrawer
from sam_crack.data.dataset import open_dataset
from sam_crack.data.prepare import run_data_prepare
from sam_crack.data.stats import collect, line_classes, summarise
from sam_crack.data.store import open_store
from sam_crack.report.cards import data_card
from tests.data.sets import fake_layouts, fake_medical, fake_streets

WRITERS = fake_layouts.ROADS | fake_streets.STREETS | fake_medical.MEDICAL
QUIET = Console(quiet=True)
# Fake photos are noise from one seed, so they are each other's copies; subsets are fewer.
EXPECTED = {
    "same picture twice",
    "same picture in two splits",
    "one picture, two masks",
    "nearly the same picture",
    "nearly the same picture in two splits",
    "count",
    "empty mask",
    "other files",
    "no annotation",
    "all ignored",
    "unlisted",
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout(tmp_path: Path, name: str):
    root = tmp_path / "set"
    root.mkdir()
    tree = WRITERS[name](root)
    dataset = open_dataset(name, root)
    options = DataCheckOptions(name=name, root=root, out=tmp_path / "check", workers=0)
    found = run_data_check(options, QUIET)
    assert {each["kind"] for each in found["findings"]} <= EXPECTED
    numbers = summarise(
        dataset, list(collect(dataset, lines=line_classes(dataset), num_workers=0))
    ).summary
    for index, (checked, counted) in enumerate(
        zip(found["classes"], numbers["classes"], strict=True), 1
    ):
        expected = sum(each.areas.get(index, 0) for each in tree.values())
        assert checked["pixels"] == counted["pixels"] == expected
    about = {"url": "u", "citation": "c", "layout": "l", "notes": [], "figures": {}}
    assert f"# {name}: " in data_card(numbers, about)
    if not all(record.masks for record in dataset.records):
        return
    store = DataPrepareOptions(name=name, root=root, out=tmp_path / "store", workers=0)
    run_data_prepare(store, QUIET)
    drawer, stored = (
        CropDrawer(samples, (32, 32), config=DataConfig(scale=(0.7, 1.4)), seed=1)
        for samples in (dataset, open_store(tmp_path / "store"))
    )
    for number in range(4):
        first, second = drawer.draw(number), stored.draw(number)
        np.testing.assert_array_equal(first.pixels, second.pixels)
        np.testing.assert_array_equal(first.target, second.target)
