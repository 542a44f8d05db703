"""Statistics against numbers counted another way, and cards that hold them."""

import csv
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sam_crack.config.data_verbs import DataStatsOptions
from sam_crack.console import Console
from sam_crack.data.dataset import open_dataset
from sam_crack.data.stats import collect, histogram, line_classes, spread, summarise
from sam_crack.errors import BadInput, UsageError
from sam_crack.report.distributions import compare_figure
from sam_crack.report.heatmaps import first_row
from sam_crack.studies.data_card import run_data_stats
from tests.data.sets import fake_layouts, fake_medical
from tests.data.small_set import write_lists, write_set


def stats(root: Path, out: Path, name: str = "uav", **options: object) -> dict:
    given = {"name": name, "root": root, "out": out, "workers": 0} | options
    return run_data_stats(DataStatsOptions(**given), Console(quiet=True))


def masks(root: Path) -> dict[str, np.ndarray]:
    return {
        path.stem: cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127
        for path in sorted((root / "masks").iterdir())
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", 6)


def test_counts_and_shares_equal_another_reader(root: Path, tmp_path: Path):
    Image.fromarray(np.zeros((96, 128), np.uint8)).save(root / "masks" / "f005.png")
    found, true = stats(root, tmp_path / "out"), masks(root)
    areas = np.array([each.sum() for each in true.values()])
    assert found["foreground_share"] == pytest.approx(areas.sum() / (6 * 96 * 128), abs=1e-7)
    (crack,) = found["classes"]
    assert (crack["frames"], crack["pixels"]) == (5, areas.sum())
    assert crack["pixels_per_frame"]["median"] == np.median(areas[areas > 0])
    assert {s: row["frames"] for s, row in found["splits"].items()} == {"train": 3, "val": 3}
    assert found["splits"]["val"]["with_foreground"] == 2
    assert found["resolution"]["median"] == [96, 128]


def test_heat_is_the_mean_of_the_masks(root: Path, tmp_path: Path):
    stats(root, tmp_path / "out")
    true = masks(root)
    for split, names in (("train", ["f000", "f001", "f002"]), ("val", ["f003", "f004", "f005"])):
        heat = np.load(tmp_path / "out" / f"heat_{split}.npy")
        assert heat.shape == (90, 120)
        mean = np.mean([true[name] for name in names], axis=0)
        assert heat.mean() == pytest.approx(mean.mean(), rel=0.01)
        # Blocks of 16 x 16 pixels are 15 x 15 cells.
        blocks = mean.reshape(6, 16, 8, 16).mean((1, 3))
        np.testing.assert_allclose(heat.reshape(6, 15, 8, 15).mean((1, 3)), blocks, atol=2e-3)


def test_lines_have_their_drawn_length_and_width(tmp_path: Path):
    root = write_set(tmp_path / "set", 3)
    for number, width in enumerate((3, 5, 7)):
        mask = np.zeros((96, 128), np.uint8)
        mask[40 : 40 + width, 14:114] = 255
        Image.fromarray(mask).save(root / "masks" / f"f00{number}.png")
    found = stats(root, tmp_path / "out")["lines"]
    assert found["number"] == 3
    assert found["length_px"]["median"] == pytest.approx(100, abs=3)
    assert found["width_px"]["min"] == pytest.approx(3, abs=0.3)
    assert found["width_px"]["max"] == pytest.approx(7, abs=0.3)
    assert sum(found["width_px_histogram"]["counts"]) == 3


def test_instances_are_counted(tmp_path: Path):
    tree = fake_medical.MEDICAL["consep"](tmp_path)
    dataset = open_dataset("consep", tmp_path)
    found = summarise(dataset, list(collect(dataset, num_workers=0))).summary
    assert found["instances"]["number"] == sum(each.instances or 0 for each in tree.values())
    assert found["lines"] is None


def test_overlapping_classes_count_in_full_but_once_as_foreground(tmp_path: Path):
    tree = fake_layouts.ROADS["dnit"](tmp_path)
    dataset = open_dataset("dnit", tmp_path)
    found = summarise(dataset, list(collect(dataset, num_workers=0))).summary
    for index, row in enumerate(found["classes"], 1):
        assert row["pixels"] == sum(each.areas.get(index, 0) for each in tree.values())
    union = sum(int((sample.mask > 0).sum()) for sample in dataset)
    assert found["foreground_share"] == pytest.approx(union / found["pixels"], abs=1e-7)


def test_lines_are_asked_for_by_class(tmp_path: Path):
    fake_layouts.ROADS["dnit"](tmp_path)
    dataset = open_dataset("dnit", tmp_path)
    assert line_classes(dataset) == (1,)
    assert line_classes(dataset, ("pothole",)) == (2,)
    with pytest.raises(UsageError, match="classes of crack, pothole"):
        stats(tmp_path, tmp_path / "out", "dnit", lines=("cracks",))


def test_files_of_a_card(root: Path, tmp_path: Path):
    out = tmp_path / "out"
    write_lists(root, train=["f000", "f001"], val=["f002"], test=["f003"])
    stats(root, tmp_path / "other")
    found = stats(root, out, compare=(f"other={tmp_path / 'other' / 'stats.json'}",))
    card = (out / "CARD.md").read_text()
    for name in found["figures"]:
        assert (out / name).read_bytes().startswith(b"\x89PNG")
        assert f"]({name})" in card
    assert {"heatmaps.png", "lines.png", "poster.png", "compare.png"} == set(found["figures"])
    assert "| train | 2 | - | 2 |" in card
    rows = list(csv.DictReader((out / "frames.csv").read_text().splitlines()))
    assert [row["id"] for row in rows] == [f"f00{n}" for n in range(6)]
    assert int(rows[1]["foreground_px"]) == masks(root)["f001"].sum()
    assert rows[0]["annotation"] == "masks/f000.png"


def test_croissant_names_the_table_it_describes(root: Path, tmp_path: Path):
    stats(root, tmp_path)
    card = json.loads((tmp_path / "croissant.json").read_text())
    assert card["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    (table,) = card["distribution"]
    content = (tmp_path / table["contentUrl"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == table["sha256"]
    columns = content.decode().splitlines()[0].split(",")
    (records,) = card["recordSet"]
    assert [f["source"]["extract"]["column"] for f in records["field"]] == columns
    assert {f["source"]["fileObject"]["@id"] for f in records["field"]} == {table["@id"]}
    assert records["key"]["@id"] in {f["@id"] for f in records["field"]}


def test_a_broken_mask_is_left_out_and_named(root: Path, tmp_path: Path):
    (root / "masks" / "f001.png").write_bytes(b"not a picture")
    found = stats(root, tmp_path / "out", samples=0)
    assert found["unreadable"] == ["f001"]
    assert found["annotated"] == 5


def test_nothing_to_count_is_an_error(root: Path, tmp_path: Path):
    for path in (root / "masks").iterdir():
        path.write_bytes(b"")
    with pytest.raises(BadInput, match="data check uav"):
        stats(root, tmp_path / "out")


def test_spread_and_histogram_agree_with_numpy():
    values = np.random.default_rng(0).lognormal(2, 1, 500)
    found = spread(values)
    assert found["q75"] == pytest.approx(np.percentile(values, 75), abs=1e-3)
    table = histogram(values)
    assert sum(table["counts"]) == 500
    assert table["edges"][0] == pytest.approx(values.min(), abs=1e-4)
    assert histogram(np.array([4.0, 4.0]))["counts"][0] == 2


@pytest.mark.parametrize(("row", "share"), [(0, 0.0), (30, 0.3), (99, 0.99)])
def test_first_row_is_where_the_class_begins(row: int, share: float):
    heat = np.zeros((100, 10))
    heat[row:, 3] = 0.5
    assert first_row(heat) == pytest.approx(share, abs=0.011)
    assert first_row(np.zeros((10, 10))) is None


def test_one_set_cannot_be_compared(root: Path, tmp_path: Path):
    with pytest.raises(BadInput, match="1 data set"):
        compare_figure([stats(root, tmp_path / "out")])


@pytest.mark.realdata
def test_cfd_share_equals_the_mat_files(data_root: Path, tmp_path: Path):
    import scipy.io

    found = stats(data_root / "cfd", tmp_path, "cfd", samples=0)
    marked = [
        scipy.io.loadmat(path)["groundTruth"]["Segmentation"][0, 0] > 1
        for path in sorted((data_root / "cfd" / "groundTruth").glob("*.mat"))
    ]
    assert found["foreground_share"] == pytest.approx(np.mean(marked), abs=1e-7)
