"""peft's methods against formulas by hand, and against peft's own loader."""

import copy
import json

import peft
import pytest
import torch
from torch import nn

from sam_crack.adapt.inject import inject
from sam_crack.adapt.sites import Sites
from sam_crack.config.schema import AdapterConfig

METHODS = ["lora", "dora", "adalora", "loha", "lokr"]


def layer_of(case, name="blocks.0.attn.qkv.q"):
    """Find the wrapped layer, the plain one, its adapter tensors, and tokens for them."""
    found = {
        n.removeprefix("base_model.model."): m for n, m in case.adapted.encoder.named_modules()
    }
    plain = case.plain.get_submodule(name)
    tensors = {
        key.removeprefix(f"{name}."): p.detach()
        for key, p in case.adapted.parameters().items()
        if key.startswith(f"{name}.")
    }
    return found[name], plain, tensors, torch.randn(2, 5, plain.in_features)


def test_lora_is_base_plus_scaled_product(bench):
    case = bench("lora", rank=4, alpha=12.0).train()
    wrapped, plain, tensors, x = layer_of(case)
    a, b = tensors["lora_A.weight"], tensors["lora_B.weight"]
    assert a.shape == (4, 32)
    assert b.any()
    expected = x @ plain.weight.T + plain.bias + 12.0 / 4 * (x @ a.T) @ b.T
    torch.testing.assert_close(wrapped(x), expected, rtol=0, atol=1e-5)


def test_dora_is_a_direction_times_a_magnitude(bench):
    case = bench("dora", rank=4, alpha=8.0).train()
    wrapped, plain, tensors, x = layer_of(case)
    moved = plain.weight + 2.0 * tensors["lora_B.weight"] @ tensors["lora_A.weight"]
    magnitude = tensors["lora_magnitude_vector.weight"]
    weight = magnitude[:, None] * moved / moved.norm(dim=1, keepdim=True)
    torch.testing.assert_close(wrapped(x), x @ weight.T + plain.bias, rtol=0, atol=1e-5)


def test_loha_is_a_product_of_two_products(bench):
    case = bench("loha", rank=4, alpha=8.0).train()
    wrapped, plain, t, x = layer_of(case)
    update = (t["hada_w1_a"] @ t["hada_w1_b"]) * (t["hada_w2_a"] @ t["hada_w2_b"])
    expected = x @ (plain.weight + 2.0 * update).T + plain.bias
    torch.testing.assert_close(wrapped(x), expected, rtol=0, atol=1e-5)


def test_lokr_is_a_kronecker_product(bench):
    case = bench("lokr", rank=2, alpha=4.0).train()
    wrapped, plain, t, x = layer_of(case)
    small = t["lokr_w2"] if "lokr_w2" in t else t["lokr_w2_a"] @ t["lokr_w2_b"]
    expected = x @ (plain.weight + 2.0 * torch.kron(t["lokr_w1"], small)).T + plain.bias
    torch.testing.assert_close(wrapped(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backbone", ["tiny", "mobile_sam"])
@pytest.mark.parametrize("method", METHODS)
def test_plain_peft_loads_what_was_saved(bench, same, tmp_path, method, backbone):
    case = bench(method, backbone, targets=("q", "v", "mlp"), dropout=0.0).train()
    case.adapted.save(tmp_path)
    loaded = peft.PeftModel.from_pretrained(case.fresh(), tmp_path).eval()
    assert same(case.outputs(loaded), case.outputs())


@pytest.mark.parametrize("method", [method for method in METHODS if method != "adalora"])
def test_what_plain_peft_saves_is_loaded(bench, same, tmp_path, method):
    case = bench(method).train()
    case.adapted.encoder.save_pretrained(tmp_path, save_embedding_layers=False)
    again = case.again()
    again.load(tmp_path)
    assert same(case.outputs(), case.outputs(again.encoder))


def test_nothing_of_this_machine_is_saved(bench, tmp_path):
    bench("lora").adapted.save(tmp_path)
    facts = json.loads((tmp_path / "adapter_config.json").read_text())
    assert facts["base_model_name_or_path"] is None
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


@pytest.fixture
def half():
    """One bf16 linear layer, alone and adapted."""

    def make(method):
        layer = nn.Linear(8, 8).bfloat16()
        net = nn.ModuleDict({"block": nn.ModuleDict({"q": copy.deepcopy(layer)})})
        where = Sites(blocks=("block",), targets={"q": ("q",)}, attention="", mlp="")
        adapted = inject(net, AdapterConfig(method=method, targets=("q",), rank=2), where)
        return (
            layer,
            adapted,
            next(m for n, m in adapted.encoder.named_modules() if n.endswith("q")),
        )

    return make


@pytest.mark.parametrize("method", METHODS)
def test_adapters_of_bf16_layers_are_fp32_and_start_as_base(half, method):
    plain, adapted, wrapped = half(method)
    assert {p.dtype for p in adapted.parameters().values()} == {torch.float32}
    x = torch.randn(3, 8, dtype=torch.bfloat16)
    assert torch.equal(wrapped(x), plain(x))


@pytest.mark.parametrize("method", METHODS)
def test_a_small_update_of_a_bf16_layer_survives_the_merge(half, method):
    plain, adapted, wrapped = half(method)
    for parameter in adapted.parameters().values():
        nn.init.normal_(parameter, std=0.05)
    update = wrapped.get_delta_weight("default") if method != "dora" else None
    merged = adapted.merged_state()["block.q.weight"]
    assert merged.dtype == torch.float32
    if update is not None:
        torch.testing.assert_close(merged - plain.weight.float(), update, rtol=1e-3, atol=1e-7)
