"""The composed model: what learns, what must never change, and what it answers."""

from dataclasses import replace

import pytest
import torch

from sam_crack.config.schema import AdapterConfig, BackboneConfig, HeadConfig, ModelConfig
from sam_crack.errors import BadInput, UsageError
from sam_crack.model.segmenter import build_segmenter, fingerprint

WINDOW = (64, 96)


def config_of(backbone="tiny", *, method="lora", kind="pyramid", window=WINDOW, **head):
    return ModelConfig(
        backbone=BackboneConfig(name=backbone, pretrained=False),
        adapter=AdapterConfig(method=method),
        head=HeadConfig(kind=kind, **head),
        window=window,
    )


def pixels_of(batch=2, window=WINDOW, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, 3, *window), dtype=torch.uint8, generator=generator)


def perturb(segmenter):
    """Give every learned weight another value, as training would."""
    torch.manual_seed(5)
    with torch.no_grad():
        for group in segmenter.trainable().values():
            for parameter in group:
                parameter.add_(0.05 * torch.randn_like(parameter))


def frozen_bytes(segmenter):
    learned = {id(p) for group in segmenter.trainable().values() for p in group}
    tensors = dict(segmenter.named_parameters()) | dict(segmenter.named_buffers())
    return fingerprint({name: t for name, t in tensors.items() if id(t) not in learned})


@pytest.mark.parametrize("backbone", ["tiny", "mobile_sam"])
@pytest.mark.parametrize("kind", ["pyramid", "sam", "hires"])
def test_logits_are_fp32_at_the_stride(backbone, kind):
    segmenter = build_segmenter(config_of(backbone, kind=kind, num_classes=2, boundary=True))
    logits = segmenter(pixels_of())
    assert logits.dtype == torch.float32
    assert logits.shape == (2, 4, WINDOW[0] // segmenter.stride, WINDOW[1] // segmenter.stride)
    assert segmenter.num_logits == 4
    assert segmenter.stride == (2 if kind == "pyramid" else 4)


@pytest.mark.parametrize("backbone", ["tiny", "mobile_sam"])
@pytest.mark.parametrize("kind", ["pyramid", "sam", "hires"])
def test_training_moves_adapters_and_head_and_nothing_else(backbone, kind):
    segmenter = build_segmenter(config_of(backbone, kind=kind)).train()
    groups = segmenter.trainable()
    before, values = frozen_bytes(segmenter), {n: [p.clone() for p in g] for n, g in groups.items()}
    optimizer = torch.optim.AdamW([p for group in groups.values() for p in group], lr=1e-3)
    for _ in range(2):  # LoRA's first factor gets its first gradient in the second step
        optimizer.zero_grad()
        segmenter(pixels_of()).square().mean().backward()
        optimizer.step()
    learned = {id(p) for group in groups.values() for p in group}
    assert all(p.grad is None for p in segmenter.parameters() if id(p) not in learned)
    assert frozen_bytes(segmenter) == before
    for name, group in groups.items():
        moved = [not torch.equal(a, b) for a, b in zip(group, values[name], strict=True)]
        assert sum(moved) >= 0.9 * len(moved), name


def test_groups_are_all_that_learns_each_weight_once():
    segmenter = build_segmenter(config_of(method="norm"))
    groups = segmenter.trainable()
    ids = [id(p) for group in groups.values() for p in group]
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(p) for p in segmenter.parameters() if p.requires_grad}
    assert all(p.ndim <= 1 for p in groups["norms"])
    assert not groups["adapters"]
    assert all(p.ndim > 1 for p in groups["head"])


@pytest.mark.parametrize("method", ["lora", "norm", "full", "head_only"])
@pytest.mark.parametrize("backbone", ["tiny", "mobile_sam"])
def test_disabled_adapters_are_base_sam_bit_for_bit(backbone, method):
    segmenter = build_segmenter(config_of(backbone, method=method)).eval()
    base = build_segmenter(config_of(backbone)).eval()
    perturb(segmenter)
    boxes = torch.tensor([[8.0, 8.0, 40.0, 60.0]]).expand(2, -1)
    with torch.no_grad(), segmenter.adapters_disabled(), base.adapters_disabled():
        assert torch.equal(
            segmenter.encoder(pixels_of()).embedding, base.encoder(pixels_of()).embedding
        )
        masks, iou = segmenter.prompt(pixels_of(), boxes=boxes)
        assert torch.equal(masks, base.prompt(pixels_of(), boxes=boxes)[0])
    with torch.no_grad():
        tuned, _ = segmenter.prompt(pixels_of(), boxes=boxes)
    assert iou.shape == (2, 3)
    assert torch.equal(tuned, masks) == (method == "head_only")


@pytest.mark.parametrize("kind", ["pyramid", "sam", "hires"])
@pytest.mark.parametrize("backbone", ["tiny", "mobile_sam"])
def test_a_batch_is_its_windows_one_by_one(backbone, kind):
    segmenter = build_segmenter(config_of(backbone, kind=kind)).eval()
    perturb(segmenter)
    pixels = pixels_of(3)
    with torch.no_grad():
        together = segmenter(pixels)
        alone = torch.cat([segmenter(pixels[index : index + 1]) for index in range(3)])
    torch.testing.assert_close(together, alone, atol=2e-4, rtol=2e-4)


def test_other_windows_than_the_configured_one_pass():
    segmenter = build_segmenter(config_of()).eval()
    with torch.no_grad():
        assert segmenter(pixels_of(1, (96, 32))).shape == (1, 1, 48, 16)


def test_bf16_base_leaves_adapters_and_logits_in_fp32():
    config = config_of()
    config = replace(config, backbone=replace(config.backbone, precision="bf16"))
    segmenter = build_segmenter(config).train()
    assert all(p.dtype == torch.float32 for group in segmenter.trainable().values() for p in group)
    assert any(p.dtype == torch.bfloat16 for p in segmenter.parameters())
    logits = segmenter(pixels_of())
    logits.square().mean().backward()
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


def test_float_and_byte_pixels_agree():
    segmenter = build_segmenter(config_of("mobile_sam")).eval()
    with torch.no_grad():
        assert torch.equal(segmenter(pixels_of()), segmenter(pixels_of().float()))


def test_summary_names_what_learns():
    segmenter = build_segmenter(config_of())
    text = "\n".join(segmenter.summary())
    learned = sum(p.numel() for p in segmenter.parameters() if p.requires_grad)
    assert f"trained {learned:,} of {sum(p.numel() for p in segmenter.parameters()):,}" in text
    assert "lora on q, v" in text
    assert "4 matched" in text


def test_random_base_is_the_same_in_every_build():
    torch.manual_seed(1)
    first = build_segmenter(config_of()).base_sha256
    torch.manual_seed(2)
    assert build_segmenter(config_of()).base_sha256 == first
    assert build_segmenter(config_of("mobile_sam")).base_sha256 != first


def test_fingerprint_sees_name_shape_type_and_value():
    state = {"a": torch.arange(6.0), "b": torch.tensor(3)}
    variants = [
        {"A": state["a"], "b": state["b"]},
        {"a": state["a"].view(2, 3), "b": state["b"]},
        {"a": state["a"].double(), "b": state["b"]},
        {"a": state["a"].clone().index_fill_(0, torch.tensor(5), 5.5), "b": state["b"]},
    ]
    assert len({fingerprint(state), *map(fingerprint, variants)}) == 5
    assert fingerprint(dict(reversed(state.items()))) == fingerprint(state)


@pytest.mark.parametrize(
    ("make", "error", "clauses"),
    [
        (lambda: config_of(window=(60, 64)), UsageError, "multiples of 16.*use 64,64"),
        (
            lambda: build_segmenter(config_of(kind="sam", stride=2)),
            UsageError,
            "leave stride empty",
        ),
        (
            lambda: build_segmenter(
                ModelConfig(
                    backbone=BackboneConfig(name="tiny", pretrained=False),
                    adapter=AdapterConfig(blocks=(7,)),
                )
            ),
            UsageError,
            "blocks: 7; this encoder has blocks 0 to 1; name some",
        ),
        (
            lambda: build_segmenter(
                ModelConfig(
                    backbone=BackboneConfig(name="tiny", pretrained=False),
                    adapter=AdapterConfig(rank=64),
                )
            ),
            UsageError,
            "rank: 64; the smallest side .* is 32; use at most 32",
        ),
        (
            lambda: build_segmenter(config_of())(pixels_of(1, (60, 64))),
            BadInput,
            r"\(1, 3, 60, 64\); .*multiples of 16; pad or resize",
        ),
        (
            lambda: build_segmenter(ModelConfig(backbone=BackboneConfig(name="tiny"))),
            BadInput,
            "no base weights called 'tiny'; known are",
        ),
    ],
    ids=["window", "stride", "blocks", "rank", "pixels", "weights"],
)
def test_mistakes_are_answered_in_three_clauses(make, error, clauses):
    with pytest.raises(error, match=clauses) as caught:
        make()
    assert caught.value.given
    assert caught.value.accepted
    assert caught.value.todo
