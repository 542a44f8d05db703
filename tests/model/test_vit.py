from functools import partial

import pytest
import torch
import torch.nn.functional as F
from segment_anything.modeling import ImageEncoderViT
from torch import nn

from sam_crack.config.schema import BackboneConfig
from sam_crack.errors import BadInput, IntegrityError
from sam_crack.model.backbones import (
    BACKBONES,
    build_encoder,
    encoder_to_sam_state,
    load_encoder,
    new_encoder,
)
from sam_crack.model.features import BackboneSpec
from sam_crack.model.vit import PlainViT

MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)


def make_reference(spec):
    """Meta's own encoder with random weights, also in the tables that it leaves at zero."""
    torch.manual_seed(1)
    model = ImageEncoderViT(
        img_size=spec.base_side,
        embed_dim=spec.width,
        depth=spec.depth,
        num_heads=spec.num_heads,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=spec.token_window,
        global_attn_indexes=spec.global_blocks,
    )
    for name, parameter in model.named_parameters():
        if "pos" in name or "norm" in name or "bias" in name:
            nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.2)
    return model.eval()


def make_pair(**sizes):
    spec = BackboneSpec(family="vit", **sizes)
    reference = make_reference(spec)
    ours = new_encoder(spec).eval()
    state = {f"image_encoder.{key}": part for key, part in reference.state_dict().items()}
    load_encoder(ours, state, name="test")
    return ours, reference, state


def make_pixels(height, width, batch=1):
    generator = torch.Generator().manual_seed(height + width)
    shape = (batch, 3, height, width)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@torch.no_grad()
def relative_error(ours, reference, pixels):
    wanted = reference((pixels - MEAN) / STD)
    return ((ours(pixels).embedding - wanted).norm() / wanted.norm()).item()


def resize_position(reference, height, width):
    table = reference.pos_embed.permute(0, 3, 1, 2)
    table = F.interpolate(table, size=(height // 16, width // 16), mode="bilinear")
    reference.pos_embed = nn.Parameter(table.permute(0, 2, 3, 1))


def test_two_wide_blocks_at_1024_equal_segment_anything():
    ours, reference, _ = make_pair(width=768, depth=2, num_heads=12, global_blocks=(1,))
    assert relative_error(ours, reference, make_pixels(1024, 1024)) <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b", "vit_l"])
def test_full_encoder_at_1024_equals_segment_anything(name):
    reference = make_reference(BACKBONES[name])
    state = {f"image_encoder.{key}": part for key, part in reference.state_dict().items()}
    ours = build_encoder(BackboneConfig(name=name), window=(1024, 1024), state=state)
    assert relative_error(ours, reference, make_pixels(1024, 1024)) <= 1e-5


@pytest.mark.parametrize(
    "size", [(512, 512), (896, 896), (896, 1120), (320, 448), (32, 48), (1040, 208)]
)
def test_other_windows_equal_segment_anything_with_resized_tables(size):
    ours, reference, _ = make_pair(width=32, depth=3, num_heads=2, global_blocks=(1,))
    resize_position(reference, *size)
    assert relative_error(ours, reference, make_pixels(*size, batch=2)) <= 1e-5


def test_state_goes_there_and_back_exactly():
    ours, _, state = make_pair(width=32, depth=2, num_heads=2, global_blocks=(1,))
    back = encoder_to_sam_state(ours)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.pop("image_encoder.neck.1.bias"), "neck.1.bias is missing"),
        (lambda s: s.pop("image_encoder.blocks.0.attn.qkv.bias"), "blocks.0.attn.qkv.q.bias"),
        (lambda s: s.update({"image_encoder.more": torch.zeros(1)}), "more is not part of tiny"),
        (lambda s: s.update({"image_encoder.pos_embed": torch.zeros(1)}), "pos_embed is (1,)"),
    ],
)
def test_weights_that_do_not_fit_are_named(change, named):
    config = BackboneConfig(name="tiny")
    state = encoder_to_sam_state(build_encoder(config, window=(64, 64)))
    change(state)
    with pytest.raises(IntegrityError) as raised:
        build_encoder(config, window=(64, 64), state=state)
    assert named in str(raised.value)


def test_other_parts_of_a_sam_file_are_left_alone():
    config = BackboneConfig(name="tiny")
    state = encoder_to_sam_state(new_encoder(BACKBONES["tiny"], seed=4))
    encoder = build_encoder(config, window=(64, 64), state={**state, "mask_decoder.x": MEAN})
    assert torch.equal(encoder.pos_embed, state["image_encoder.pos_embed"])


def test_random_weights_come_from_a_seed_and_leave_the_callers_alone():
    torch.manual_seed(9)
    wanted = torch.rand(1)
    torch.manual_seed(9)
    first, second = (new_encoder(BACKBONES["tiny"]).state_dict() for _ in range(2))
    assert torch.equal(torch.rand(1), wanted)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("shape", [(1, 3, 60, 64), (1, 1, 64, 64), (3, 64, 64)])
def test_pixels_off_the_patch_grid_are_refused(shape):
    with pytest.raises(BadInput, match="multiples of 16"):
        build_encoder(BackboneConfig(name="tiny"), window=(64, 64))(torch.zeros(shape))


def test_window_off_the_patch_grid_is_refused():
    with pytest.raises(BadInput, match="multiples of 16"):
        build_encoder(BackboneConfig(name="tiny"), window=(64, 70))


def test_features_have_the_promised_shapes():
    encoder = build_encoder(BackboneConfig(name="tiny"), window=(64, 96))
    features = encoder(make_pixels(64, 96, batch=2))
    assert features.embedding.shape == (2, 256, 4, 6)
    assert {stride: level.shape[1] for stride, level in features.levels.items()} == {16: 32}
    assert [tap.shape[1] for tap in features.taps] == list(encoder.tap_channels)
    assert features.levels[16] is features.taps[-1]


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_taps_are_the_published_global_blocks(name):
    with torch.device("meta"):
        assert PlainViT(BACKBONES[name]).tap_blocks == BACKBONES[name].global_blocks


def test_uint8_and_float_pixels_mean_the_same():
    encoder = build_encoder(BackboneConfig(name="tiny"), window=(64, 64))
    pixels = make_pixels(64, 64)
    assert torch.equal(encoder(pixels).embedding, encoder(pixels.float()).embedding)


@pytest.mark.parametrize("first", [None, 0, 1, 2])
def test_gradients_start_at_the_block_asked_for(first):
    encoder = build_encoder(BackboneConfig(name="tiny"), window=(64, 64))
    encoder.grad_from = first
    encoder(make_pixels(64, 64)).embedding.square().mean().backward()
    assert (encoder.patch_embed.proj.weight.grad is not None) == (first is None)
    for index, block in enumerate(encoder.blocks):
        wanted = first is None or index >= first
        assert all((p.grad is not None) == wanted for p in block.parameters())
    assert encoder.neck[0].weight.grad is not None


def test_gradients_equal_those_of_segment_anything():
    ours, reference, _ = make_pair(width=32, depth=2, num_heads=2, global_blocks=(1,), base_side=64)
    pixels = make_pixels(64, 64)
    ours(pixels).embedding.square().mean().backward()
    reference((pixels - MEAN) / STD).square().mean().backward()
    wanted = dict(reference.named_parameters())
    for name in ("blocks.1.attn.rel_pos_h", "blocks.0.attn.rel_pos_w", "blocks.0.mlp.lin1.weight"):
        torch.testing.assert_close(
            ours.get_parameter(name).grad, wanted[name].grad, rtol=1e-3, atol=1e-6
        )
    qkv = ours.blocks[0].attn.qkv
    fused = qkv.fuse(tuple(getattr(qkv, letter).bias.grad for letter in "qkv"))
    torch.testing.assert_close(fused, wanted["blocks.0.attn.qkv.bias"].grad, rtol=1e-3, atol=1e-6)


def test_bf16_stores_layers_in_bf16_and_stays_close():
    whole, half = (
        build_encoder(BackboneConfig(name="tiny", precision=precision), window=(64, 64))
        for precision in ("fp32", "bf16")
    )
    assert half.blocks[0].attn.qkv.q.weight.dtype == torch.bfloat16
    assert half.blocks[0].norm1.weight.dtype == torch.float32
    pixels = make_pixels(64, 64)
    found, wanted = half(pixels), whole(pixels)
    assert found.embedding.dtype == found.taps[0].dtype == torch.float32
    assert (found.embedding - wanted.embedding).norm() < 0.03 * wanted.embedding.norm()


class EmbeddingOf(nn.Module):
    """An encoder as exporters want it: tensors in, tensors out."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels):
        return self.encoder(pixels).embedding


@torch.no_grad()
@pytest.mark.parametrize("name", ["tiny", "mobile_sam"])
def test_encoders_can_be_exported(name):
    model = EmbeddingOf(build_encoder(BackboneConfig(name=name), window=(64, 96))).eval()
    pixels = make_pixels(64, 96).float()
    exported = torch.export.export(model, (pixels,)).module()
    torch.testing.assert_close(exported(pixels), model(pixels), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["tiny", "mobile_sam"])
def test_sites_name_modules_that_exist(name):
    encoder = build_encoder(BackboneConfig(name=name), window=(64, 64))
    for block in encoder.sites.blocks:
        for layers in encoder.sites.targets.values():
            for layer in layers:
                assert isinstance(encoder.get_submodule(f"{block}.{layer}"), nn.Linear)
        assert encoder.get_submodule(f"{block}.{encoder.sites.attention}")
        assert encoder.get_submodule(f"{block}.{encoder.sites.mlp}")
