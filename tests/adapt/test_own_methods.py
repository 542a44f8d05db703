"""Conv-LoRA, bottleneck and two-level adapters against formulas by hand."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sam_crack.adapt.conv_lora import ConvLora, TokenGrid
from sam_crack.adapt.freeze import freeze
from sam_crack.adapt.inject import inject
from sam_crack.adapt.sites import Sites
from sam_crack.adapt.two_level import Fusion, Levels
from sam_crack.config.schema import AdapterConfig
from sam_crack.errors import UsageError


def randomise(module):
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


@pytest.fixture
def conv_lora():
    config = AdapterConfig(method="conv_lora", rank=3, alpha=6.0)
    return randomise(ConvLora(nn.Linear(5, 7), config, TokenGrid()))


def convolve(plane, kernel):
    """3 x 3 cross-correlation of (c, h, w) with (o, c, 3, 3), zeros outside, one by one."""
    _, height, width = plane.shape
    out = torch.zeros(len(kernel), height, width)
    for y in range(height):
        for x in range(width):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        out[:, y, x] += kernel[:, :, dy + 1, dx + 1] @ plane[:, y + dy, x + dx]
    return out


def resize(plane, size):
    return F.interpolate(plane[None], size=size, mode="bilinear")[0]


@torch.no_grad()
def test_conv_lora_is_its_formula(conv_lora):
    x, y = torch.randn(2, 4, 6, 5), torch.randn(2, 4, 6, 7)
    for image in range(2):
        z = torch.einsum("ri,hwi->rhw", conv_lora.down.weight, x[image])
        shares = torch.softmax(conv_lora.gate.weight @ z.mean(dim=(1, 2)), dim=0)
        near = sum(
            share * resize(convolve(resize(z, (4 * s, 6 * s)), expert.weight), (4, 6))
            for share, s, expert in zip(shares, (1, 2, 4), conv_lora.experts, strict=True)
        )
        update = 6.0 / 3 * torch.einsum("or,rhw->hwo", conv_lora.up.weight, z + near)
        torch.testing.assert_close(conv_lora(x, y)[image], y[image] + update, rtol=0, atol=1e-4)


@torch.no_grad()
def test_conv_lora_of_flat_tokens_is_that_of_their_grid(conv_lora):
    x, y = torch.randn(2, 4, 6, 5), torch.randn(2, 4, 6, 7)
    conv_lora.grid(nn.Identity(), (x,))
    flat = conv_lora(x.flatten(1, 2), y.flatten(1, 2))
    assert torch.equal(flat, conv_lora(x, y).flatten(1, 2))


@pytest.mark.parametrize(
    ("shape", "block", "grid"),
    [
        ((2, 4, 6, 5), None, (2, 4, 6)),
        ((2, 24, 5), (2, 4, 6, 5), (2, 4, 6)),
        ((6, 16, 5), (2, 4, 6, 5), (6, 4, 4)),  # windows of 4 x 4, padded to 4 x 12 or 8 x 12
        ((4, 196, 5), (2, 7, 28, 5), (4, 14, 14)),  # as many tokens as the block, but windows
        ((2, 196, 5), (2, 7, 28, 5), (2, 7, 28)),
    ],
)
def test_the_grid_of_tokens(shape, block, grid):
    tokens = TokenGrid()
    if block:
        tokens(nn.Identity(), (torch.zeros(block),))
    assert tokens.of(torch.zeros(shape)) == grid


@pytest.mark.parametrize("shape", [(2, 23, 5), (16, 5)])
def test_tokens_without_a_grid_are_refused(shape):
    with pytest.raises(UsageError, match=r"no known grid.*use lora"):
        TokenGrid().of(torch.zeros(shape))


def small_mlp(x, case, key):
    """Down, ReLU, up, written out."""
    p = {n.removeprefix(f"{key}."): t for n, t in case.adapted.parameters().items() if key in n}
    hidden = (x @ p["bottleneck.down.weight"].T + p["bottleneck.down.bias"]).clamp(min=0)
    return hidden @ p["bottleneck.up.weight"].T + p["bottleneck.up.bias"]


@pytest.fixture
def block_case(bench):
    """A block of the tiny encoder with random adapters, its plain twin, and tokens."""

    def make(method, index):
        case = bench(method, width=6)
        for parameter in case.adapted.parameters().values():
            nn.init.normal_(parameter, std=0.2)
        return case, case.adapted.encoder.blocks[index], case.plain.blocks[index]

    return make


@torch.no_grad()
def test_bottleneck_is_serial_after_attention_and_parallel_to_the_mlp(block_case):
    case, block, plain = block_case("bottleneck", 0)
    x = torch.randn(2, 4, 6, 32)
    attended = plain.attn(plain.norm1(x))
    middle = x + attended + small_mlp(attended, case, "blocks.0.attn.after")
    entry = plain.norm2(middle)
    expected = middle + plain.mlp(entry) + 0.2 * small_mlp(entry, case, "blocks.0.mlp.beside")
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_two_level_is_inside_around_and_across(block_case):
    case, _, _ = block_case("two_level", 0)
    x, outputs = torch.randn(2, 4, 6, 32), []
    inputs = x
    for index, plain in enumerate(case.plain.blocks):
        middle = inputs + plain.attn(plain.norm1(inputs))
        inner = plain.mlp(plain.norm2(middle))
        inner = inner + small_mlp(inner, case, f"blocks.{index}.mlp.inner")
        inputs = middle + inner + small_mlp(inputs, case, f"blocks.{index}.outer")
        outputs.append(inputs)
    weight = case.adapted.parameters()["blocks.1.fusion.weight"]
    expected = outputs[1] + weight[0] * outputs[0] + weight[1] * outputs[1]
    live = case.adapted.encoder.blocks[1](case.adapted.encoder.blocks[0](x))
    torch.testing.assert_close(live, expected, rtol=0, atol=1e-4)


def test_two_level_fuses_blocks_as_wide_as_the_last(bench):
    weights = bench("two_level", "mobile_sam").adapted.parameters()
    fused = {name: len(p) for name, p in weights.items() if name.endswith("fusion.weight")}
    assert fused == {"stages.3.blocks.1.fusion.weight": 2}


def test_a_fusion_that_misses_a_level_says_so():
    with pytest.raises(UsageError, match="1 block outputs at hand, 3 needed"):
        Fusion(Levels(), 3)(torch.zeros(1), torch.zeros(1))


@pytest.mark.parametrize("method", ["conv_lora", "bottleneck", "two_level"])
def test_a_deep_copy_has_its_own_adapters(bench, same, method):
    case = bench(method).train()
    twin = copy.deepcopy(case.adapted)
    before = case.outputs()
    with torch.no_grad():
        for parameter in twin.parameters().values():
            parameter.add_(1.0)
    assert same(case.outputs(), before)
    assert not same(case.outputs(twin.encoder), before)
    with twin.disabled():
        assert same(case.outputs(), before)


@pytest.mark.parametrize("method", ["conv_lora", "bottleneck", "two_level"])
def test_own_methods_leave_the_base_names_alone(bench, method):
    case = bench(method)
    own = case.adapted.encoder.state_dict()
    assert [name for name in own if not name.startswith("adapters.")] == [*case.plain.state_dict()]


def test_running_means_of_a_frozen_network_stay():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    freeze(net)
    freeze(net)
    before = copy.deepcopy(net.state_dict())
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(net.train()(x), net.eval()(x))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_training_weights_in_half_precision_warns():
    net = nn.ModuleDict({"block": nn.Sequential(nn.LayerNorm(4))}).bfloat16()
    sites = Sites(blocks=("block",), targets={}, attention="", mlp="")
    with pytest.warns(UserWarning, match=r"norm trains weights held in torch\.bfloat16"):
        inject(net, AdapterConfig(method="norm"), sites)
