"""What was asked is there and does something, or a sentence says what would."""

import warnings
from typing import get_args

import pytest
import torch
from torch import nn

from sam_crack.adapt.inject import inject
from sam_crack.adapt.methods import METHODS
from sam_crack.adapt.sites import Sites
from sam_crack.config.schema import AdapterConfig, AdapterMethod, Target
from sam_crack.errors import UsageError


def test_the_schema_offers_exactly_these_methods():
    assert set(METHODS) == set(get_args(AdapterMethod))


def test_settings_are_fields_of_the_schema():
    fields = AdapterConfig.__dataclass_fields__.keys()
    assert all(spec.settings <= fields for spec in METHODS.values())


@pytest.mark.parametrize("target", get_args(Target))
@pytest.mark.parametrize("backbone", ["tiny", "mobile_sam"])
def test_every_target_exists_in_every_encoder(bench, backbone, target):
    case = bench("lora", backbone, targets=(target,), blocks=(1,), rank=2)
    block, inner = case.plain.sites.blocks[1], case.plain.sites.targets[target]
    assert case.adapted.adaptation.asked == (target,)
    assert case.adapted.adaptation.matched == tuple(f"{block}.{layer}" for layer in inner)


def test_overlapping_targets_count_once(bench):
    both = bench("lora", targets=("q", "qkv")).adapted.adaptation.matched
    assert len(both) == len(set(both)) == 6


def test_late_half_leaves_the_shallow_blocks(bench):
    assert bench("lora", "mobile_sam", blocks="late_half").adapted.adaptation.blocks == (
        5,
        6,
        7,
        8,
        9,
    )


@pytest.mark.parametrize("blocks", [(2,), (-1,), (0, 7), ()])
def test_unknown_blocks_are_refused_with_those_that_exist(bench, blocks):
    with pytest.raises(UsageError, match="this encoder has blocks 0 to 1"):
        bench("lora", blocks=blocks)


class Stack(nn.Module):
    """Two blocks with a layer each, one of whose full names ends in the other."""

    def __init__(self):
        super().__init__()
        self.block = nn.ModuleDict({"q": nn.Linear(4, 4)})
        self.side = nn.ModuleDict({"block": nn.ModuleDict({"q": nn.Linear(4, 4)})})


def sites(layer, blocks=("block",)):
    return Sites(blocks=blocks, targets={"q": (layer,)}, attention="attn", mlp="mlp")


def test_a_layer_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UsageError, match=r"no linear layer block\.key; the block has q"):
        inject(Stack(), AdapterConfig(targets=("q",), rank=2), sites("key"))


def test_an_alias_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UsageError, match="targets: v; this encoder has q"):
        inject(Stack(), AdapterConfig(rank=2), sites("q"))


def test_a_layer_that_peft_adds_in_silence_is_refused():
    with pytest.raises(UsageError, match=r"added \['side\.block\.q'\]"):
        inject(Stack(), AdapterConfig(targets=("q",), rank=2), sites("q"))


@pytest.mark.parametrize("method", ["lora", "dora", "adalora", "conv_lora"])
def test_a_rank_that_is_not_low_is_refused(bench, method):
    with pytest.raises(
        UsageError, match=r"rank: 33; the smallest side of .* is 32; use at most 32"
    ):
        bench(method, rank=33)


def test_a_second_adapter_is_refused(bench):
    for method in ("lora", "bottleneck"):
        case = bench(method)
        encoder = case.fresh()
        inject(encoder, case.config, encoder.sites)
        with pytest.raises(UsageError, match="carries an adapter already"):
            inject(encoder, AdapterConfig(method="norm"), encoder.sites)


def test_norms_are_not_found_where_there_are_none():
    with pytest.raises(UsageError, match="no norm weights in the chosen blocks"):
        inject(Stack(), AdapterConfig(method="norm"), sites("q"))


@pytest.mark.parametrize(
    ("method", "setting", "value"),
    [
        ("lora", "width", 8),
        ("norm", "rank", 4),
        ("bottleneck", "targets", ("q",)),
        ("loha", "dropout", 0.1),
        ("full", "blocks", "late_half"),
        ("head_only", "alpha", 2.0),
    ],
)
def test_a_setting_without_effect_warns(bench, method, setting, value):
    with pytest.warns(UserWarning, match=f"adapter.{setting} has no effect with {method}"):
        bench(method, **{setting: value})


@pytest.mark.parametrize("method", METHODS)
def test_a_setting_with_effect_has_one(bench, method):
    """Each setting that a method says it listens to changes its parameters or its outputs."""
    values = {
        "blocks": (1,),
        "targets": ("proj",),
        "rank": 3,
        "alpha": 5.0,
        "dropout": 0.4,
        "width": 7,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for setting in METHODS[method].settings:
            default, other = (
                _fingerprint(bench(method, **s)) for s in ({}, {setting: values[setting]})
            )
            assert default != other, setting


def _fingerprint(case):
    torch.manual_seed(1)
    for parameter in case.adapted.parameters().values():
        nn.init.normal_(parameter, std=0.1)
    torch.manual_seed(2)
    out = case.adapted.encoder.train()(case.pixels).embedding
    return sorted(case.adapted.parameters()), float(out.detach().double().sum())


@pytest.mark.parametrize(("method", "first"), [("norm", 5), ("bias", 5)])
def test_weights_outside_the_blocks_follow_the_choice_of_blocks(bench, method, first):
    case = bench(method, "mobile_sam", blocks="late_half")
    assert case.adapted.adaptation.first_block == first
    names = case.adapted.parameters()
    assert any(name.startswith("neck.") for name in names)
    assert not any(name.startswith(("patch_embed.", "stages.0.", "stages.1.")) for name in names)


def test_norms_are_those_of_the_paper(bench):
    names = bench("norm").adapted.parameters()
    assert len(names) == 2 * (2 * 2 + 2)
    assert {name.split(".")[0] for name in names} == {"blocks", "neck"}
