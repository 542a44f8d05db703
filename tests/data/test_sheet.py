"""The contact sheet shows the very crops that training draws."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_crack.config.data_verbs import DataSheetOptions
from sam_crack.config.schema import DataConfig, ModelConfig, RunConfig
from sam_crack.console import Console
from sam_crack.data.crops import CropDrawer
from sam_crack.data.dataset import open_dataset
from sam_crack.data.mosaic import Tile, fit, mosaic, outlined, png
from sam_crack.data.sheet import run_data_sheet
from sam_crack.errors import BadInput, UsageError
from tests.data.small_set import scene, write_set

CONFIG = RunConfig(model=ModelConfig(window=(64, 96)), seed=4)


def sheet(root: Path, out: Path, config: RunConfig = CONFIG, **options: object) -> dict:
    given = {"name": "uav", "root": root, "out": out, "crops": 5} | options
    return run_data_sheet(DataSheetOptions(**given), Console(quiet=True), config)


def test_tiles_are_the_crops_of_training(tmp_path: Path):
    root = write_set(tmp_path / "set", 6)
    found = sheet(root, tmp_path / "sheet.png", start=2)
    with Image.open(tmp_path / "sheet.png") as image:
        drawn = np.asarray(image)
    drawer = CropDrawer(
        open_dataset("uav", root, split="train"), (64, 96), config=DataConfig(), seed=4
    )
    crops = [drawer.draw(number) for number in range(2, 7)]
    assert found["with_foreground"] == sum(crop.target.any() for crop in crops)
    assert found["frames"] == sorted({crop.sample_id for crop in crops})
    for place, crop in enumerate(crops):  # tiles of 171 x 256, 12 pixels apart, below 40
        tile = drawn[40 : 40 + 171, 12 + place * 268 : 12 + place * 268 + 256]
        plain = fit(np.where(crop.valid[..., None], crop.pixels, crop.pixels // 2), (171, 256))
        assert np.median(np.abs(tile.astype(int) - plain)) <= 1
    assert drawn.shape[1] == 12 + 5 * 268


def test_the_split_that_training_takes_must_be_there(tmp_path: Path):
    root = write_set(tmp_path / "set", 4)
    config = RunConfig(model=CONFIG.model, data=DataConfig(train="test"))
    with pytest.raises(BadInput, match="no frame in split test"):
        sheet(root, tmp_path / "sheet.png", config)
    assert sheet(root, tmp_path / "sheet.png", config, split="val")["frames"] == ["f002", "f003"]


def test_only_png_is_written(tmp_path: Path):
    with pytest.raises(UsageError, match=r"ending in \.png"):
        sheet(tmp_path, tmp_path / "sheet.jpg")


def test_outlines_hide_nothing_of_the_class():
    picture, mask = scene(1), np.zeros((96, 128), np.uint8)
    mask[20:30, 20:30], mask[50:52, 40:90] = 1, 2
    drawn = outlined(picture, mask, {1: (255, 0, 0), 2: (0, 255, 0)})
    np.testing.assert_array_equal(drawn[mask > 0], picture[mask > 0])
    assert (drawn[19, 20:30] == (255, 0, 0)).all()
    assert (drawn[52, 40:90] == (0, 255, 0)).all()
    changed = (drawn != picture).any(2).sum()
    assert changed <= 4 * 10 + 2 * 52 + 4


def test_a_picture_keeps_its_proportions():
    fitted = fit(np.zeros((50, 100, 3), np.uint8), (100, 100))
    assert (fitted[25:75] == 0).all()
    assert (fitted[:25] == 255).all()
    assert (fitted[75:] == 255).all()


def test_long_captions_are_cut_in_their_middle():
    tile = Tile(picture=np.zeros((40, 80, 3), np.uint8), caption="abc" * 60)
    drawn = mosaic([tile], columns=3, tile=(40, 80), title="t", legend=[("crack", (255, 0, 0))])
    assert drawn.shape == (40 + 40 + 17 + 12, 12 + 92, 3)
    assert (drawn[82:, -10:] == 255).all()
    assert png(drawn).startswith(b"\x89PNG")


def test_the_verb_takes_the_settings_of_training(tmp_path: Path, run_cli):
    root = write_set(tmp_path / "set", 4)
    code, text, _ = run_cli(
        *("data", "sheet", "uav", root, "--out", tmp_path / "s.png", "--crops", 3),
        *("--model.window", "64,64", "--data.foreground_share", 1),
    )
    assert code == 0
    assert "3 crops of 2 frames, 3 of them with foreground" in text
