"""Where base SAM is asked, and which of its masks are taken for cracks."""

import cv2
import numpy as np
import pytest
import torch

from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig
from sam_crack.errors import IntegrityError, UsageError
from sam_crack.model.description import CheckpointMeta
from sam_crack.studies import zero_shot
from sam_crack.studies.zero_shot import ZeroShot, ZeroShotConfig

TINY = ModelConfig(backbone=BackboneConfig(name="tiny", pretrained=False), window=(64, 96))


def drawn(draw, size=(64, 96)):
    """Masks at stride 4 of what is drawn, as logits (1, 1, h, w)."""
    canvas = np.zeros(size, np.uint8)
    draw(canvas)
    return torch.from_numpy(np.where(canvas > 0, 5.0, -5.0)).float()[None, None]


def test_points_are_spread_evenly():
    places = zero_shot.spread_places(torch.zeros(1, 1, 40, 80), 8)[0]
    assert places.tolist() == [[y, x] for y in (10.0, 30.0) for x in (10.0, 30.0, 50.0, 70.0)]
    low = zero_shot.spread_places(torch.zeros(1, 1, 60, 80), 8, first=20)[0]
    assert (low - places).tolist() == [[20.0, 0.0]] * 8


def test_the_thinnest_dark_places_are_found_before_broad_and_bright_ones():
    grey = torch.full((1, 1, 128, 128), 120.0)
    grey[..., 40:43, 10:118] = 60  # a dark line
    grey[..., 90:93, 10:118] = 200  # a bright one
    grey[..., 100:127, 20:60] = 60  # a broad dark patch
    places = zero_shot.dark_places(grey, 3, 8)[0]
    assert ((places[:, 0] - 41).abs() <= 3).all()
    assert len({tuple(place) for place in places.tolist()}) == 3
    assert (zero_shot.dark_places(grey, 3, 8, first=60)[0][:, 0] >= 60).all()


def test_a_line_is_dug_out_of_a_quiet_road_not_out_of_grass():
    rng = np.random.default_rng(0)
    grey = np.full((160, 160), 120.0) + rng.normal(0, 1, (160, 160))
    grey[:70] += rng.normal(0, 30, (70, 160))
    grey[120:123, 10:150] -= 40
    places = zero_shot.dark_places(torch.tensor(grey).float()[None, None], 6, 8)[0]
    assert ((places[:, 0] - 121).abs() <= 3).sum() >= 5


@pytest.mark.parametrize(
    ("draw", "level", "kept"),
    [
        (lambda c: cv2.line(c, (5, 5), (90, 50), 255, 2), 80, 1),
        (lambda c: cv2.line(c, (5, 5), (90, 50), 255, 2), 140, 0),  # bright
        (lambda c: cv2.rectangle(c, (10, 10), (60, 50), 255, -1), 80, 0),  # broad
        (lambda c: None, 80, 0),
    ],
)
def test_only_thin_dark_masks_are_kept(draw, level, kept):
    masks = drawn(draw)
    grey = torch.where(masks > 0, float(level), 120.0)
    found = zero_shot.thin_and_dark(masks, grey, ZeroShotConfig(width_px=24))
    assert found.tolist() == [[float(kept)]]


@pytest.mark.parametrize("prompts", ["grid", "ridge", "line"])
def test_a_pixel_takes_the_best_kept_mask(prompts, monkeypatch):
    model = ZeroShot(TINY, ZeroShotConfig(prompts=prompts, points=4))
    line = drawn(lambda c: cv2.line(c, (1, 8), (22, 8), 255, 1), (16, 24))
    broad = drawn(lambda c: cv2.rectangle(c, (0, 0), (23, 15), 255, -1), (16, 24))
    answers = torch.cat([line, broad], 1)
    quality = torch.tensor([[0.8, 0.9]])
    asked = []

    def answer(embedding, *, points, labels):
        asked.append(tuple(points.shape))
        return answers.expand(len(points), -1, -1, -1), quality.expand(len(points), -1)

    monkeypatch.setattr(model.sam.prompts, "forward", answer)
    pixels = torch.full((2, 3, 64, 96), 120.0)
    pixels[..., 32:36, 4:92] = 60
    prob = model(pixels).sigmoid()
    assert asked == [(1, 4, 2) if prompts == "line" else (4, 1, 2)] * 2
    torch.testing.assert_close(prob[0, 0, 8, 10], torch.sigmoid(torch.tensor(5.0)) * 0.8)
    assert float(prob[0, 0, 2, 3]) < 0.01


def test_the_encoder_is_base_sam_and_nothing_learns():
    model = ZeroShot(TINY, ZeroShotConfig())
    assert model.trainable() == {}
    assert not any(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(UsageError, match="2 classes"):
        ZeroShot(ModelConfig(head=HeadConfig(num_classes=2)), ZeroShotConfig())


def test_a_rule_comes_back_from_disk(tmp_path, monkeypatch):
    model = ZeroShot(TINY, ZeroShotConfig(prompts="grid", points=4)).eval()
    meta = CheckpointMeta(classes=("crack",), threshold=0.25)
    zero_shot.save_zero_shot(model, tmp_path / "checkpoint", meta)
    assert zero_shot.is_zero_shot(tmp_path)
    again, found = zero_shot.load_zero_shot(tmp_path)
    pixels = torch.rand(1, 3, 64, 96) * 255
    torch.testing.assert_close(again(pixels), model(pixels), rtol=0, atol=0)
    assert (found, again.asked) == (meta, model.asked)
    path = tmp_path / "checkpoint" / zero_shot.DESCRIPTION
    path.write_text(path.read_text().replace(model.sam.base_sha256, "0" * 64))
    with pytest.raises(IntegrityError, match="base weights are others"):
        zero_shot.load_zero_shot(tmp_path)
