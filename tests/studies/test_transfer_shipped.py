"""Every shipped transfer, from its first row to its page: on tiny trees with a tiny SAM."""

import json
from pathlib import Path

import pytest
import yaml

from sam_crack.studies.transfer.plan import read_transfer
from tests.studies.tiny_road import write_checkpoint
from tests.studies.tiny_transfers import WRITERS

SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "transfer").glob("*.yaml"))
FIRST = {"crass12": "iou_pooled", "cityscapes": "miou_pooled", "voc": "miou_pooled"}
FIRST |= {"pannuke": "bpq@pannuke"}
"""What counts most in each of them; of other nuclei it is aji_per_image."""


def set_of(file):
    return yaml.safe_load(file.read_text())["base"]["data"]["name"]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Write a shipped transfer with a tiny SAM, two steps a row, one row a method."""
    monkeypatch.setenv("SAM_CRACK_HOME", str(tmp_path / "cache"))

    def write(file):
        text = file.read_text()
        for name in ("practice", "road"):
            text = text.replace(f"init: {name}", f"init: {tmp_path / 'tuned'}")
        tree = yaml.safe_load(text.replace("[practice, road, ", f"[{tmp_path / 'tuned'}, "))
        write_checkpoint(tmp_path / "tuned")
        base = tree["base"]
        base["model"] |= {"window": [64, 64], "backbone": {"name": "tiny", "pretrained": False}}
        base["model"].pop("adapter")  # the tiny checkpoint's are those of the defaults
        base["model"]["head"] = base["model"].get("head", {}) | {"width": 8}
        base["data"] |= {"crop": [32, 32], "num_workers": 0}
        base["train"] |= {"steps": 2, "warmup": 0, "batch_size": 2, "validate_every": 2}
        tree["evaluate"]["resamples"] = 20
        tree["images"] = tree["images"][-1:]
        tree["curves"]["unet"]["opponent"]["imagenet"] = False
        tree["rows"].pop("medsam", None)
        tree["forget"]["objects"] = 2
        path = tmp_path / f"{file.stem}.yaml"
        path.write_text(yaml.safe_dump(tree, sort_keys=False))
        return path

    return write


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_transfer_runs_to_its_page(file, tiny, tmp_path, run_cli):
    root = WRITERS[set_of(file)](tmp_path / "set")
    given = ("--root", root, "--out", tmp_path / "out")
    code, out, err = run_cli("transfer", tiny(file), *given, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert not told["not_run"]
    assert {"sam-all", "unet-all", "from_practice", "from_road"} <= set(told["rows"])
    kept = json.loads((tmp_path / "out" / "transfer.json").read_text())
    assert kept["headlines"][0] == FIRST.get(set_of(file), "aji_per_image")
    assert len(kept["forgotten"]) == 2
    for row in kept["rows"].values():
        assert 0 <= row["scores"][kept["headlines"][0]]["value"] <= 1
        assert not set(row["image_ids"]) & set(kept["validated_on"])
    assert file.read_text().split("title: ")[1].splitlines()[0] in (
        tmp_path / "out" / "report.html"
    ).read_text("utf-8")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_transfers_are_short_and_share_one_budget(file):
    assert len(file.read_text().splitlines()) < 25
    tree = yaml.safe_load(file.read_text())
    assert file.stem == set_of(file)
    data = tree["base"]["data"]
    assert data.get("hold_out", 0) >= 1 or data["val"] not in (data["train"], "test")
    assert tree["evaluate"]["split"] not in (data.get("train", "train"), data.get("val"))
    assert tree["base"]["train"]["steps"] <= 120
    rows = [*tree["curves"].values(), *tree.get("rows", {}).values()]
    assert not any("steps" in str(row) for row in rows)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["consep", "crass12", "kumar"])
def test_shipped_transfers_find_their_images(name, data_root):
    file = next(each for each in SHIPPED if each.stem == name)
    plan = read_transfer(file, root=data_root / {"crass12": "crass12_layout"}.get(name, name))
    assert len(plan.compared.rows) >= 4
    assert len(plan.validated) >= 1
