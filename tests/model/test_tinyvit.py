from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from segment_anything.modeling.common import LayerNorm2d
from torch import nn

from sam_crack.config.schema import BackboneConfig
from sam_crack.model.backbones import BACKBONES, build_encoder, encoder_to_sam_state, new_encoder

FIXTURE = Path(__file__).parents[1] / "fixtures" / "mobile_sam_1024.npz"
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)


def draw_road(side=1024):
    """A grey road with a lane mark and a crack under a sky, in whole numbers only."""
    y, x = np.mgrid[:side, :side]
    picture = np.stack([90 + 60 * y // side, 120 + 40 * x // side, 220 - 80 * y // side])
    road = (y > side * 2 // 5) & (abs(x - side // 2) * 5 < (y - side // 4) * 4)
    grain = (x * 7919 + y * 104729 + x * y * 31) % 23
    picture = np.where(road, 100 + grain, picture + grain // 2)
    picture = np.where(road & (abs(x - side // 2) < y // 64), 230, picture)
    crack = road & (abs(x - side // 3 - (y // 16) % 9 * 3) < 3)
    return torch.from_numpy(np.where(crack, 40, picture).astype(np.uint8))[None]


def make_plain(encoder):
    """timm's own module with the two changes and segment_anything's norm, unfolded and eager."""
    trunk = timm.create_model("tiny_vit_5m_224", num_classes=0)
    trunk.stages[3].downsample.conv2.conv.stride = (1, 1)
    trunk.head = nn.Identity()
    neck = nn.Sequential(
        nn.Conv2d(320, 256, 1, bias=False),
        LayerNorm2d(256),
        nn.Conv2d(256, 256, 3, padding=1, bias=False),
        LayerNorm2d(256),
    )
    ours = encoder.state_dict()
    for key in [key for key in ours if ".qkv." in key]:
        if ".q." in key:
            # Spelled out here: per head, rows of q, then k, then v.
            parts = [ours.pop(key.replace(".q.", f".{letter}.")) for letter in "qkv"]
            width = 32
            rows = [
                part[head * width : (head + 1) * width]
                for head in range(len(parts[0]) // width)
                for part in parts
            ]
            ours[key.replace(".q.", ".")] = torch.cat(rows)
    stem = {key: part for key, part in ours.items() if not key.startswith("neck.")}
    trunk.load_state_dict(stem)
    neck.load_state_dict({key[5:]: ours[key] for key in ours if key.startswith("neck.")})
    return nn.Sequential(trunk.patch_embed, trunk.stages, neck).eval()


@pytest.fixture
def encoder():
    """TinyViT with random weights, also where it starts at zeros and ones."""
    encoder = new_encoder(BACKBONES["mobile_sam"]).eval()
    torch.manual_seed(2)
    for name, part in encoder.state_dict().items():
        if "running_var" in name or (part.ndim == 1 and name.endswith("weight")):
            nn.init.uniform_(part, 0.5, 1.5)
        elif part.ndim == 1 or "attention_biases" in name:
            nn.init.normal_(part, std=0.3)
    return encoder


@torch.no_grad()
@pytest.mark.parametrize("size", [(224, 224), (256, 160), (96, 432), (48, 64)])
def test_every_window_equals_the_plain_module(encoder, size):
    pixels = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    wanted = make_plain(encoder)((pixels - MEAN) / STD)
    found = encoder(pixels).embedding
    assert (found - wanted).norm() <= 1e-5 * wanted.norm()


@torch.no_grad()
@pytest.mark.weights
def test_published_weights_equal_the_original_code(mobile_sam_path):
    fixture = np.load(FIXTURE)
    state = torch.load(mobile_sam_path, weights_only=True)
    encoder = build_encoder(BackboneConfig(), window=(1024, 1024), state=state)
    found = encoder(draw_road()).embedding[0, :: fixture["step"]].numpy()
    error = np.linalg.norm(found - fixture["embedding"]) / np.linalg.norm(fixture["embedding"])
    assert error <= 1e-5


@pytest.mark.weights
def test_published_weights_go_there_and_back_exactly(mobile_sam_path):
    state = torch.load(mobile_sam_path, weights_only=True)
    back = encoder_to_sam_state(build_encoder(BackboneConfig(), window=(512, 512), state=state))
    wanted = {key: part for key, part in state.items() if key.startswith("image_encoder.")}
    assert len(wanted) == 302
    assert back.keys() == wanted.keys()
    assert all(torch.equal(back[key], wanted[key]) for key in wanted)


@torch.no_grad()
def test_levels_have_the_promised_strides_and_channels(encoder):
    features = encoder(torch.zeros(1, 3, 96, 160))
    assert list(features.levels) == [2, 4, 8, 16]
    for stride, level in features.levels.items():
        channels = encoder.level_channels[stride]
        assert level.shape == (1, channels, 96 // stride, 160 // stride)
    assert features.taps == ()
    assert features.embedding.shape == (1, 256, 6, 10)


def test_training_mode_changes_neither_outputs_nor_statistics(encoder):
    pixels = torch.randint(0, 256, (1, 3, 64, 64))
    wanted = encoder(pixels).embedding
    before = {key: part.clone() for key, part in encoder.named_buffers()}
    assert torch.equal(encoder.train()(pixels).embedding, wanted)
    assert all(torch.equal(part, before[key]) for key, part in encoder.named_buffers())


@pytest.mark.parametrize("first", [None, 0, 3, 10])
def test_gradients_start_at_the_block_asked_for(encoder, first):
    encoder.grad_from = first
    encoder(torch.zeros(1, 3, 64, 64)).embedding.square().mean().backward()
    assert (encoder.patch_embed.conv1.conv.weight.grad is not None) == (first is None)
    for index, name in enumerate(encoder.sites.blocks):
        wanted = first is None or index >= first
        parameters = encoder.get_submodule(name).parameters()
        assert all((parameter.grad is not None) == wanted for parameter in parameters)
    assert encoder.neck[0].weight.grad is not None


@torch.no_grad()
def test_bf16_stays_close():
    pixels = draw_road(128)
    whole, half = (
        build_encoder(BackboneConfig(precision=precision), window=(128, 128))(pixels)
        for precision in ("fp32", "bf16")
    )
    assert half.embedding.dtype == half.levels[2].dtype == torch.float32
    assert (half.embedding - whole.embedding).norm() < 0.03 * whole.embedding.norm()
