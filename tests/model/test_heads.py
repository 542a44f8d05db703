"""Heads on plain tensors: SAM's own decoder is the reference."""

from types import SimpleNamespace

import pytest
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch.nn import functional as F

from sam_crack.config.schema import HeadConfig
from sam_crack.errors import UsageError
from sam_crack.model.features import Features
from sam_crack.model.heads import build_head, count_logits, resolve_stride
from sam_crack.model.pyramid import PRIOR, PyramidHead, prior_bias

TINYVIT = SimpleNamespace(level_channels={2: 32, 4: 64, 8: 128, 16: 160}, tap_channels=())
PLAIN = SimpleNamespace(level_channels={16: 256}, tap_channels=(48,) * 4)
HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(3)
    grid = (HEIGHT // 16, WIDTH // 16)
    prompts = PromptEncoder(
        embed_dim=256, image_embedding_size=grid, input_image_size=(HEIGHT, WIDTH), mask_in_chans=16
    )
    transformer = TwoWayTransformer(depth=2, embedding_dim=256, num_heads=8, mlp_dim=2048)
    decoder = MaskDecoder(transformer_dim=256, transformer=transformer)
    return decoder.eval(), prompts.eval()


def features_of(encoder, *, batch=2, seed=0):
    torch.manual_seed(seed)
    levels = {
        stride: torch.randn(batch, channels, HEIGHT // stride, WIDTH // stride)
        for stride, channels in encoder.level_channels.items()
    }
    grid = (HEIGHT // 16, WIDTH // 16)
    taps = tuple(torch.randn(batch, channels, *grid) for channels in encoder.tap_channels)
    return Features(embedding=torch.randn(batch, 256, *grid), levels=levels, taps=taps)


def pixels_of(batch=2):
    return torch.randint(0, 256, (batch, 3, HEIGHT, WIDTH), dtype=torch.uint8)


@pytest.mark.parametrize("encoder", [TINYVIT, PLAIN], ids=["tinyvit", "plain"])
@pytest.mark.parametrize(
    ("kind", "stride"), [("pyramid", 2), ("pyramid", 4), ("sam", 4), ("hires", 4)]
)
@pytest.mark.parametrize(("classes", "boundary"), [(1, False), (1, True), (3, True)])
def test_logits_have_the_promised_shape(sam, encoder, kind, stride, classes, boundary):
    config = HeadConfig(kind=kind, stride=stride, num_classes=classes, boundary=boundary)
    logits = build_head(config, encoder, *sam)(features_of(encoder), pixels_of())
    assert logits.shape == (2, count_logits(config), HEIGHT // stride, WIDTH // stride)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    ("classes", "boundary", "count"), [(1, False, 1), (1, True, 2), (2, False, 3), (5, True, 7)]
)
def test_several_classes_bring_a_background(classes, boundary, count):
    assert count_logits(HeadConfig(num_classes=classes, boundary=boundary)) == count
    assert len(prior_bias(classes, boundary=boundary)) == count


@pytest.mark.parametrize("kind", ["sam", "hires"])
@pytest.mark.parametrize("encoder", [TINYVIT, PLAIN], ids=["tinyvit", "plain"])
def test_starts_as_sam_without_prompt(sam, kind, encoder):
    decoder, prompts = sam
    features = features_of(encoder)
    logits = build_head(HeadConfig(kind=kind), encoder, *sam)(features, pixels_of())
    sparse, dense = prompts(points=None, boxes=None, masks=None)
    for index in range(2):  # SAM's decoder takes one image at a time
        expected, _ = decoder(
            image_embeddings=features.embedding[index : index + 1],
            image_pe=prompts.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        torch.testing.assert_close(logits[index : index + 1], expected, atol=2e-6, rtol=1e-5)


def test_hires_starts_as_sam_head_and_then_sees_early_features(sam):
    head = build_head(HeadConfig(kind="hires"), TINYVIT, *sam)
    features = features_of(TINYVIT)
    plain = build_head(HeadConfig(kind="sam"), TINYVIT, *sam)(features, pixels_of())
    assert torch.equal(head(features, pixels_of()), plain)
    torch.nn.init.normal_(head.out.weight, std=0.1)
    assert not torch.allclose(head(features, pixels_of()), plain)


def test_more_classes_start_as_sam_over_a_flat_background(sam):
    features = features_of(TINYVIT)
    one = build_head(HeadConfig(kind="sam"), TINYVIT, *sam)(features, pixels_of())
    three = build_head(HeadConfig(kind="sam", num_classes=3), TINYVIT, *sam)(features, pixels_of())
    assert torch.equal(three[:, 0], torch.zeros_like(three[:, 0]))
    assert torch.equal(three[:, 1], three[:, 3])
    assert torch.corrcoef(torch.stack([one[:, 0].flatten(), three[:, 1].flatten()]))[0, 1] > 0.9


@pytest.mark.parametrize("kind", ["pyramid", "sam", "hires"])
@pytest.mark.parametrize("encoder", [TINYVIT, PLAIN], ids=["tinyvit", "plain"])
def test_a_batch_is_its_images_one_by_one(sam, kind, encoder):
    head = build_head(HeadConfig(kind=kind, num_classes=2), encoder, *sam)
    features, pixels = features_of(encoder), pixels_of()
    together = head(features, pixels)
    for index in range(2):
        one = Features(
            embedding=features.embedding[index : index + 1],
            levels={k: v[index : index + 1] for k, v in features.levels.items()},
            taps=tuple(tap[index : index + 1] for tap in features.taps),
        )
        alone = head(one, pixels[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("classes", "boundary"), [(1, False), (4, False), (2, True)])
def test_pyramid_starts_at_the_prior(classes, boundary):
    bias = prior_bias(classes, boundary=boundary)
    head = PyramidHead(TINYVIT.level_channels, bias=bias)
    logits = head(features_of(TINYVIT), pixels_of())
    body = logits[:, :-1] if boundary else logits
    prob = body.sigmoid() if classes == 1 else body.softmax(1)[:, 1:].sum(1)
    assert prob.median().item() == pytest.approx(PRIOR, rel=0.6)
    if boundary:
        assert logits[:, -1].sigmoid().median().item() == pytest.approx(PRIOR, rel=0.6)


@pytest.mark.parametrize("encoder", [TINYVIT, PLAIN], ids=["tinyvit", "plain"])
def test_pyramid_is_light_and_every_weight_learns(encoder):
    head = PyramidHead(
        encoder.level_channels, encoder.tap_channels, bias=prior_bias(1, boundary=False)
    )
    assert 0.5e6 < sum(p.numel() for p in head.parameters()) < 1.1e6
    head(features_of(encoder), pixels_of()).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


@pytest.mark.parametrize("kind", ["pyramid", "sam", "hires"])
def test_head_learns_a_diagonal_line(sam, kind):
    torch.manual_seed(0)
    head = build_head(HeadConfig(kind=kind), PLAIN, *sam)
    truth = torch.zeros(1, 1, HEIGHT, WIDTH)
    rows = torch.arange(HEIGHT)
    truth[..., rows, rows], truth[..., rows, rows + 1] = 1, 1
    pixels = (255 * (1 - truth)).expand(-1, 3, -1, -1).to(torch.uint8)
    features = features_of(PLAIN, batch=1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3 if kind == "pyramid" else 3e-4)
    losses = []
    for _ in range(25):
        logits = F.interpolate(head(features, pixels), truth.shape[-2:], mode="bilinear")
        loss = F.binary_cross_entropy_with_logits(logits, truth, pos_weight=torch.tensor(5.0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_sam_decoder_has_no_stride_two():
    with pytest.raises(
        UsageError, match=r"stride: 2 with kind sam; .*4 pixels; leave stride empty"
    ):
        resolve_stride(HeadConfig(kind="sam", stride=2))
