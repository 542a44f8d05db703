"""Three methods of two steps each, stopped, resumed, and read back."""

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
import yaml

from sam_crack.config.schema import HeadConfig, InferConfig, ModelConfig
from sam_crack.config.study_verbs import CompareOptions
from sam_crack.console import Console
from sam_crack.errors import BadInput, IntegrityError, SamCrackError, UsageError
from sam_crack.model.description import DESCRIPTION, CheckpointMeta, read_description, seal
from sam_crack.studies import opponents
from sam_crack.studies.compare import peak as compare_peak
from sam_crack.studies.compare import rules
from sam_crack.studies.compare import verb as compare
from sam_crack.studies.compare.means import OfSeed, gain
from sam_crack.studies.compare.plan import pick_rows, read_plan
from sam_crack.studies.compare.results import by_frames, results_of
from sam_crack.studies.compare.rows import EvaluateConfig
from sam_crack.studies.compare.samples import init_of
from sam_crack.studies.imagenet import fetch_encoder
from sam_crack.studies.opponents import Opponent, OpponentConfig
from tests.studies.tiny_road import split_road, write_road

SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "compare").glob("*.yaml"))
PLAN = {
    "title": "Tiny methods",
    "base": {
        "model": {
            "backbone": {"name": "tiny", "pretrained": False},
            "head": {"width": 8},
            "window": [64, 64],
        },
        "data": {"name": "dnit", "classes": ["crack"]},
        "train": {"steps": 2, "batch_size": 2, "warmup": 0, "validate_every": 0, "save_every": 1},
    },
    "evaluate": {"resamples": 20},
    "baseline": "norm",
    "rows": {
        "lora": {"model": {"adapter": {"rank": 4}}},
        "norm": {"model": {"adapter": {"method": "norm"}}},
        "unet": {"opponent": {"arch": "unet"}},
    },
}


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    root = write_road(tmp_path_factory.mktemp("road"), frames=8)
    split_road(root, train=4, val=2, test=2)
    return root


def write_plan(folder, **changes):
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(PLAN | changes))
    return path


@pytest.fixture(scope="module")
def done(road, tmp_path_factory):
    """The finished comparison."""
    folder = tmp_path_factory.mktemp("compare")
    from sam_crack.cli import main

    line = ["compare", write_plan(folder), "--root", road, "--out", folder / "out", "--quiet"]
    assert main([str(word) for word in line]) == 0
    return folder


def test_every_row_was_trained_scored_and_written(done):
    rows = json.loads((done / "out" / "comparison.json").read_text())
    assert list(rows) == ["lora", "norm", "unet"]
    for row in rows.values():
        assert (row["steps"], row["crops"], row["frames"]) == (2, 4, 2)
        assert row["train_seconds"] > 0
        assert row["adapter_mb"] > 0
        assert 0 < row["threshold"] <= 1
    assert max(rows[name]["trainable"] for name in ("lora", "norm")) < rows["unet"]["trainable"]
    assert len({row["frames_sha256"] for row in rows.values()}) == 1
    text = (done / "out" / "comparison.md").read_text()
    assert "| unet | unet |" in text
    assert re.search(r"every row that learns saw 4 crops of \d+ x \d+ px in 2 steps", text)
    assert "baseline" in text
    assert "Tiny methods" in (done / "out" / "report.html").read_text()
    assert (done / "out" / "iou-parameters.png").stat().st_size > 1000
    assert (done / "out" / "iou-time.png").stat().st_size > 1000


def test_scales_that_validation_chose_are_told_row_by_row_and_seed_by_seed():
    def result(name, tried, *factors, asked="own"):
        metrics = [{"model": {"scale": {"factor": factor}}} for factor in factors]
        infer = InferConfig(scale=tried)
        row = SimpleNamespace(
            name=name,
            config=SimpleNamespace(infer=infer),
            evaluate=EvaluateConfig(scale=asked),
        )
        return SimpleNamespace(row=row, metrics=metrics)

    found = rules._scales(
        [
            result("a", (0.71, 1.0), 0.71, 1.0),
            result("b", (0.71, 1.0), 1.0),
            result("native", (1.0,), 1.0),
            result("half", (0.5,), 0.5),
            result("asked", (0.71, 1.0), 0.25, asked="0.25"),
        ]
    )
    assert found == [
        "what frames are resized by is chosen on validation too, among 0.71, 1: a 0.71/1, b 1"
    ]


def test_finished_rows_are_skipped_and_a_changed_row_is_not(done, road, run_cli, monkeypatch):
    trained = []
    monkeypatch.setattr(compare, "finish_row", lambda row, *_: trained.append(row.name))
    plan = done / "plan.yaml"
    line = ["compare", plan, "--root", road, "--out", done / "out"]
    assert run_cli(*line)[0] == 0
    assert trained == []
    rows = PLAN["rows"] | {"lora": {"model": {"adapter": {"rank": 2}}}}
    changed = write_plan(done, rows=rows)
    assert run_cli("compare", changed, *line[2:])[0] == 0
    write_plan(done)
    assert trained == ["lora"]


def test_a_comparison_that_was_killed_goes_on(road, tmp_path):
    plan = write_plan(tmp_path, rows={"lora": {}, "norm": PLAN["rows"]["norm"]})
    line = [sys.executable, "-m", "sam_crack", "compare", plan, "--root", road, "--quiet"]
    words = [str(word) for word in [*line, "--out", tmp_path / "out"]]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if list((tmp_path / "out").glob("lora-*/row.json")):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.02)
    process.communicate()
    (first,) = (tmp_path / "out").glob("lora-*/row.json")
    stamp = first.stat().st_mtime_ns
    done = subprocess.run(words, env=env, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert list(json.loads((tmp_path / "out" / "comparison.json").read_text())) == ["lora", "norm"]
    assert first.stat().st_mtime_ns == stamp


def test_the_peak_is_that_of_all_starts(tmp_path, monkeypatch):
    note = tmp_path / "peak.json"
    monkeypatch.setattr(compare_peak, "_reset_peak", lambda: None)
    peaks = iter([700.0, 900.0, 300.0])
    monkeypatch.setattr(compare_peak, "_peak_mb", lambda: next(peaks))

    def peak_of_a_start():
        found = compare_peak.watched(lambda: "trained", tmp_path / "state", note)[1]
        (tmp_path / "state" / "step-1").mkdir(parents=True, exist_ok=True)
        return found

    assert [peak_of_a_start() for _ in range(3)] == [700.0, 900.0, 900.0]
    left = Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr(compare_peak, "_peak_mb", left)
    with pytest.raises(KeyboardInterrupt):
        peak_of_a_start()  # killed before it could say
    monkeypatch.setattr(compare_peak, "_peak_mb", lambda: 500.0)
    assert peak_of_a_start() is None


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="what was freed is kept elsewhere than in glibc"
)
def test_a_row_does_not_pay_for_the_row_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def peak_of(megabytes):
        def work():
            pieces = [np.ones(1 << 14, np.uint8) for _ in range(64 * megabytes)]
            return len(pieces)

        states, note = tmp_path / "state", tmp_path / "peak.json"
        return compare_peak.watched(work, states, note)[1]

    peak_of(1)  # what the first call brings with it
    small, large, again = peak_of(1), peak_of(400), peak_of(1)
    assert large > small + 350
    assert again < small + 50


def test_a_start_is_known_by_its_weights_alone(tmp_path):
    folder = tmp_path / "start"
    shutil.copytree(Path(__file__).parents[2] / "checkpoints" / "practice", folder)

    def hash_after(change):
        body = read_description(folder)
        change(body)
        (folder / DESCRIPTION).write_text(json.dumps(body | {"sha256": seal(body)}))
        return init_of(str(folder), "rows.a")[1]

    first = init_of(str(folder), "rows.a")[1]
    assert hash_after(lambda body: body["meta"].update(steps=111)) == first
    assert hash_after(lambda body: body["files"].update(next="0" * 64)) != first


def test_the_key_holds_what_decides_the_result(tmp_path, road):
    def key(**changes):
        return read_plan(write_plan(tmp_path, **changes), root=road).rows[0].key

    assert key() == key(title="Another", baseline="lora")
    assert key() == key(rows={"renamed": PLAN["rows"]["lora"]}, baseline="renamed")
    others = [
        key(evaluate={"resamples": 21}),
        key(rows={"lora": {}}, baseline="lora"),
        key(rows={"lora": PLAN["rows"]["lora"] | {"opponent": {}}}, baseline="lora"),
        key(base=PLAN["base"] | {"seed": 1}),
    ]
    assert len({key(), *others}) == 5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rows": {}}, "no rows"),
        ({"rows": {"a b": {}}}, "not a name"),
        ({"rows": {"lora": {"model": {"adapter": {"rnak": 4}}}}}, "rows.lora.*rank"),
        ({"rows": {"u": {"opponent": {"arch": "vnet"}}}}, "unet"),
        ({"rows": {"u": {"opponent": 3}}}, "a section"),
        ({"baseline": "best"}, "known: lora"),
        ({"budget": 3}, "is not a section; known: base"),
        ({"evaluate": {"split": "test", "threshold": 0.4}}, "threshold"),
        ({"evaluate": {"task": "classes"}}, "sam-crack transfer"),
        ({"rows": {"a": {"evaluate": {"resamples": 9}}, "norm": {}}}, "9 of a, 20 of norm"),
        ({"rows": {"u": {"opponent": {"encoder": "nonsense"}}}}, "nonsense"),
        ({"rows": {"u": {"opponent": {"weights": "nowhere.pth"}}}}, "nowhere.pth"),
    ],
)
def test_mistakes_in_the_file_are_named_before_anything_is_trained(tmp_path, road, changes, says):
    with pytest.raises((UsageError, BadInput), match=says):
        read_plan(write_plan(tmp_path, **changes), root=road)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rows": {"norm": {"data": {"train": "test"}}}}, "2 frames of dnit test are learnt from"),
        ({"rows": {"norm": {"data": {"val": "test"}}}}, "2 frames of dnit test are validated on"),
        ({"evaluate": {"split": "val"}}, "2 frames of dnit val are validated on"),
        ({"evaluate": {"split": "train"}}, "4 frames of dnit train are learnt from"),
        ({"evaluate": {"split": "none"}}, "4 frames of dnit none are learnt from"),
        ({"evaluate": {"data": "dnit", "split": "val"}}, "validated on"),
    ],
)
def test_frames_that_had_a_say_in_training_are_never_scored(tmp_path, road, changes, says):
    with pytest.raises(BadInput, match=says):
        read_plan(write_plan(tmp_path, **({"baseline": "norm"} | changes)), root=road)


def test_nor_are_those_of_a_further_set_that_was_learnt_from(tmp_path, road):
    whole = write_road(tmp_path / "other", frames=3)
    split_road(whole, train=1, val=1, test=1)
    base = json.loads(json.dumps(PLAN["base"]))
    base["data"] |= {"name": "folder", "classes": ["crack=255"], "root": str(tmp_path / "mine")}
    base["data"]["also"] = {"dnit": str(whole)}
    for kind in ("images", "masks"):
        (tmp_path / "mine" / kind).mkdir(parents=True)
        for number in range(2):
            pixels = np.zeros((96, 96), np.uint8)
            pixels[40:44] = 255 * (kind == "masks")
            cv2.imwrite(str(tmp_path / "mine" / kind / f"{number}.png"), pixels)
    (tmp_path / "mine" / "train.txt").write_text("0\n")
    (tmp_path / "mine" / "val.txt").write_text("1\n")
    for split, refused in (("train", True), ("test", False)):
        scored = {"data": "dnit", "split": split, "classes": ["crack"]}
        plan = write_plan(tmp_path, base=base, evaluate=scored, rows={"norm": {}})
        if refused:
            with pytest.raises(BadInput, match="of dnit train is learnt from"):
                read_plan(plan, roots={"dnit": whole})
        else:
            assert len(read_plan(plan, roots={"dnit": whole}).rows) == 1


def test_a_further_set_of_the_same_name_hides_nothing(tmp_path, road):
    other = write_road(tmp_path / "other", frames=8)
    split_road(other, train=4, val=2, test=2)
    base = json.loads(json.dumps(PLAN["base"]))
    base["data"]["also"] = {"dnit": str(other)}
    for split, part in (("val", "validated on"), ("train", "learnt from")):
        plan = write_plan(tmp_path, base=base, evaluate={"split": split}, rows={"norm": {}})
        with pytest.raises(BadInput, match=part):
            read_plan(plan, root=road)


def test_a_folder_is_the_same_however_it_is_spelt_and_another_one_is_not(tmp_path, monkeypatch):
    for name in ("mine", "other"):
        for kind in ("images", "masks"):
            (tmp_path / name / kind).mkdir(parents=True)
            for number in range(2):
                pixels = np.zeros((96, 96), np.uint8)
                pixels[40:44] = 255 * (kind == "masks")
                pixels[0] = (name == "other") * (kind == "images")
                cv2.imwrite(str(tmp_path / name / kind / f"{number}.bmp"), pixels)  # one size
        (tmp_path / name / "train.txt").write_text("0\n")
        (tmp_path / name / "val.txt").write_text("1\n")
    monkeypatch.chdir(tmp_path)
    base = json.loads(json.dumps(PLAN["base"]))
    base["data"] |= {"name": "folder", "classes": ["crack=255"], "root": "mine"}

    def plan(root):
        scored = {"data": "folder", "root": str(root), "split": "train", "classes": ["crack=255"]}
        return write_plan(tmp_path, base=base, evaluate=scored, rows={"norm": {}})

    with pytest.raises(BadInput, match="learnt from"):
        read_plan(plan(tmp_path / "mine"))
    assert len(read_plan(plan(tmp_path / "other")).rows) == 1


def test_differences_are_taken_over_the_seeds_that_both_rows_have():
    def seeds(**values):
        return {
            int(name[1:]): OfSeed(values={"iou": value}, draws={"iou": np.full(9, value)})
            for name, value in values.items()
        }

    found = gain("iou", seeds(s0=0.5, s1=0.9), seeds(s1=0.6, s2=0.1))
    assert found.value == pytest.approx(0.3)
    assert found.within.low == pytest.approx(0.3)
    assert gain("iou", seeds(s0=0.5), seeds(s1=0.6)).value is None
    assert gain("iou", seeds(s0=0.5), seeds(s0=None, s1=0.6)).value is None


def test_rows_of_other_labels_stand_in_another_table_and_that_is_said(done, road, tmp_path):
    out = shutil.copytree(done / "out", tmp_path / "out")
    other = shutil.copytree(road, tmp_path / "road")
    for path in other.rglob("*_CRACK.png"):
        cv2.imwrite(str(path), np.roll(cv2.imread(str(path)), 5, 0))
    rows = PLAN["rows"] | {"bias": {"model": {"adapter": {"method": "bias"}}}}
    plan = read_plan(write_plan(tmp_path, rows=rows), root=other)
    options = CompareOptions(config=tmp_path / "plan.yaml", root=other, out=out)
    compare.run_compare(options, Console(quiet=True))
    tables = by_frames(results_of(plan, out))
    assert [[one.row.name for one in rows] for rows in tables.values()] == [
        ["bias"],
        ["lora", "norm", "unet"],
    ]
    assert all("frames and labels" in title for title in tables)
    text = (out / "comparison.md").read_text()
    assert "frames or labels changed between rows: bias against lora, norm, unet" in text


def test_a_row_whose_model_was_removed_is_trained_again_where_it_is_needed(done, road, tmp_path):
    out = shutil.copytree(done / "out", tmp_path / "out")
    plan = read_plan(write_plan(tmp_path), root=road)
    row = plan.rows[0]
    home = out / row.recipes[0].folder
    options = CompareOptions(config=tmp_path / "plan.yaml", root=road, out=out)
    shutil.rmtree(home / row.name / "checkpoint")
    compare.run_compare(options, Console(quiet=True))
    assert not (home / row.name / "checkpoint").exists()  # it is scored: nothing asks for it
    (home / row.evaluation / "counts.npz").unlink()
    (home / row.name / "of-before.txt").write_text("what was there is cleared first")
    compare.run_compare(options, Console(quiet=True))
    assert not (home / row.name / "of-before.txt").exists()
    assert (home / row.name / "checkpoint").is_dir()
    assert (home / row.evaluation / "counts.npz").exists()


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_comparison_is_well_formed(file, road, tmp_path):
    plan = read_plan(file, root=road, roots=stand_ins(tmp_path))
    assert len({row.key for row in plan.rows}) == len(plan.rows)
    budgets = {(row.config.train.steps, row.config.train.batch_size) for row in plan.rows}
    assert len(budgets) == 1
    for row in plan.rows:
        assert row.config.data.val != row.evaluate.split


def stand_ins(folder):
    """A picture each in the layouts of two other data sets."""
    black = np.zeros((32, 32), np.uint8)
    for name in ("uav/images/a.png", "uav/masks/a.png", "paveseg/1.jpg", "paveseg/1_mask.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), black)
    for split in ("train", "val", "test"):
        image = folder / "uav" / "images" / f"{split}.png"
        cv2.imwrite(str(image), black)
        cv2.imwrite(str(folder / "uav" / "masks" / image.name), black)
        (folder / "uav" / f"{split}.txt").write_text(f"{split}\n")
    (folder / "paveseg" / "train.txt").write_text("1\n")
    return {name: folder / name for name in ("uav", "paveseg")}


def test_comparisons_share_what_they_train(road, tmp_path):
    folder, roots = SHIPPED[0].parent, stand_ins(tmp_path)
    rows = {
        name: {row.name: row for row in read_plan(folder / name, root=road, roots=roots).rows}
        for name in ("dnit.yaml", "ablation.yaml", "other_roads.yaml")
    }
    assert rows["ablation.yaml"]["lora"].key == rows["dnit.yaml"]["lora"].key
    for name in ("unet", "lora"):
        assert rows["other_roads.yaml"][f"{name}@dnit"].key == rows["dnit.yaml"][name].key


@pytest.mark.weights
def test_imagenet_weights_fit_the_encoder():
    try:
        path = fetch_encoder(Console(quiet=True))
    except (SamCrackError, OSError) as error:
        pytest.skip(f"no EfficientNet-Lite0 weights: {error}")
    net = opponents._build(OpponentConfig(imagenet=True, weights=path), 1)
    first = torch.load(path, weights_only=True)["_conv_stem.weight"]
    assert torch.equal(net.encoder.state_dict()["model.conv_stem.weight"], first)
    with pytest.raises(UsageError, match="imagenet weights of resnet18"):
        OpponentConfig(encoder="resnet18", imagenet=True)


def test_rows_are_picked_by_name_and_need_data(tmp_path, road):
    plan = read_plan(write_plan(tmp_path), root=road)
    assert [row.name for row in pick_rows(plan, ("unet",))] == ["unet"]
    with pytest.raises(UsageError, match="known: lora, norm, unet"):
        pick_rows(plan, ("segnet",))
    with pytest.raises(UsageError, match=r"data\.root is not set"):
        read_plan(write_plan(tmp_path))


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    config = ModelConfig(head=HeadConfig(num_classes=1), window=(48, 80))
    return Opponent(config, OpponentConfig()).eval()


def test_an_opponent_comes_back_from_disk_and_takes_any_window(unet, tmp_path):
    meta = CheckpointMeta(classes=("crack",), threshold=0.3)
    opponents.save_opponent(unet, tmp_path / "checkpoint", meta)
    again, found = opponents.load_opponent(tmp_path)
    pixels = torch.rand(2, 3, 48, 80) * 255
    with torch.inference_mode():
        logits = unet(pixels)
        torch.testing.assert_close(again(pixels), logits, rtol=0, atol=0)
    assert logits.shape == (2, 1, 48, 80)
    assert (found.threshold, found.classes) == (0.3, ("crack",))
    (tmp_path / "checkpoint" / opponents.WEIGHTS).write_bytes(b"other")
    with pytest.raises(IntegrityError, match="not those that were described"):
        opponents.load_opponent(tmp_path)


def test_every_parameter_of_an_opponent_learns_in_one_group(unet):
    groups = unet.trainable()
    listed = [id(parameter) for group in groups.values() for parameter in group]
    assert sorted(listed) == sorted(id(parameter) for parameter in unet.parameters())
    assert all(parameter.ndim <= 1 for parameter in groups["norms"])


def test_encoder_weights_are_taken_by_order_and_strange_ones_refused(unet, tmp_path):
    import timm

    torch.manual_seed(5)
    state = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    torch.save({f"old.{name}": value for name, value in state.items()}, tmp_path / "w.pth")
    net = opponents._build(OpponentConfig(weights=tmp_path / "w.pth"), 1)
    for name, value in net.encoder.state_dict().items():
        assert torch.equal(value, state[name.removeprefix("model.")]), name
    torch.save({"a": torch.zeros(3)}, tmp_path / "odd.pth")
    with pytest.raises(BadInput, match="not those of"):
        opponents._build(OpponentConfig(weights=tmp_path / "odd.pth"), 1)
    (tmp_path / "no.pth").write_bytes(b"no")
    with pytest.raises(BadInput, match="tensors"):
        opponents._build(OpponentConfig(weights=tmp_path / "no.pth"), 1)


def test_the_extra_is_named_when_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(UsageError, match=r"sam-crack\[compare\]"):
        opponents._build(OpponentConfig(), 1)
