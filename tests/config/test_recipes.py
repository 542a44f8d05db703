"""Every shipped configuration is run for two steps, through the command line, on a tiny SAM."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.io import savemat

from sam_crack.config.load import load_config, overlay_of
from sam_crack.config.schema import RunConfig
from sam_crack.data.sets.catalogue import DATASETS

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
TINY = {
    "model.backbone.name": "tiny",
    "model.backbone.pretrained": "false",
    "model.window": "64,64",
    "data.name": "folder",
    "data.also": "",
    "data.also_scale": "",
    "data.num_workers": "0",
    "train.steps": "2",
    "train.batch_size": "2",
    "train.warmup": "0",
}


def write_pictures(tmp_path: Path, num_classes: int) -> Path:
    """Six pictures with a dark line of each class, as a folder of images and masks."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2)):
        for number in range(count):
            image = rng.integers(90, 160, (96, 96, 3), dtype=np.uint8)
            mask = np.zeros((96, 96), np.uint8)
            for index in range(num_classes):
                row = (20 + 9 * number + 4 * index) % 92
                mask[row : row + 4, 10:80] = index + 1 if num_classes > 1 else 255
            image[mask > 0] //= 3
            for kind, array in (("images", image), ("masks", mask)):
                folder = tmp_path / "data" / split / kind
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(folder / f"{number}.png")
    return tmp_path / "data"


def write_nuclei(tmp_path: Path) -> Path:
    """Eight tiles of touching nuclei of all stored types, as CoNSeP is published."""
    rng = np.random.default_rng(0)
    home = tmp_path / "consep" / "Train"
    (home / "Images").mkdir(parents=True)
    (home / "Labels").mkdir()
    for number in range(1, 9):
        instances = np.zeros((96, 96), np.int32)
        for index in range(8):
            row, column = divmod(index, 2)
            instances[4 + 24 * row : 24 + 24 * row, 10 + 30 * column : 40 + 30 * column] = index + 1
        types = np.array([0, 1, 2, 3, 4, 5, 6, 7, 1], np.float64)
        image = rng.integers(90, 160, (96, 96, 3), dtype=np.uint8)
        image[instances > 0] //= 2
        Image.fromarray(image).save(home / "Images" / f"train_{number}.png")
        content = {"inst_map": instances, "type_map": types[instances]}
        content |= {"inst_type": types[1:, None], "inst_centroid": np.zeros((8, 2))}
        savemat(home / "Labels" / f"train_{number}.mat", content)
    return tmp_path / "consep"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_configuration_trains(file, tmp_path, run_cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head = load_config(RunConfig, file=file).model.head
    if head.boundary:
        pictures, given = write_nuclei(tmp_path), TINY | {"data.name": "consep"}
        monkeypatch.setenv("SAM_CRACK_HOME", str(tmp_path / "cache"))
    else:
        pictures = write_pictures(tmp_path, head.num_classes)
        several = [f"kind-{index}={index}" for index in range(1, head.num_classes + 1)]
        given = TINY | {"data.classes": ",".join(several) if head.num_classes > 1 else ""}
    flags = [f"--{name}={value}" for name, value in given.items()]
    code, out, err = run_cli("train", "--json", "--config", file, f"--data.root={pictures}", *flags)
    assert code == 0, err
    run = tmp_path / json.loads(out)["run"]
    assert (run / "config.yaml").is_file()
    assert json.loads((run / "run.json").read_text())["config_sha256"]
    assert list(run.rglob("*.safetensors"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_configuration_says_only_what_differs(file):
    config = load_config(RunConfig, file=file)
    lines = file.read_text().splitlines()
    assert len(lines) < 25
    assert lines[0].startswith("# ")
    told = yaml.safe_load(file.read_text())
    assert told == overlay_of(config)
    assert config.data.name in DATASETS
