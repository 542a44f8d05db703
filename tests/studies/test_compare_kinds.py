"""Every kind of row at once: seeds, trials, other looks, other frames, nothing learnt, SGD."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from sam_crack.cli import main
from sam_crack.config.load import load_config
from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig, RunConfig
from sam_crack.console import Console
from sam_crack.errors import BadInput, UsageError
from sam_crack.measure.metrics import to_level
from sam_crack.model.checkpoint import save_checkpoint
from sam_crack.model.description import CheckpointMeta
from sam_crack.model.segmenter import build_segmenter
from sam_crack.studies.compare import page as compare_page
from sam_crack.studies.compare import score as compare_score
from sam_crack.studies.compare import train as compare_train
from sam_crack.studies.compare.plan import read_plan
from sam_crack.studies.compare.results import IOU, results_of
from sam_crack.studies.compare.train import is_trained, train_recipe
from sam_crack.studies.scoring import differences, intervals, load_scored
from sam_crack.train import loop
from tests.studies.tiny_road import split_road, write_road

TINY = {
    "model": {
        "backbone": {"name": "tiny", "pretrained": False},
        "head": {"width": 8},
        "window": [64, 64],
    },
    "data": {"name": "dnit", "classes": ["crack"]},
    "train": {"steps": 2, "batch_size": 2, "warmup": 0, "validate_every": 0, "save_every": 1},
}
SGD = {"optimiser": "sgd", "lr": 0.01, "head_lr": 0.01, "schedule": "poly"}
PLAN = {
    "base": TINY,
    "evaluate": [{"resamples": 20}, {"data": "uav", "split": "none", "resamples": 20}],
    "baseline": "lora",
    "rows": {
        "lora": {"seeds": [0, 1]},
        "flat": {"of": "lora", "infer": {"overlap": 0, "threshold": 0.5}},
        "tuned": {
            "model": {"adapter": {"method": "norm"}},
            "tune": {"share": 0.5, "train.lr": ["1e-3", "1e-2"]},
        },
        "asked": {"zero_shot": {"points": 4}, "tune": {"zero_shot.prompts": ["grid", "line"]}},
        "unet": {"opponent": {"deep_supervision": True}, "train": SGD},
    },
}


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    root = write_road(tmp_path_factory.mktemp("road"), frames=10)
    split_road(root, train=4, val=2, test=4)
    return root


@pytest.fixture(scope="module")
def drone(tmp_path_factory):
    """Two frames in the layout of uav."""
    root, rng = tmp_path_factory.mktemp("uav"), np.random.default_rng(3)
    for part in ("images", "masks"):
        (root / part).mkdir()
    for name in ("a", "b"):
        mask = np.zeros((64, 96), np.uint8)
        cv2.line(mask, (4, int(rng.integers(60))), (90, int(rng.integers(60))), 255, 3)
        image = rng.integers(110, 140, (64, 96, 3), dtype=np.uint8)
        image[mask > 0] -= 90
        cv2.imwrite(str(root / "images" / f"{name}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
    return root


def write_plan(folder, **changes):
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(PLAN | changes, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def done(road, drone, tmp_path_factory):
    """The finished comparison: its folder and its plan."""
    folder = tmp_path_factory.mktemp("kinds")
    plan = write_plan(folder)
    line = ["compare", plan, "--root", road, "--roots", f"uav={drone}", "--out", folder / "out"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_score, "write_page", lambda *_: None)  # tested with `evaluate`
        patch.setattr(compare_page, "draw_plots", lambda *_: {})  # tested in test_compare
        assert main([str(word) for word in [*line, "--quiet"]]) == 0
    return folder / "out", read_plan(plan, root=road, roots={"uav": drone})


@pytest.fixture(scope="module")
def rows(done):
    return json.loads((done[0] / "comparison.json").read_text())


def test_every_row_is_scored_on_every_set_of_frames(done, rows):
    names = PLAN["rows"]
    assert list(rows) == [f"{name}{where}" for name in names for where in ("", "@uav")]
    assert {row["scored_on"] for row in rows.values()} == {"dnit, test", "uav, all frames"}
    for where in ("", "@uav"):
        assert len({rows[f"{name}{where}"]["frames_sha256"] for name in names}) == 1
    text = (done[0] / "comparison.md").read_text()
    assert text.index("## dnit, test") < text.index("## uav, all frames")
    assert "flat is what lora has learnt, looked at otherwise" in text


def test_another_look_trains_nothing(done, rows):
    out, _ = done
    assert len(list(out.glob("lora*-*/row.json"))) == 2
    assert not list(out.glob("flat*"))
    assert rows["flat"]["threshold"] == 0.5
    assert rows["lora"]["threshold"] != 0.5
    assert rows["flat"]["key"] != rows["lora"]["key"]


def test_figures_of_one_seed_are_those_of_its_evaluation(done):
    out, plan = done
    found = {one.row.name: one for one in results_of(plan, out)}
    tuned, unet = found["tuned"], found["unet"]
    own = load_scored(out / tuned.row.recipes[0].folder / tuned.row.evaluation)
    assert tuned.scores[IOU].value == own.scores()[IOU]
    assert tuned.scores[IOU].within == intervals(own, resamples=20)[IOU]
    assert unet.scores[IOU].seeds == (unet.scores[IOU].value,)


def test_seeds_are_averaged_before_they_are_compared(done):
    out, plan = done
    found = {one.row.name: one for one in results_of(plan, out)}
    lora, tuned = found["lora"], found["tuned"]

    def scored(result):
        homes = [out / recipe.folder for recipe in result.row.recipes]
        return [load_scored(home / result.row.evaluation) for home in homes]

    values = [one.scores()[IOU] for one in scored(lora)]
    assert lora.scores[IOU].seeds == tuple(values)
    assert lora.scores[IOU].value == pytest.approx(np.mean(values))
    (mine,) = scored(tuned)  # of one seed: the baseline's other one has no part in the difference
    seeds = lora.facts["seeds"]
    (theirs,) = (scored(lora)[seeds.index(seed)] for seed in tuned.facts["seeds"])
    difference, _ = differences(mine, theirs, resamples=20)[IOU]
    assert tuned.gains[IOU].value == pytest.approx(difference)
    draws = mine.resampled(20)[IOU] - theirs.resampled(20)[IOU]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert tuned.gains[IOU].within.low == pytest.approx(low)
    assert tuned.gains[IOU].within.high == pytest.approx(high)


def test_what_is_tried_is_chosen_on_validation_and_its_cost_is_told(done, rows):
    out, plan = done
    (tuning,) = rows["tuned"]["tuning"]
    scores = [one["score"] for one in tuning["tried"]]
    assert tuning["chosen"] == tuning["tried"][scores.index(max(scores))]["label"]
    assert (tuning["steps"], tuning["crops"]) == (2, 4)  # a trial is half of two steps
    assert rows["tuned"]["steps"] == 2
    value = float(tuning["chosen"].removeprefix("train.lr "))
    home = out / next(row for row in plan.rows if row.name == "tuned").recipes[0].folder
    first = json.loads((home / "tuned" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["lr"] == pytest.approx(value)
    assert "2 trials, 2 steps" in (out / "comparison.md").read_text()


def test_base_sam_learns_nothing_and_sees_no_crop(done, rows):
    asked = rows["asked"]
    assert (asked["trainable"], asked["steps"], asked["crops"]) == (0, 0, 0)
    assert asked["adapter_mb"] == 0
    assert asked["method"] == "zero-shot"
    assert asked["tuning"][0]["chosen"] in ("zero_shot.prompts grid", "zero_shot.prompts line")
    assert "asked has learnt nothing" in (done[0] / "comparison.md").read_text()


def test_a_fixed_threshold_counts_the_pixels_above_it(done, road):
    out, plan = done
    row = next(row for row in plan.rows if row.name == "flat")
    scored = load_scored(out / row.recipes[0].folder / row.evaluation)
    levels = sum(frame.sums["levels"] for frame in scored.frames)
    tp, fp, fn, _ = scored.total()["pixels"]
    assert levels[0][to_level(0.5) :].sum() == tp
    assert levels[1][to_level(0.5) :].sum() == fp
    assert levels[0].sum() == tp + fn


def test_keys_survive_a_move_and_a_default_written_out(road, drone, tmp_path):
    plan = write_plan(tmp_path)
    moved = tmp_path / "moved"
    shutil.copytree(road, moved)
    here = read_plan(plan, root=road, roots={"uav": drone})
    there = read_plan(plan, root=moved, roots={"uav": drone})
    assert [row.key for row in here.rows] == [row.key for row in there.rows]
    recipe = here.rows[0].recipes[0]
    train = TINY["train"] | {"momentum": RunConfig().train.momentum}  # a default, written out
    longer = write_plan(tmp_path / "moved", base=TINY | {"train": train})
    told = read_plan(longer, root=road, roots={"uav": drone})
    assert [row.key for row in told.rows] == [row.key for row in here.rows]
    names = (moved / "train.txt").read_text().split()
    (moved / "train.txt").write_text("\n".join(names[1:]) + "\n")
    fewer = read_plan(plan, root=moved, roots={"uav": drone})
    assert fewer.rows[0].recipes[0].key != recipe.key


def test_a_row_of_other_defaults_is_named(done, monkeypatch):
    out, plan = done
    recipe = next(row for row in plan.rows if row.name == "tuned").recipes[0]
    assert is_trained(recipe, out)
    then = load_config(RunConfig, file=out / recipe.folder / "config.yaml")
    older = replace(then, train=replace(then.train, clip_norm=7.0))
    monkeypatch.setattr(compare_train, "load_config", lambda *_, **__: older)
    with pytest.raises(UsageError, match=r"train\.clip_norm 7\.0.*now it is 1\.0"):
        is_trained(recipe, out)


def test_a_row_begins_with_a_checkpoint_whose_steps_are_told(road, tmp_path):
    saved = ModelConfig(
        backbone=BackboneConfig(name="tiny", pretrained=False),
        head=HeadConfig(width=8),
        window=(96, 96),
    )
    torch.manual_seed(4)
    meta = CheckpointMeta(classes=("crack",), threshold=0.5, steps=7)
    save_checkpoint(build_segmenter(saved), tmp_path / "start", meta)
    begun = {"init": str(tmp_path / "start"), "train": {"lr": 0, "head_lr": 0}}
    plan = write_plan(tmp_path, rows={"fresh": {}, "begun": begun}, baseline="fresh", evaluate={})
    fresh, begun = read_plan(plan, root=road).rows
    assert fresh.recipes[0].key != begun.recipes[0].key
    facts = train_recipe(begun.recipes[0], tmp_path, Console(quiet=True, no_progress=True))
    assert (facts["steps_before"], facts["steps"]) == (7, 2)
    home = tmp_path / begun.recipes[0].folder / "begun" / "checkpoint"
    first = load_file(tmp_path / "start" / "head.safetensors")
    for name, tensor in load_file(home / "head.safetensors").items():
        torch.testing.assert_close(tensor, first[name], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["lora", "unet"])
def test_a_row_killed_in_mid_training_ends_as_if_it_had_not_been(
    name, road, drone, tmp_path, monkeypatch
):
    rows = {"lora": {}, "unet": PLAN["rows"]["unet"]}
    base = TINY | {"train": TINY["train"] | {"steps": 3}}
    plan = write_plan(tmp_path, rows=rows, base=base, evaluate={})
    row = next(row for row in read_plan(plan, root=road).rows if row.name == name)
    quiet = Console(quiet=True, no_progress=True)
    whole = train_recipe(row.recipes[0], tmp_path / "whole", quiet)
    real = loop.save

    def save_and_die(run, kept, step):
        real(run, kept, step)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            train_recipe(row.recipes[0], tmp_path / "killed", quiet)
    assert not is_trained(row.recipes[0], tmp_path / "killed")
    resumed = train_recipe(row.recipes[0], tmp_path / "killed", quiet)
    assert (resumed["steps"], resumed["crops"]) == (whole["steps"], whole["crops"])
    for path in (tmp_path / "whole").rglob("checkpoint/**/*.safetensors"):
        again = load_file(str(path).replace("/whole/", "/killed/"))
        for key, tensor in load_file(path).items():
            torch.testing.assert_close(again[key], tensor, rtol=0, atol=0, msg=f"{path}: {key}")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"a": {}, "b": {"of": "c"}}, "a row that is trained: a"),
        ({"a": {}, "b": {"of": "a", "train": {"lr": 1}}}, "train beside of"),
        ({"a": {}, "b": {"of": "a", "infer": {"scale": [0.5]}}}, "infer.scale beside of"),
        ({"a": {"tune": {"train.steps": [1, 2]}}}, "leaves the budget"),
        ({"a": {"tune": {"train.lr": [0.1]}}}, "two values or more"),
        ({"a": {"tune": {"train.lr": [0.1, "x"]}}}, "must be a number"),
        ({"a": {"seeds": [1, 1]}}, "different numbers"),
        ({"a": {"opponent": {}, "zero_shot": {}}}, "one of them"),
        ({"a": {"opponent": {"arch": "segformer", "deep_supervision": True}}}, "unet"),
        ({"a": {"data": {"name": "cfd"}}}, "--roots cfd=FOLDER"),
        ({"a": {"evaluate": [3]}}, "a section, or a list"),
        ({"a": {"evaluate": [{"limit": 1}, {"limit": 2}]}}, "stands for two rows"),
    ],
)
def test_mistakes_are_named_before_anything_is_trained(rows, says, road, tmp_path):
    plan = write_plan(tmp_path, rows=rows, baseline="a", evaluate={})
    with pytest.raises(UsageError, match=says):
        read_plan(plan, root=road)


def test_frames_that_were_learnt_from_are_not_scored(road, tmp_path):
    plan = write_plan(tmp_path, rows={"a": {}}, baseline="a", evaluate={"split": "none"})
    with pytest.raises(BadInput, match="4 frames of dnit none are learnt from"):
        read_plan(plan, root=road)
