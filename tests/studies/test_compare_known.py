"""By what a row is known, where its frames lie, and what is refused before anything is trained."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import yaml

from sam_crack.cli import main
from sam_crack.errors import BadInput, IntegrityError, UsageError
from sam_crack.studies.compare import page as compare_page
from sam_crack.studies.compare import score as compare_score
from sam_crack.studies.compare.plan import read_plan
from sam_crack.studies.compare.samples import open_scored
from sam_crack.studies.training.start import MisfitError
from tests.studies.tiny_road import split_road, write_checkpoint, write_road

BASE = {
    "model": {
        "backbone": {"name": "tiny", "pretrained": False},
        "head": {"width": 8},
        "window": [64, 64],
    },
    "data": {"name": "dnit", "classes": ["crack"]},
    "train": {"steps": 1, "batch_size": 2, "warmup": 0, "validate_every": 0, "save_every": 1},
}


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    root = write_road(tmp_path_factory.mktemp("road"), frames=8)
    split_road(root, train=4, val=2, test=2)
    return root


@pytest.fixture
def plan(tmp_path):
    def write(rows=None, **changes):
        tree = {"base": BASE, "evaluate": {"resamples": 9}, "rows": rows or {"a": {}}}
        path = tmp_path / "plan.yaml"
        path.write_text(yaml.safe_dump(tree | changes, sort_keys=False))
        return path

    return write


def write_folder(root, *, level=40, thickness=3):
    """Six frames of one's own, called by numbers as everybody's are."""
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for number in range(6):
        mask = np.zeros((64, 96), np.uint8)
        cv2.line(mask, (4, 8 * number + 5), (90, 30), 255, thickness)
        image = np.random.default_rng(number).integers(110, 140, (64, 96, 3), dtype=np.uint8)
        image[mask > 0] -= level
        cv2.imwrite(str(root / "images" / f"{number:04d}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{number:04d}.png"), mask)
    for split, numbers in (("train", (0, 1)), ("val", (2, 3)), ("test", (4, 5))):
        (root / f"{split}.txt").write_text("".join(f"{number:04d}\n" for number in numbers))
    return root


def own(root=None):
    data = {"name": "folder", "classes": ["crack=255"]} | ({"root": str(root)} if root else {})
    return BASE | {"data": data}


def test_own_sets_of_the_same_names_are_told_apart(plan, tmp_path):
    day, night = write_folder(tmp_path / "day"), write_folder(tmp_path / "night", thickness=5)
    moved = shutil.copytree(day, tmp_path / "moved")
    keys = [
        [row.key, row.recipes[0].key]
        for root in (day, moved, night)
        for row in read_plan(plan(base=own()), root=root).rows
    ]
    assert keys[0] == keys[1]
    assert keys[0][0] != keys[2][0]
    assert keys[0][1] != keys[2][1]


def test_a_part_with_a_folder_of_its_own_is_scored_there(plan, tmp_path):
    mine, *others = (write_folder(tmp_path / str(n), thickness=n) for n in (3, 5, 7))
    parts = [
        {"name": name, "data": "folder", "root": str(root), "resamples": 9}
        for name, root in zip(("day", "night"), others, strict=True)
    ]
    day, night = read_plan(plan(base=own(), evaluate=parts), root=mine).rows
    assert [day.evaluate.root, night.evaluate.root] == others
    assert day.evaluation != night.evaluation


def test_the_base_set_need_not_be_named(plan, tmp_path):
    base = BASE | {"data": {"classes": ["crack=255"]}}
    (row,) = read_plan(plan(base=base), root=write_folder(tmp_path / "mine")).rows
    assert row.config.data.root == tmp_path / "mine"


def test_a_folder_that_no_row_asks_for_is_told(plan, road, run_cli, tmp_path):
    line = ["compare", plan(), "--root", road, "--roots", f"dint={tmp_path}", "--dry-run"]
    code, _, err = run_cli(*line)
    assert code == 0
    assert "--roots dint: no row of this file asks for it; they ask for dnit" in err


def test_files_that_decide_a_result_are_known_by_what_they_hold(plan, road, tmp_path):
    def key():
        infer = {"road": f"mask:{tmp_path / 'road.png'}"}
        return read_plan(plan({"a": {}, "b": {"of": "a", "infer": infer}}), root=road).rows[1].key

    found = []
    for level in (255, 254, 255):
        cv2.imwrite(str(tmp_path / "road.png"), np.full((40, 56), level, np.uint8))
        found.append(key())
    assert found[0] == found[2] != found[1]


def test_a_class_of_a_later_row_is_looked_for_at_once(plan, road):
    for rows in (
        {"a": {}, "b": {"data": {"classes": ["krack"]}}},
        {"a": {}, "b": {"evaluate": {"classes": ["krack"]}}},
    ):
        with pytest.raises(UsageError, match="krack"):
            read_plan(plan(rows), root=road)


def test_a_start_that_does_not_fit_is_refused_at_once(plan, road, tmp_path):
    start = write_checkpoint(tmp_path / "start")
    rows = {"a": {"init": str(start)}, "b": {"init": str(start)}}
    assert len(read_plan(plan(rows), root=road).rows) == 2
    rows["b"]["model"] = {"adapter": {"method": "norm"}}
    with pytest.raises(MisfitError, match=r"adapter\.method lora, not adapter\.method norm"):
        read_plan(plan(rows), root=road)
    (start / "model.json").write_text("{")
    with pytest.raises((BadInput, IntegrityError)):
        read_plan(plan(rows), root=road)


def test_a_lost_model_is_trained_again_and_scores_of_other_rows_stay(
    plan, road, tmp_path, monkeypatch
):
    monkeypatch.setattr(compare_score, "write_page", lambda *_: None)
    monkeypatch.setattr(compare_page, "draw_plots", lambda *_: {})
    rows = {"a": {}, "look": {"of": "a", "infer": {"threshold": 0.5}}}
    line = ["compare", plan(rows), "--root", road, "--out", tmp_path / "out", "--quiet"]
    assert main([str(word) for word in line]) == 0
    (home,) = (tmp_path / "out").glob("a-*")
    before = {path: path.stat().st_mtime_ns for path in home.glob("evaluation-*/counts.npz")}
    assert len(before) == 2
    shutil.rmtree(home / "a" / "checkpoint")
    plan(rows | {"third": {"of": "a", "infer": {"overlap": 0.5}}})
    assert main([str(word) for word in line]) == 0
    after = {path: path.stat().st_mtime_ns for path in home.glob("evaluation-*/counts.npz")}
    assert len(after) == 3
    assert {path: after[path] for path in before} == before


def test_the_page_says_where_a_threshold_comes_from(plan, road, tmp_path):
    rows = {"a": {}, "fixed": {"of": "a", "infer": {"threshold": 0.5}}}
    line = ["compare", plan(rows), "--root", road, "--out", tmp_path / "out", "--quiet"]
    assert main([str(word) for word in line]) == 0
    pages = [path.read_text("utf-8") for path in (tmp_path / "out").glob("a-*/*/report.html")]
    assert len(pages) == 2
    (fixed,) = (text for text in pages if "from the file of the comparison" in text)
    (chosen,) = (text for text in pages if text is not fixed)
    assert "from the validation split of its training" in chosen
    assert "from the validation split" not in fixed


def test_own_masks_are_read_as_the_file_says_to_the_end(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(compare_score, "write_page", lambda *_: None)
    monkeypatch.setattr(compare_page, "draw_plots", lambda *_: {})
    root = write_folder(tmp_path / "mine")
    for path in (root / "masks").iterdir():  # cracks are 2, and something else is 1
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) // 255 * 2
        mask[:6, :6] = 1
        cv2.imwrite(str(path), mask)
    base = BASE | {"data": {"name": "folder", "classes": ["crack=2"]}}
    line = ["compare", plan(base=base), "--root", root, "--out", tmp_path / "out", "--quiet"]
    assert main([str(word) for word in line]) == 0
    (home,) = (tmp_path / "out").glob("a-*/evaluation-*")
    assert json.loads((home / "metrics.json").read_text())["data"]["classes"] == ["crack"]
    with (home / "images.csv").open() as file:
        told = {row["id"]: int(row["truth_px"]) for row in csv.DictReader(file)}
    masks = {one: cv2.imread(str(root / "masks" / f"{one}.png"), 0) == 2 for one in told}
    assert told == {one: int(mask.sum()) for one, mask in masks.items()}


def test_a_mask_of_the_road_that_validation_looks_through_decides_what_is_learnt(
    plan, road, tmp_path
):
    found = []
    for name, level in (("one", 255), ("two", 254), ("three", 255)):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), np.full((40, 56), level, np.uint8))
        base = BASE | {"infer": {"road": f"mask:{path}"}}
        (row,) = read_plan(plan(base=base), root=road).rows
        found.append((row.key, row.recipes[0].key))
        path.unlink()
        assert (row.key, row.recipes[0].key) == found[-1]  # known since it was read
    assert found[0] == found[2]  # by what it holds, not by its name
    assert not set(found[0]) & set(found[1])


def test_frames_of_a_copy_are_those_that_were_learnt(plan, tmp_path):
    mine = write_folder(tmp_path / "mine")
    copy = shutil.copytree(mine, tmp_path / "copy")
    part = {"data": "folder", "root": str(copy), "split": "train", "resamples": 9}
    with pytest.raises(BadInput, match="2 frames of folder train are learnt from, first 0000"):
        read_plan(plan(base=own(), evaluate=part), root=mine)


def test_lists_hold_for_the_folder_that_is_learnt_from_alone(plan, tmp_path):
    mine, other = (write_folder(tmp_path / str(n), thickness=n) for n in (3, 5))
    lists = tmp_path / "lists"
    lists.mkdir()
    for split, number in (("train", 0), ("val", 2), ("test", 4)):
        (lists / f"{split}.txt").write_text(f"{number:04d}\n")
    base = own()
    base["data"] = base["data"] | {"lists": str(lists)}
    (row,) = read_plan(plan(base=base), root=mine).rows
    there = {"data": "folder", "root": str(other), "resamples": 9}
    (elsewhere,) = read_plan(plan(base=base, evaluate=there), root=mine).rows
    spelt = there | {"root": str(other / ".." / mine.name)}
    (otherwise,) = read_plan(plan(base=base, evaluate=spelt), root=mine).rows
    opened = [open_scored(each.evaluate, each.config.data) for each in (row, elsewhere, otherwise)]
    assert [len(samples) for samples in opened] == [1, 2, 1]


def test_roots_of_the_command_line_win_over_a_published_set_in_the_file(plan, road, tmp_path):
    part = {"root": str(tmp_path / "long gone"), "resamples": 9}
    (row,) = read_plan(plan(evaluate=part), roots={"dnit": road}).rows
    assert row.evaluate.root == road


def test_every_trial_must_fit_its_start(plan, road, tmp_path):
    start = write_checkpoint(tmp_path / "start")
    rows = {"a": {"init": str(start), "tune": {"model.adapter.rank": [8, 2]}}}
    with pytest.raises(MisfitError, match=r"adapter\.rank 8, not adapter\.rank 2"):
        read_plan(plan(rows), root=road)


def test_classes_that_nobody_named_are_looked_for_too(plan, road, tmp_path):
    other = write_folder(tmp_path / "other")
    base = BASE | {"data": {"name": "dnit"}}
    part = {"data": "folder", "root": str(other), "resamples": 9}
    with pytest.raises(UsageError, match=r"class '.+' of folder"):
        read_plan(plan(base=base, evaluate=part), root=road)


def test_a_dry_run_lists_what_is_left_to_do(plan, road, run_cli, tmp_path, monkeypatch):
    monkeypatch.setattr(compare_score, "write_page", lambda *_: None)
    monkeypatch.setattr(compare_page, "draw_plots", lambda *_: {})
    rows = {"a": {}, "look": {"of": "a", "infer": {"threshold": 0.5}}}
    line = ("compare", plan(rows), "--root", road, "--out", tmp_path / "out")
    assert run_cli(*line, "--rows", "a")[0] == 0
    _, out, _ = run_cli(*line, "--dry-run")
    assert "a: finished\nlook: trained, to be scored\n" in out
    (home,) = (tmp_path / "out").glob("a-*")
    plan(rows | {"a": {"train": {"lr": 0.01}}})
    _, out, _ = run_cli(*line, "--dry-run")
    assert f"a: to be trained; {home.name}: of other settings or frames\n" in out


def test_what_is_misspelt_in_a_comparison_is_met_with_the_nearest_name(plan, road, run_cli):
    for changes, words in (
        ({"evalute": {}}, ("'evalute' is not a section", "did you mean evaluate")),
        ({"baseline": "aa"}, ("baseline 'aa'", "did you mean a?")),
        ({"evaluate": {"split": "tset"}}, ("rows.a: evaluate: split 'tset'", "did you mean test?")),
    ):
        code, _, err = run_cli("compare", plan(**changes), "--root", road, "--dry-run")
        assert code == 2
        assert all(word in err for word in words), err
    code, _, err = run_cli("compare", plan(), "--root", road, "--rows", "ab", "--dry-run")
    assert (code, "--rows 'ab'; known: a; did you mean a?" in err) == (2, True), err
