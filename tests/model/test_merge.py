"""Merged files: segment_anything's own classes load them, strictly, and see what we see."""

import json
import random
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file
from segment_anything import build_sam_vit_b
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

from sam_crack import durable
from sam_crack.config.schema import AdapterConfig, BackboneConfig, HeadConfig, ModelConfig
from sam_crack.config.verbs import MergeOptions
from sam_crack.console import Console
from sam_crack.errors import BadInput, IntegrityError, SamCrackError, UsageError
from sam_crack.model.backbones import build_encoder
from sam_crack.model.checkpoint import load_checkpoint, save_checkpoint
from sam_crack.model.description import CheckpointMeta
from sam_crack.model.merge import merged_sam_state, run_merge
from sam_crack.model.merged import HEAD
from sam_crack.model.segmenter import build_segmenter

QUIET = Console(quiet=True)
META = CheckpointMeta(classes=("crack",), threshold=0.5)


def build(backbone="tiny", *, method="lora", kind="pyramid", classes=1, side=64, state=None):
    config = ModelConfig(
        backbone=BackboneConfig(name=backbone, pretrained=state is not None),
        adapter=AdapterConfig(method=method),
        head=HeadConfig(kind=kind, num_classes=classes),
        window=(side, side),
    )
    segmenter = build_segmenter(config, state=state).eval()
    torch.manual_seed(7)
    with torch.no_grad():
        for group in segmenter.trainable().values():
            for parameter in group:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return segmenter


def reference_sam(side=64):
    """SAM with the sizes of our tiny encoder, from the published classes."""
    grid = (side // 16, side // 16)
    encoder = ImageEncoderViT(
        img_size=side,
        embed_dim=32,
        depth=2,
        num_heads=2,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    )
    decoder = MaskDecoder(
        transformer_dim=256,
        transformer=TwoWayTransformer(depth=2, embedding_dim=256, num_heads=8, mlp_dim=2048),
    )
    return Sam(encoder, PromptEncoder(256, grid, (side, side), 16), decoder).eval()


def pixels_of(side):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (1, 3, side, side), dtype=torch.uint8, generator=generator)


def embeddings(sam, segmenter, side):
    pixels = pixels_of(side)
    with torch.no_grad():
        expected = sam.image_encoder((pixels.float() - sam.pixel_mean) / sam.pixel_std)
        return expected, segmenter.encoder(pixels).embedding


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("method", ["lora", "dora", "lokr", "norm", "full"])
def test_published_sam_loads_the_file_and_agrees(tmp_path, method, suffix):
    segmenter = build(method=method)
    save_checkpoint(segmenter, tmp_path / "model", META)
    out = tmp_path / f"merged{suffix}"
    result = run_merge(MergeOptions(run=tmp_path / "model", out=out), QUIET)
    state = torch.load(out, weights_only=True) if suffix == ".pth" else load_file(out)
    assert result["tensors"] == len(state)
    state = {name: tensor for name, tensor in state.items() if not name.startswith(HEAD)}
    sam = reference_sam()
    sam.load_state_dict(state, strict=True)
    expected, ours = embeddings(sam, segmenter, 64)
    torch.testing.assert_close(expected, ours, atol=1e-4, rtol=0)
    assert "base SAM's" in str(result["decoder"])


def test_tuned_encoder_differs_from_its_base():
    segmenter = build()
    with torch.no_grad():
        tuned = segmenter.encoder(pixels_of(64)).embedding
        with segmenter.adapters_disabled():
            base = segmenter.encoder(pixels_of(64)).embedding
    assert (tuned - base).abs().max() > 1e-2  # or the agreement above would prove nothing


def test_sam_head_goes_along():
    segmenter = build(kind="sam")
    sam = reference_sam()
    sam.load_state_dict(merged_sam_state(segmenter), strict=True)
    with torch.no_grad():
        embedding, _ = embeddings(sam, segmenter, 64)
        sparse, dense = sam.prompt_encoder(points=None, boxes=None, masks=None)
        position = sam.prompt_encoder.get_dense_pe()
        mask, _ = sam.mask_decoder(embedding, position, sparse, dense, multimask_output=False)
        torch.testing.assert_close(mask, segmenter(pixels_of(64)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("kind", "classes"), [("pyramid", 1), ("hires", 1), ("sam", 3)])
def test_other_heads_leave_the_base_decoder(kind, classes):
    segmenter = build(kind=kind, classes=classes)
    merged = merged_sam_state(segmenter)
    for name, tensor in segmenter.prompts.state_dict().items():
        assert torch.equal(merged[name], tensor)


def test_mobile_sam_keeps_its_names_and_loads_again():
    segmenter = build("mobile_sam")
    merged = merged_sam_state(segmenter)
    assert "image_encoder.patch_embed.seq.0.c.weight" in merged
    assert "image_encoder.layers.1.blocks.0.attn.qkv.weight" in merged
    again = build_encoder(BackboneConfig(name="mobile_sam"), window=(64, 64), state=merged)
    with torch.no_grad():
        ours = segmenter.encoder(pixels_of(64)).embedding
        torch.testing.assert_close(again(pixels_of(64)).embedding, ours, atol=1e-4, rtol=0)


@pytest.mark.weights
def test_mobile_sam_file_has_exactly_the_published_tensors(tmp_path, mobile_sam_path):
    official = torch.load(mobile_sam_path, weights_only=True)
    segmenter = build("mobile_sam", state=official)
    save_checkpoint(segmenter, tmp_path / "model", META)
    out = tmp_path / "merged.pth"
    run_merge(MergeOptions(run=tmp_path / "model", out=out), QUIET)
    merged = torch.load(out, weights_only=True)
    assert {k: v.shape for k, v in merged.items()} == {k: v.shape for k, v in official.items()}
    changed = {k for k in merged if not torch.equal(merged[k], official[k])}
    assert changed
    assert all(k.startswith("image_encoder.") and ".attn.qkv." in k for k in changed)


@pytest.mark.slow
def test_registry_loads_a_full_vit_b(tmp_path):
    segmenter = build("vit_b", side=1024)
    save_checkpoint(segmenter, tmp_path / "model", META)
    out = tmp_path / "merged.pth"
    run_merge(MergeOptions(run=tmp_path / "model", out=out), QUIET)
    sam = build_sam_vit_b(checkpoint=str(out))  # strict
    expected, ours = embeddings(sam, segmenter, 1024)
    torch.testing.assert_close(expected, ours, atol=1e-4, rtol=0)


def test_verb_prints_one_json_document(tmp_path, run_cli):
    save_checkpoint(build(), tmp_path / "run" / "checkpoint", META)
    out = tmp_path / "merged.safetensors"
    code, text, _ = run_cli("merge", tmp_path / "run", "--out", out, "--json")
    assert code == 0
    answer = json.loads(text)
    assert answer["file"] == str(out)
    assert answer["sha256"] == durable.sha256(out)


@pytest.mark.parametrize(("kind", "classes"), [("pyramid", 1), ("sam", 1), ("hires", 3)])
def test_a_merged_file_is_the_whole_model(tmp_path, kind, classes):
    segmenter = build(kind=kind, classes=classes)
    names = tuple("abc"[:classes])
    meta = CheckpointMeta(classes=names, threshold=0.37, metrics={"iou": 0.5})
    save_checkpoint(segmenter, tmp_path / "model", meta)
    run_merge(MergeOptions(run=tmp_path / "model", out=tmp_path / "m.safetensors"), QUIET)
    again, read = load_checkpoint(tmp_path / "m.safetensors")
    assert (read.threshold, read.classes, read.metrics) == (0.37, names, {"iou": 0.5})
    assert again.config.head == segmenter.config.head
    with torch.no_grad():
        torch.testing.assert_close(
            again(pixels_of(64)), segmenter(pixels_of(64)), atol=1e-3, rtol=0
        )


def test_a_merged_file_needs_no_base_weights(tmp_path, monkeypatch):
    state = merged_sam_state(build("mobile_sam"))
    monkeypatch.setattr("sam_crack.weights.base.load_base", lambda name, **_: (state, "x"))
    save_checkpoint(build("mobile_sam", state=state), tmp_path / "model", META)
    run_merge(MergeOptions(run=tmp_path / "model", out=tmp_path / "m.safetensors"), QUIET)
    monkeypatch.setattr("sam_crack.weights.base.load_base", None)
    assert load_checkpoint(tmp_path / "m.safetensors")[1].threshold == META.threshold


@pytest.fixture(scope="module")
def merged_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("merged")
    save_checkpoint(build(), folder / "model", META)
    run_merge(MergeOptions(run=folder / "model", out=folder / "m.safetensors"), QUIET)
    return folder / "m.safetensors"


def test_a_merged_file_that_was_changed_is_refused(merged_file, tmp_path):
    rng, content = random.Random(1), merged_file.read_bytes()
    for number in range(30):
        broken = bytearray(content)
        if number % 3:
            at = rng.randrange(len(content) if number % 2 else 3000)
            broken[at] ^= 1 << rng.randrange(8)
        else:
            del broken[rng.randrange(len(content)) :]
        path = tmp_path / "x.safetensors"
        path.write_bytes(broken)
        with pytest.raises((IntegrityError, BadInput), match=r"x\.safetensors"):
            load_checkpoint(path)


def test_files_that_are_no_merged_model_are_named(tmp_path, merged_file):
    save_file(load_file(merged_file), tmp_path / "plain.safetensors")
    with pytest.raises(BadInput, match="tells no head"):
        load_checkpoint(tmp_path / "plain.safetensors")
    torch.save({}, tmp_path / "sam.pth")
    with pytest.raises(BadInput, match=r"merge to \.safetensors"):
        load_checkpoint(tmp_path / "sam.pth")


def test_an_existing_file_is_kept(tmp_path):
    save_checkpoint(build(), tmp_path / "model", META)
    out = tmp_path / "merged.pth"
    out.write_text("mine")
    with pytest.raises(UsageError, match=r"exists; a new file; .*--overwrite"):
        run_merge(MergeOptions(run=tmp_path / "model", out=out), QUIET)
    assert out.read_text() == "mine"
    run_merge(MergeOptions(run=tmp_path / "model", out=out, overwrite=True), QUIET)
    assert torch.load(out, weights_only=True)


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"suffix chooses the format.*use merged.pth"):
        run_merge(MergeOptions(run=tmp_path, out=tmp_path / "merged.onnx"), QUIET)


def test_a_method_that_does_not_fold_says_so(tmp_path):
    save_checkpoint(build(method="bottleneck"), tmp_path / "model", META)
    out = tmp_path / "merged.pth"
    with pytest.raises(SamCrackError, match="bottleneck"):
        run_merge(MergeOptions(run=tmp_path / "model", out=out), QUIET)
    assert not out.exists()
