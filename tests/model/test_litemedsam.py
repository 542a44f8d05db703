"""LiteMedSAM's weights, in MobileSAM's shapes, against LiteMedSAM's own first layers."""

import pytest
import torch
import torch.nn.functional as F

from sam_crack.config.schema import BackboneConfig, ModelConfig
from sam_crack.errors import IntegrityError
from sam_crack.model.backbones import BACKBONES, build_encoder, encoder_to_sam_state, new_encoder
from sam_crack.model.litemedsam import CONVS, EMBED, as_mobile_sam


@pytest.fixture(scope="module")
def state():
    """A state of LiteMedSAM's shapes with random weights."""
    found = encoder_to_sam_state(new_encoder(BACKBONES["lite_medsam"], seed=3))
    torch.manual_seed(0)
    for name in CONVS:
        found[name] = torch.randn(found[name].shape[:2]).view(*found[name].shape[:2], 1, 1)
    for name in found:
        if name.startswith(EMBED) and name.endswith(("running_mean", "bias")):
            found[name] = torch.randn_like(found[name])
    return found


def embedded(state, levels):
    """What LiteMedSAM's patch embedding says of levels from 0 to 1."""
    x = levels
    for place in (0, 2):
        x = F.conv2d(x, state[f"{EMBED}{place}.c.weight"])
        names = ("running_mean", "running_var", "weight", "bias")
        mean, var, weight, bias = (state[f"{EMBED}{place}.bn.{name}"] for name in names)
        x = F.batch_norm(x, mean, var, weight, bias)
        x = F.gelu(x) if place == 0 else x
    return x


def test_the_first_layers_do_what_litemedsam_does_on_every_fourth_pixel(state):
    config = BackboneConfig(name="lite_medsam", pretrained=False)
    encoder = build_encoder(config, window=(64, 96), state=state)
    pixels = torch.randint(0, 256, (2, 3, 64, 96)).float()
    with torch.inference_mode():
        ours = encoder.patch_embed(pixels)
    theirs = embedded(state, pixels[:, :, ::4, ::4] / 255)
    ours = ours if ours.shape == theirs.shape else ours.permute(0, 3, 1, 2)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_shapes_that_fit_already_stay_and_others_are_refused(state):
    wide = as_mobile_sam(state)
    assert all(torch.equal(wide[name], again) for name, again in as_mobile_sam(wide).items())
    with pytest.raises(IntegrityError, match=r"instead of \(32, 3, 3, 3\)"):
        build_encoder(BackboneConfig(name="mobile_sam"), window=(64, 64), state=state)


@pytest.mark.weights
def test_the_published_weights_fill_encoder_and_decoder():
    from sam_crack.console import Console
    from sam_crack.errors import SamCrackError
    from sam_crack.model.segmenter import build_segmenter
    from sam_crack.weights import base

    try:
        base.fetch("lite_medsam", Console(quiet=True))
    except (SamCrackError, OSError) as error:
        pytest.skip(f"no LiteMedSAM weights: {error}")
    config = ModelConfig(backbone=BackboneConfig(name="lite_medsam"), window=(256, 256))
    segmenter = build_segmenter(config).eval()
    y, x = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
    truth = (y - 128) ** 2 + (x - 120) ** 2 < 46**2
    pixels = torch.where(truth, 200.0, 30.0).expand(1, 3, 256, 256)
    box = torch.tensor([[77.0, 69.0, 179.0, 171.0]])
    with torch.inference_mode():
        embedding = segmenter.encoder(pixels).embedding
        prompt = segmenter.prompts.encode(embedding, boxes=box)
        # It was trained with boxes and for one mask: points mean nothing to it.
        mask, score, _ = segmenter.prompts.decode(embedding, *prompt, multimask=False)
    found = F.interpolate(mask, (256, 256), mode="bilinear")[0, 0] > 0
    assert score > 0.9
    assert (found & truth).sum() / (found | truth).sum() > 0.9
