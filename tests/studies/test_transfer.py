"""A transfer over tiny tissue: a curve, a warm start, an opponent, and what SAM's decoder lost."""

import dataclasses
import json
import shutil
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import yaml

from sam_crack.console import Console
from sam_crack.data.dataset import open_dataset
from sam_crack.errors import BadInput, IntegrityError, UsageError
from sam_crack.model.checkpoint import save_checkpoint
from sam_crack.model.description import CheckpointMeta
from sam_crack.model.segmenter import build_segmenter
from sam_crack.studies.transfer import forget as transfer_forget
from sam_crack.studies.transfer import verb as transfer
from sam_crack.studies.transfer.plan import read_transfer
from tests.studies.tiny_road import TINY
from tests.studies.tiny_tissue import write_tissue

PLAN = {
    "title": "Tiny transfer",
    "base": {
        "model": {
            "backbone": {"name": "tiny", "pretrained": False},
            "head": {"width": 8, "boundary": True},
            "window": [64, 64],
        },
        "data": {"name": "consep", "hold_out": 2, "classes": ["epithelial", "inflammatory"]},
        "train": {"steps": 2, "batch_size": 2, "warmup": 0, "validate_every": 0},
    },
    "evaluate": {"split": "test", "resamples": 20},
    "images": [1, 20],
    "baseline": "sam-all",
    "curves": {"sam": {}, "unet": {"opponent": {"arch": "unet"}}},
    "rows": {"road": {"init": "CHECKPOINT"}, "gone": {"init": "nowhere", "optional": True}},
    "forget": {"of": ["CHECKPOINT", "sam-all", "nowhere"], "objects": 6},
}


def plan_with(checkpoint, **changes):
    text = json.dumps(PLAN | changes).replace("CHECKPOINT", str(checkpoint))
    plan = json.loads(text)
    plan["base"]["model"]["head"]["num_classes"] = 2
    plan["base"]["train"] |= {"save_every": 1, "losses": {"bce": 1, "dice": 1, "rim": 1}}
    return plan


@pytest.fixture(scope="module")
def tissue(tmp_path_factory):
    return write_tissue(tmp_path_factory.mktemp("tissue"), train=8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A road model whose adapters do something."""
    folder = tmp_path_factory.mktemp("road") / "tuned"
    segmenter = build_segmenter(TINY)
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in segmenter.adapted.parameters().values():
            parameter.normal_(std=0.3)
    save_checkpoint(segmenter, folder, CheckpointMeta(classes=("crack",), threshold=0.5, steps=9))
    return folder


@pytest.fixture
def write_plan(tmp_path, checkpoint):
    def write(**changes):
        path = tmp_path / "plan.yaml"
        path.write_text(yaml.safe_dump(plan_with(checkpoint, **changes), sort_keys=False))
        return path

    return write


@pytest.fixture(scope="module")
def done(tissue, checkpoint, tmp_path_factory):
    """The finished transfer."""
    folder = tmp_path_factory.mktemp("transfer")
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan_with(checkpoint), sort_keys=False))
    from sam_crack.cli import main

    line = ["transfer", folder / "plan.yaml", "--root", tissue, "--out", folder / "out", "--quiet"]
    assert main([str(word) for word in line]) == 0
    return folder


def test_every_row_was_trained_scored_and_written(done, checkpoint):
    kept = json.loads((done / "out" / "transfer.json").read_text())
    assert list(kept["rows"]) == ["sam-1", "sam-all", "unet-1", "unet-all", "road"]
    for name, row in kept["rows"].items():
        assert row["images"] == len(row["image_ids"]) == (1 if name.endswith("-1") else 6)
        assert row["trained"]["steps"] == 2
        assert row["steps_before"] == (9 if name.startswith("road") else 0)
        assert row["scores"]["aji_per_image"]["low"] is not None
        assert not set(row["image_ids"]) & set(kept["validated_on"])
        assert len(row["key"]) == len(row["frames_sha256"]) == 64
    assert len({row["frames_sha256"] for row in kept["rows"].values()}) == 1
    assert kept["headlines"][:3] == ["aji_per_image", "pq_per_image", "mpq_pooled"]
    assert list(kept["forgotten"]) == [str(checkpoint), "sam-all"]
    assert set(kept["not_run"]) == {"gone", "forget nowhere"}
    text = (done / "out" / "transfer.md").read_text()
    for said in (
        "20 images: there are 6",
        "not run: gone",
        "2 images, held out by the seed",
        ".60",
        "PanNuke",
    ):
        assert said in text, said
    assert "Tiny transfer" in (done / "out" / "report.html").read_text()
    assert (done / "out" / "curve.png").stat().st_size > 1000


def test_methods_learn_from_the_same_images(done):
    rows = json.loads((done / "out" / "transfer.json").read_text())["rows"]
    assert rows["sam-1"]["image_ids"] == rows["unet-1"]["image_ids"]
    assert set(rows["sam-1"]["image_ids"]) < set(rows["road"]["image_ids"])


def test_finished_rows_and_questions_are_skipped(done, tissue, run_cli, monkeypatch):
    trained, asked = [], []
    monkeypatch.setattr(transfer, "finish_row", lambda row, *_: trained.append(row.name))
    monkeypatch.setattr(transfer, "forgetting", lambda *a, **_: asked.append(a))
    line = ["transfer", done / "plan.yaml", "--root", tissue, "--out", done / "out"]
    before = (done / "out" / "transfer.json").read_text()
    assert run_cli(*line)[0] == 0
    assert (trained, asked) == ([], [])
    assert (done / "out" / "transfer.json").read_text() == before


def test_a_row_that_fails_stops_only_if_it_must(tissue, write_plan, run_cli, monkeypatch, tmp_path):
    def fail(row, *_):
        raise BadInput(f"{row.name} has no weights")

    monkeypatch.setattr(transfer, "finish_row", fail)
    rows = {"maybe": {"optional": True}}
    plan = write_plan(curves={}, rows=rows, baseline="maybe", forget=None)
    line = ["transfer", plan, "--root", tissue, "--out", tmp_path / "out", "--json"]
    code, out, _ = run_cli(*line)
    assert (code, json.loads(out)["not_run"]) == (0, {"maybe": "maybe has no weights"})
    write_plan(curves={}, rows={"maybe": {}}, baseline="maybe", forget=None)
    assert run_cli(*line)[0] == 3


def test_an_optional_row_whose_start_is_damaged_or_another_is_left_out(
    tissue, write_plan, checkpoint, tmp_path
):
    damaged = tmp_path / "damaged"
    shutil.copytree(checkpoint, damaged)
    (damaged / "model.json").write_text((checkpoint / "model.json").read_text()[:-40])
    rows = {
        "damaged": {"init": str(damaged), "optional": True},
        "other": {
            "init": str(checkpoint),
            "model": {"adapter": {"method": "norm"}},
            "optional": True,
        },
        "weights": {"opponent": {"weights": "nowhere.pth"}, "optional": True},
    }
    plan = read_transfer(write_plan(rows=rows), root=tissue)
    assert set(plan.not_run) == set(rows)
    assert "another model" in plan.not_run["other"]
    assert {row.name for row in plan.compared.rows} == {"sam-1", "sam-all", "unet-1", "unet-all"}
    for name in ("damaged", "other", "weights"):
        rows[name].pop("optional")
        with pytest.raises((BadInput, UsageError, IntegrityError)):
            read_transfer(write_plan(rows={name: rows[name]}), root=tissue)


def test_what_is_forgotten_is_asked_on_the_frames_that_are_scored(
    tissue, write_plan, run_cli, monkeypatch, tmp_path
):
    asked = []

    def tell(folder, samples, **_):
        asked.append([record.id for record in samples.records])
        return {"each": [], "steps": 0, "objects": 0, "groups": 0}

    monkeypatch.setattr(transfer, "finish_row", lambda *_: None)
    monkeypatch.setattr(transfer, "write_transfer", lambda *_: None)
    monkeypatch.setattr(transfer, "say_transfer", lambda *_: None)
    monkeypatch.setattr(transfer, "forgetting", tell)
    line = ["--root", tissue, "--out", tmp_path / "out", "--quiet"]
    for limit in (4, 2, 2):
        evaluate = {"split": "test", "resamples": 20, "limit": limit}
        plan = write_plan(evaluate=evaluate, forget={"of": ["CHECKPOINT"], "objects": 6})
        assert run_cli("transfer", plan, *line)[0] == 0
    assert [len(ids) for ids in asked] == [4, 2]


def test_a_dry_run_says_what_each_row_learns_from(tissue, write_plan, run_cli):
    code, out, _ = run_cli("transfer", write_plan(), "--root", tissue, "--dry-run", "--json")
    rows = json.loads(out)["rows"]
    assert code == 0
    assert {name: row["images"] for name, row in rows.items()}["unet-1"] == 1


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"images": ["few"]}, UsageError, "list of numbers"),
        ({"curves": {}, "rows": {}}, UsageError, "no curves"),
        ({"rows": {"sam-all": {}}}, UsageError, "that no curve has"),
        ({"rows": {"a": {"init": "nowhere"}}}, BadInput, "nowhere"),
        ({"rows": {"a": {"optional": "perhaps"}}}, UsageError, "true or false"),
        ({"budget": 3}, UsageError, "is not a section; known: base"),
        ({"forget": {"off": ["a"]}}, UsageError, "forget"),
        ({"evaluate": {"split": "train"}}, BadInput, "1 frame of consep train is learnt from"),
    ],
)
def test_mistakes_are_named_before_anything_is_trained(tissue, write_plan, changes, error, says):
    with pytest.raises(error, match=says):
        read_transfer(write_plan(**changes), root=tissue)


def test_what_is_validated_on_is_never_scored(tissue, write_plan):
    base = json.loads(json.dumps(PLAN["base"]))
    base["data"] = {"name": "consep", "val": "test"}
    with pytest.raises(BadInput, match="4 frames of consep test are validated on"):
        read_transfer(write_plan(base=base), root=tissue)


def test_base_and_tuned_are_one_where_the_adapters_do_nothing(tissue, checkpoint):
    samples = open_dataset("consep", tissue, split="test")
    torch.manual_seed(0)
    idle = build_segmenter(TINY).eval()  # adapters begin as nothing
    quiet, side = Console(quiet=True), 112  # not the window that it was trained with
    for one in transfer_forget.ask(idle, samples, objects=5, side=side, console=quiet):
        assert (one.base, one.chosen_base) == (one.tuned, one.chosen_tuned)
        assert one.chosen_base <= one.base
    facts = transfer_forget.forgetting(
        checkpoint, samples, objects=5, side=side, resamples=20, device="cpu", console=quiet
    )
    assert any(one["base"] != one["tuned"] for one in facts["each"])
    assert facts["difference"]["low"] <= facts["difference"]["mean"]


def test_a_decoder_that_knows_the_object_scores_nearly_one(tissue, monkeypatch):
    sample = next(iter(open_dataset("consep", tissue, split="test")))
    flat = dataclasses.replace(  # no square: SAM's decoder sees it filled up to one
        sample,
        image=sample.image[:64],
        mask=sample.mask[:64],
        instances=sample.instances[:64],
        ignore=None if sample.ignore is None else sample.ignore[:64],
    )
    height, width = flat.mask.shape
    assert height < width
    segmenter = build_segmenter(TINY).eval()
    chosen = transfer_forget.choose_objects([flat], 3)[0]
    assert len(chosen) == 3
    numbered, side = transfer_forget.objects_in(flat), 4 * width
    asked, seen = [], []
    monkeypatch.setattr(
        segmenter.encoder, "forward", lambda pixels: seen.append(pixels) or Mock(embedding=None)
    )

    def know(embedding, *, points, labels):
        y, x = (points[0, 0] / 4).round().int().tolist()
        asked.append(int(numbered[y, x]))
        truth = np.zeros((width, width), np.float32)  # at stride 4 of the enlarged square
        truth[:height] = numbered == asked[-1]
        one = torch.from_numpy(truth) * 2 - 1
        nothing = -torch.ones_like(one)
        first = len(asked) % 2
        return torch.stack([nothing, one, nothing])[None], torch.tensor([[first, 0.5, 0.2]])

    monkeypatch.setattr(segmenter.prompts, "forward", know)
    found = transfer_forget.answers(segmenter, flat, chosen, side=side)
    assert asked == chosen
    assert min(best for best, _ in found) > 0.9
    assert [own for _, own in found] == [0.0, found[1][0], 0.0]
    assert seen[0].shape == (1, 3, side, side)
    assert (torch.tensor([124, 116, 104]) == seen[0][0, :, 4 * height :].flatten(1).T).all()
