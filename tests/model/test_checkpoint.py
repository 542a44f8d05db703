"""Checkpoint folders: what was saved comes back, and nothing else does."""

import dataclasses
import json
import math
import os
import pickle
import random
import shutil
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from sam_crack import durable
from sam_crack.adapt.methods import METHODS
from sam_crack.config.schema import AdapterConfig, BackboneConfig, HeadConfig, ModelConfig
from sam_crack.errors import BadInput, IntegrityError, SamCrackError
from sam_crack.model.checkpoint import load_checkpoint, save_checkpoint
from sam_crack.model.description import DESCRIPTION, CheckpointMeta, find_checkpoint, seal
from sam_crack.model.segmenter import build_segmenter
from sam_crack.model.trained_scale import TrainedScale

WINDOW = (32, 48)
META = CheckpointMeta(
    classes=("crack", "joint"),
    threshold=0.35,
    scale=TrainedScale(lowest=0.6, highest=1.8, width_px=3.25),
    config_hash="c" * 64,
    data_hash="d" * 64,
    metrics={"f1_pooled": 0.5, "hd95": math.nan},
    steps=130,
)


def build(method="lora", kind="pyramid", *, backbone="tiny", classes=2):
    config = ModelConfig(
        backbone=BackboneConfig(name=backbone, pretrained=False),
        adapter=AdapterConfig(method=method),
        head=HeadConfig(kind=kind, num_classes=classes, width=8),
        window=WINDOW,
    )
    segmenter = build_segmenter(config).eval()
    torch.manual_seed(11)
    with torch.no_grad():
        for group in segmenter.trainable().values():
            for parameter in group:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return segmenter


def pixels_of():
    return torch.randint(0, 256, (2, 3, *WINDOW), dtype=torch.uint8)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_checkpoint(build(), folder, META)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "model"))


def reseal(folder, change=lambda body: None):
    """Rewrite model.json so that only the change in it, not its hashes, can be refused."""
    body = json.loads((folder / DESCRIPTION).read_text())
    body.pop("sha256")
    for name in body["files"]:
        if (folder / name).is_file():
            body["files"][name] = durable.sha256(folder / name)
    change(body)
    (folder / DESCRIPTION).write_text(json.dumps(body | {"sha256": seal(body)}))


@pytest.mark.parametrize(
    ("method", "kind"),
    [("lora", "sam"), ("lora", "hires"), *((method, "pyramid") for method in METHODS)],
)
def test_comes_back_bit_for_bit(tmp_path, method, kind):
    segmenter = build(method, kind)
    save_checkpoint(segmenter, tmp_path / "model", META)
    again, meta = load_checkpoint(tmp_path / "model")
    pixels = pixels_of()
    with torch.no_grad():
        assert torch.equal(again(pixels), segmenter(pixels))
    assert again.config == segmenter.config
    assert meta.base_sha256 == segmenter.base_sha256
    assert math.isnan(meta.metrics["hd95"])
    same = {"base_sha256": "", "metrics": {}}
    assert dataclasses.replace(meta, **same) == dataclasses.replace(META, **same)


def test_given_base_weights_are_used_and_others_refused(tmp_path):
    segmenter = build(backbone="mobile_sam")
    base = {k: v.clone() for k, v in base_state(segmenter).items()}
    config = dataclasses.replace(
        segmenter.config, backbone=BackboneConfig(name="mobile_sam", pretrained=True)
    )
    tuned = build_segmenter(config, state=base)
    save_checkpoint(tuned, tmp_path / "model", META)
    again, _ = load_checkpoint(tmp_path / "model", state=base)
    with torch.no_grad():
        pixels = pixels_of()
        assert torch.equal(again(pixels), tuned.eval()(pixels))
    base["image_encoder.neck.1.bias"][3] += 1e-6
    with pytest.raises(IntegrityError, match=r"trained on base \w{12}, not \w{12}; .*; fetch"):
        load_checkpoint(tmp_path / "model", state=base)


def base_state(segmenter):
    from sam_crack.model.backbones import build_encoder, encoder_to_sam_state

    encoder = build_encoder(segmenter.config.backbone, window=WINDOW)
    return {**encoder_to_sam_state(encoder), **segmenter.prompts.state_dict()}


def test_replaces_an_older_checkpoint_whole(tmp_path):
    segmenter = build()
    save_checkpoint(segmenter, tmp_path / "model", META)
    (tmp_path / "model" / "stale.txt").write_text("from before")
    save_checkpoint(segmenter, tmp_path / "model", dataclasses.replace(META, steps=260))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not (tmp_path / "model" / "stale.txt").exists()
    assert load_checkpoint(tmp_path / "model")[1].steps == 260


def test_is_found_inside_a_run_folder(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "run" / "checkpoint")
    assert load_checkpoint(tmp_path / "run")[1].steps == META.steps


def test_a_failed_save_leaves_the_older_one(tmp_path, monkeypatch):
    segmenter = build()
    save_checkpoint(segmenter, tmp_path / "model", META)
    monkeypatch.setattr(segmenter.adapted, "save", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_checkpoint(segmenter, tmp_path / "model", META)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert load_checkpoint(tmp_path / "model")[1].steps == META.steps


def test_description_lists_every_head_tensor(saved):
    body = json.loads((saved / DESCRIPTION).read_text())
    head = load_file(saved / "head.safetensors")
    assert body["head"] == {name: list(tensor.shape) for name, tensor in head.items()}
    assert body["base"] == "tiny"
    assert body["config"]["window"] == list(WINDOW)
    assert body["versions"]["torch"]


def change_head(folder, change):
    path = folder / "head.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    reseal(folder)


def put_nan(tensors):
    tensors["logits.bias"][0] = math.nan


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("logits.bias"), "logits.bias"),
        (lambda t: t.update(more=torch.zeros(2)), "more"),
        (lambda t: t.update({"logits.bias": torch.zeros(5)}), r"logits.bias has shape \[5\]"),
        (put_nan, "logits.bias holds NaN"),
    ],
    ids=["missing", "extra", "shape", "nan"],
)
def test_head_tensors_must_be_exactly_the_model_s(folder, change, words):
    change_head(folder, change)
    with pytest.raises(IntegrityError, match=words) as caught:
        load_checkpoint(folder)
    assert "head.safetensors" in caught.value.given
    assert caught.value.accepted
    assert caught.value.todo


def overlong_header(path):
    path.write_bytes(struct.pack("<Q", 2**62) + path.read_bytes()[8:])


def huge_header(path):
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 101_000_000))
        file.truncate(101_000_008)


def hostile_offsets(path):
    header = b'{"logits.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,99999999]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-7])


def emptied(path):
    path.write_bytes(b"")


def pickled(path):
    path.write_bytes(pickle.dumps({"logits.bias": 1}))


@pytest.mark.parametrize("resealed", [False, True], ids=["as found", "hashes made to agree"])
@pytest.mark.parametrize("file", ["head.safetensors", "adapter/adapter_model.safetensors"])
@pytest.mark.parametrize(
    "harm", [overlong_header, huge_header, hostile_offsets, truncated, emptied, pickled]
)
def test_harmed_tensors_are_refused_by_name(folder, file, harm, resealed):
    harm(folder / file)
    if resealed:
        reseal(folder)
    with pytest.raises(IntegrityError, match=Path(file).name) as caught:
        load_checkpoint(folder)
    assert caught.value.accepted
    assert caught.value.todo


@pytest.mark.parametrize("name", ["pytorch_model.bin", "adapter/adapter_model.bin", "opt.pkl"])
def test_pickles_are_refused(folder, name):
    (folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(IntegrityError, match=r"a pickle in a checkpoint; .*; remove it"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["head.safetensors", "adapter/adapter_config.json", DESCRIPTION])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(IntegrityError, match=f"{name}: missing; .*; .*"):
        load_checkpoint(folder)


@pytest.mark.parametrize(("name", "words"), [("gone", "no such folder"), ("file", "not a folder")])
def test_a_path_that_is_no_folder_is_bad_input(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=f"{words}; .*; check the path"):
        load_checkpoint(tmp_path / name)


def test_an_unlisted_adapter_file_is_refused_and_a_card_is_not(folder):
    (folder / "README.md").write_text("a card")
    load_checkpoint(folder)
    (folder / "adapter" / "rank_pattern.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"rank_pattern.json: not listed"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"format": ' + "[" * 900 + "]" * 900 + "}", "format"),
        ('{"a": ' * 900 + "1" + "}" * 900, "format|not valid JSON"),
        ("[]", "format 'None'"),
        ('{"format": "sam-crack model 9"}', "format 'sam-crack model 9'; .*; update"),
        ('{"format": "sam-crack model 1"}', "changed since it was written"),
    ],
)
def test_a_description_of_another_kind_is_refused(folder, text, words):
    (folder / DESCRIPTION).write_text(text)
    with pytest.raises(IntegrityError, match=words):
        load_checkpoint(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_a_file_does_not_hang(folder):
    (folder / DESCRIPTION).unlink()
    os.mkfifo(folder / DESCRIPTION)
    with pytest.raises(IntegrityError, match="missing"):
        load_checkpoint(folder)


def set_in(*path, to):
    def change(body):
        for key in path[:-1]:
            body = body[key]
        body[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_in("meta", "threshold", to=1.5), "1.5 is not a number from 0 to 1"),
        (set_in("meta", "threshold", to=None), "None is not a number"),
        (set_in("meta", "threshold", to=True), "True is not a number"),
        (set_in("meta", "classes", to=["crack", 3]), "3 is not text"),
        (set_in("meta", "classes", to="crack"), "list"),
        (set_in("meta", "classes", to=["crack"]), "1 class names for 2 classes"),
        (set_in("meta", "classes", to=["crack", "\ud800"]), "surrogates"),
        (set_in("files", "\ud800", to="0" * 64), r"ud800: missing"),
        (set_in("meta", "steps", to="many"), "meta"),
        (set_in("meta", "more", to=1), "not the known fields"),
        (set_in("meta", to=[]), "not the known fields"),
        (set_in("config", to=None), "config"),
        (set_in("config", "backbone", "name", to="vit_z"), "vit_z"),
        (set_in("config", "backbone", "size", to=3), "backbone.size"),
        (set_in("config", "window", to=[32, 16_000_000]), "16000000"),
        (set_in("config", "adapter", "rank", to=-1), "rank"),
        (set_in("config", "adapter", "rank", to=4), r"adapter_config.json: \w+ is"),
        (set_in("config", "adapter", "blocks", to=[9]), "blocks: 9"),
        (set_in("config", "adapter", "method", to="norm"), "adapter"),
        (set_in("config", "head", "num_classes", to=3), "2 class names for 3 classes"),
        (set_in("config", "head", "width", to=16), "list of head tensors"),
        (set_in("head", to=[]), "list of head tensors"),
        (set_in("files", to=[]), "no list of files"),
        (set_in("files", "../../etc/passwd", to="0" * 64), "passwd: missing"),
        (set_in("files", "head.safetensors", to=None), "head.safetensors: not the bytes"),
    ],
)
def test_a_description_that_lies_is_refused(folder, change, words):
    reseal(folder, change)
    with pytest.raises(SamCrackError, match=words) as caught:
        load_checkpoint(folder)
    assert caught.value.accepted


def outcome(folder):
    """Load; anything but success and a SamCrackError is a failure of the test."""
    try:
        load_checkpoint(folder)
    except SamCrackError as error:
        return str(error)
    return ""


def flip(path, source):
    """Change, drop, double or overwrite some bytes."""
    blob = bytearray(path.read_bytes())
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(blob))
        match source.randrange(4):
            case 0:
                blob[at] ^= 1 << source.randrange(8)
            case 1:
                del blob[at : at + source.randint(1, 64)]
            case 2:
                blob[at:at] = blob[at : at + source.randint(1, 64)]
            case 3:
                blob[at] = source.choice(b'"{}[],:0-9eEn\\\x00\xff')
        blob = blob or bytearray(b"0")
    path.write_bytes(bytes(blob))


def fuzz(saved, tmp_path, rounds, seed):
    source = random.Random(seed)
    names = ["head.safetensors", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"]
    refused = 0
    for number in range(rounds):
        folder = Path(shutil.copytree(saved, tmp_path / f"{number}"))
        name = source.choice([DESCRIPTION, *names])
        flip(folder / name, source)
        if name != DESCRIPTION and source.random() < 0.7:  # so that the parsers behind are reached
            reseal(folder)
        refused += bool(outcome(folder))
        shutil.rmtree(folder)
    return refused


def test_flipped_bytes_never_surprise(saved, tmp_path):
    assert fuzz(saved, tmp_path, 100, seed=0) > 40


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_flipped_bytes_never_surprise_for_long(saved, tmp_path):
    assert fuzz(saved, tmp_path, 2000, seed=1) > 800


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10**30),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_value_in_the_description_is_read_or_refused(saved, tmp_path_factory, data):
    folder = Path(shutil.copytree(saved, tmp_path_factory.mktemp("any") / "model"))

    def change(body):
        node = body
        while True:
            key = data.draw(st.sampled_from(sorted(node)))
            if not isinstance(node[key], dict) or not node[key] or data.draw(st.booleans()):
                break
            node = node[key]
        node[key] = data.draw(SCALARS)

    try:
        reseal(folder, change)
        outcome(folder)
    finally:
        shutil.rmtree(folder)


def test_a_bundled_checkpoint_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr("sam_crack.model.description.shipped_folder", lambda name: tmp_path / name)
    (tmp_path / "checkpoints" / "asphalt").mkdir(parents=True)
    (tmp_path / "checkpoints" / "asphalt" / "model.json").write_text("{}")
    assert find_checkpoint(Path("asphalt")) == tmp_path / "checkpoints" / "asphalt"
    with pytest.raises(BadInput, match=r"comes with the package \(asphalt\)"):
        find_checkpoint(Path("concrete"))
    with pytest.raises(BadInput, match="no such folder"):
        find_checkpoint(Path("elsewhere/asphalt"))
