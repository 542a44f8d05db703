from contextlib import nullcontext

import cv2
import numpy as np
import pytest
import torch

from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig
from sam_crack.errors import UsageError
from sam_crack.infer.find_road import RoadFinder
from sam_crack.infer.predict import Predictor
from sam_crack.model.segmenter import build_segmenter

torch.set_num_threads(1)
FRAME = np.zeros((120, 200, 3), np.uint8)


class Sam:
    """Returns drawn masks (y, x) in shares, as if it were sure of the last."""

    def __init__(self, *polygons, sure=0.9):
        self.polygons, self.sure, self.asked = polygons, sure, 0

    def adapters_disabled(self):
        return nullcontext()

    def prompt(self, pixels, *, points, labels):
        self.asked += 1
        height, width = pixels.shape[2:]
        assert (points[..., 0] < height).all()
        assert (points[..., 1] < width).all()
        drawn = np.full((height // 4, width // 4), -5, np.float32)
        for polygon in self.polygons:
            corners = np.array(polygon)[:, ::-1] * drawn.shape[::-1]
            cv2.fillPoly(drawn, [corners.round().astype(np.int32)], 5)
        masks = np.stack([-np.ones_like(drawn), -np.ones_like(drawn), drawn])
        return torch.from_numpy(masks)[None], torch.tensor([[0.1, 0.2, self.sure]])


def finder(sam, **options):
    return RoadFinder(
        sam, window=(256, 384), device=torch.device("cpu"), **{"every": 25, **options}
    )


TRIANGLE = ((1, 0), (0.5, 0.45), (0.5, 0.55), (1, 1))


def test_the_road_found_counts_and_the_sky_does_not():
    weight = finder(Sam(TRIANGLE))(FRAME).at((120, 200))
    assert weight[-1, 5:-5].min() == 1
    assert weight[: int(0.4 * 120)].max() == 0
    assert weight[:, 100].argmax() < 0.5 * 120


def test_cars_on_the_road_are_filled_and_specks_dropped():
    car = ((0.6, 0.45), (0.6, 0.55), (0.7, 0.55), (0.7, 0.45))
    speck = ((0.1, 0.1), (0.1, 0.13), (0.13, 0.13))
    sam = Sam(TRIANGLE, speck)
    plain = sam.prompt

    def with_car(pixels, **given):
        masks, sure = plain(pixels, **given)
        height, width = masks.shape[2:]
        (top, left), (bottom, right) = car[0], car[2]
        rows = slice(int(top * height), int(bottom * height))
        masks[..., rows, int(left * width) : int(right * width)] = -5
        return masks, sure

    sam.prompt = with_car
    weight = finder(sam)(FRAME).at((120, 200))
    assert weight[78, 100] == 1
    assert weight[: int(0.3 * 120)].max() == 0


@pytest.mark.parametrize(
    "sam",
    [
        Sam(),
        Sam(TRIANGLE, sure=0.5),
        Sam(((0, 0), (0, 1), (0.4, 1), (0.4, 0))),
        Sam(((1, 0.4), (0.95, 0.5), (1, 0.6))),
    ],
    ids=["nothing", "unsure", "sky", "sliver"],
)
def test_without_a_plausible_road_everything_is_looked_at_and_it_is_told_once(sam):
    told = []
    find = finder(sam, every=1, on_lost=told.append)
    assert [find(FRAME) for _ in range(3)] == [None] * 3
    assert sam.asked == 3
    assert len(told) == 1


def test_a_road_is_found_once_per_so_many_frames_and_at_another_size():
    sam = Sam(TRIANGLE)
    find = finder(sam, every=10)
    gates = [find(FRAME) for _ in range(20)]
    assert sam.asked == 2
    assert len(set(map(id, gates))) == 2
    find(FRAME[:100])
    assert sam.asked == 3


@pytest.mark.parametrize(
    ("road", "asked"),
    [("auto", 30), ("auto:10", 3), ("auto:1", 30), ("auto:25", 2)],
)
def test_how_often_is_a_matter_of_the_word(road, asked):
    sam = Sam(TRIANGLE)
    look = Predictor(sam, window=(64, 64), stride=4, road=road)
    for _ in range(30):
        look.gate(FRAME)
    assert sam.asked == asked


def test_a_predictor_by_itself_asks_for_each_frame_and_leaves_the_other_alone():
    sam = Sam(TRIANGLE)
    look = Predictor(sam, window=(64, 64), stride=4, road="auto:25")
    look.gate(FRAME)
    alone = look.by_itself()
    for _ in range(5):
        alone.gate(FRAME)
    look.gate(FRAME)
    assert sam.asked == 6


def test_it_is_told_again_when_a_road_that_was_found_is_lost():
    sam, told = Sam(TRIANGLE), []
    find = finder(sam, every=1, on_lost=told.append)
    for sure in (0.9, 0.1, 0.1, 0.9, 0.1):
        sam.sure = sure
        find(FRAME)
    assert len(told) == 2


def test_a_model_without_prompts_is_refused():
    with pytest.raises(UsageError, match="no SAM"):
        Predictor(lambda pixels: pixels, window=(64, 64), stride=4, road="auto")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_base_sam_is_asked_and_the_adapted_model_is_left_as_it_was(precision):
    config = ModelConfig(
        backbone=BackboneConfig(name="tiny", pretrained=False, precision=precision),
        head=HeadConfig(width=8),
        window=(64, 64),
    )
    model = build_segmenter(config).eval()
    with torch.no_grad():
        for weight in model.adapted.parameters().values():
            weight.add_(0.3)
    asked = []
    plain = model.prompts.forward

    def noted(embedding, **given):
        asked.append(embedding.clone())
        return plain(embedding, **given)

    model.prompts.forward = noted
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    pixels = torch.from_numpy(frame).permute(2, 0, 1)[None]
    with torch.inference_mode():
        before = model(pixels)
        RoadFinder(model, window=(64, 96), device=torch.device("cpu"), every=1)(frame)
        with model.adapters_disabled():
            base = model.encoder(pixels).embedding
        adapted = model.encoder(pixels).embedding
        torch.testing.assert_close(model(pixels), before, rtol=0, atol=0)
    torch.testing.assert_close(asked[0], base, rtol=0, atol=0)
    assert not torch.equal(asked[0], adapted)


@pytest.fixture(scope="module")
def published(mobile_sam_path):
    return build_segmenter(ModelConfig()).eval()


@pytest.mark.realdata
@pytest.mark.weights
@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("941971_RS_290_290RS070691_02760", 0.88),
        ("1085449_DF_080_080BDF0090_03640", 0.88),
        ("994464_RS_386_386RS191729_09085", 0.96),
        ("1077340_DF_251_251BDF0530_05199", 0.97),
        ("918383_RS_290_290RS294095_25365", 0.96),
        ("1083252_DF_080_080BDF0070_03824", 0.95),
    ],
)
def test_the_road_of_real_frames_holds_their_lane_and_all_their_damage(
    name, largest, published, data_root
):
    home = data_root / "dnit" / "Dataset" / name
    image, lane, damage = (
        cv2.imread(str(home / f"{name}_{kind}")) for kind in ("RAW.jpg", "LANE.png", "CRACK.png")
    )
    find = RoadFinder(published, window=(448, 448), device=torch.device("cpu"), every=1)
    kept = find(np.ascontiguousarray(image[..., ::-1])).at(image.shape[:2]) >= 0.5
    lane, damage = lane[..., 0] > 127, damage[..., 0] > 127
    assert kept[lane].mean() > 0.995
    assert (kept & damage).sum() >= 0.995 * damage.sum()
    assert kept.mean() < largest
    # the truth is one lane of two or three, so that the whole road overlaps it by half or more
    assert (kept & lane).sum() / (kept | lane).sum() > 0.5


@pytest.mark.realdata
@pytest.mark.weights
def test_sky_and_trees_of_a_real_dashcam_are_left_out(published, data_root):
    video = cv2.VideoCapture(str(data_root / "video" / "solidWhiteRight.mp4"))
    image = np.ascontiguousarray(video.read()[1][..., ::-1])
    weight = RoadFinder(published, window=(448, 448), device=torch.device("cpu"), every=1)(image)
    weight = weight.at(image.shape[:2])
    assert weight[: int(0.5 * 540)].max() == 0
    assert weight[int(0.9 * 540) :, 300:660].min() == 1
    assert 0.25 < (weight >= 0.5).mean() < 0.5
