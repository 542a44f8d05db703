"""Base MobileSAM, prompted on real roads through our own encoder, decoder and prompts."""

import pytest
import torch
import torch.nn.functional as F

from sam_crack.config.schema import AdapterConfig, ModelConfig
from sam_crack.data.dataset import open_dataset
from sam_crack.model.segmenter import build_segmenter
from sam_crack.weights.base import load_base

pytestmark = [pytest.mark.realdata, pytest.mark.weights]
AHEAD = ((0.9, 0.5), (0.6, 0.5), (0.4, 0.5))
VERGE = ((0.12, 0.97),)


@pytest.fixture(scope="module")
def segmenter(mobile_sam_path):
    assert mobile_sam_path.is_file()
    config = ModelConfig(adapter=AdapterConfig(method="head_only"), window=(640, 1024))
    return build_segmenter(config, state=load_base("mobile_sam")[0]).eval()


@torch.no_grad()
def best_mask(segmenter, sample, shares):
    """The mask that SAM scores highest for points (y, x) given as shares, and the labelled lane."""
    height, width = (side - side % 16 for side in sample.image.shape[:2])
    pixels = torch.from_numpy(sample.image[:height, :width]).permute(2, 0, 1)[None]
    points = torch.tensor([[[y * height, x * width] for y, x in shares]])
    masks, scores = segmenter.prompt(
        pixels, points=points, labels=torch.ones(1, len(shares), dtype=torch.long)
    )
    best = masks[:, scores[0].argmax()][None]
    mask = F.interpolate(best, size=(height, width), mode="bilinear")[0, 0].numpy() > 0
    return mask, sample.region[:height, :width] > 0


@pytest.mark.parametrize("index", [0, 60, 120])
def test_points_ahead_give_the_road_and_a_point_beside_it_does_not(segmenter, data_root, index):
    sample = open_dataset("dnit", data_root / "dnit", split="test")[index]
    road, lane = best_mask(segmenter, sample, AHEAD)
    assert (road & lane).sum() > 0.95 * lane.sum()
    far, side = road.shape[0] // 10, road.shape[1] // 10
    assert not road[:far, :side].any()  # the verge at either side of the far end is no road
    assert not road[:far, -side:].any()
    verge, lane = best_mask(segmenter, sample, VERGE)
    assert verge.any()
    assert (verge & lane).sum() < 0.01 * lane.sum()
