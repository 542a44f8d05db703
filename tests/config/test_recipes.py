"""Every shipped configuration is run for two steps, through the command line, on a tiny SAM."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
TINY = {
    "model.backbone.name": "tiny",
    "model.backbone.pretrained": "false",
    "model.window": "64,64",
    "data.name": "folder",
    "data.num_workers": "0",
    "train.steps": "2",
    "train.batch_size": "2",
    "train.warmup": "0",
}


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Six pictures with one dark line each, as a folder of images and masks."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2)):
        for number in range(count):
            image = rng.integers(90, 160, (96, 96, 3), dtype=np.uint8)
            mask = np.zeros((96, 96), np.uint8)
            mask[20 + 9 * number : 24 + 9 * number, 10:80] = 255
            image[mask > 0] //= 3
            for kind, array in (("images", image), ("masks", mask)):
                folder = tmp_path / "data" / split / kind
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(folder / f"{number}.png")
    return tmp_path / "data"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_configuration_trains(file, pictures, tmp_path, run_cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = [f"--{name}={value}" for name, value in TINY.items()]
    code, out, err = run_cli("train", "--json", "--config", file, f"--data.root={pictures}", *flags)
    assert code == 0, err
    run = tmp_path / json.loads(out)["run"]
    assert (run / "config.yaml").is_file()
    assert json.loads((run / "run.json").read_text())["config_sha256"]
    assert list(run.rglob("*.safetensors"))
