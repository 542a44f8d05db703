import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sam_crack.config.schema import BackboneConfig, ModelConfig
from sam_crack.errors import BadInput
from sam_crack.infer.predict import MAX_SIZES, Predictor
from sam_crack.model.segmenter import build_segmenter

torch.set_num_threads(1)


class Bright:
    """A model that sees brightness: a pixel's logit is its mean over the stride, minus 128."""

    def __init__(self, stride=4):
        self.stride, self.shapes, self.kinds = stride, [], set()

    def __call__(self, windows):
        self.shapes.append(tuple(windows.shape))
        self.kinds.add(windows.dtype)
        return F.avg_pool2d(windows.float().mean(1, keepdim=True), self.stride) - 128


def blocks(seed, height, width, side=8):
    """A frame of dark and bright squares that are whole at head scale."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 2, (-(-height // side), -(-width // side)), np.uint8) * 255
    grown = cells.repeat(side, 0).repeat(side, 1)[:height, :width]
    return np.repeat(grown[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((64, 64), (64, 64)),
        ((200, 333), (64, 64)),
        ((63, 500), (64, 64)),
        ((33, 20), (64, 32)),
        ((30, 500), (32, 64)),
        ((1, 1), (32, 32)),
    ],
)
def test_any_frame_size_is_seen_whole_and_hardly_more(size, window):
    model = Bright(1)
    frame = blocks(1, *size)
    prediction = Predictor(model, window=(64, 64), stride=1, batch_size=3).frame(frame)
    np.testing.assert_array_equal(prediction.mask, frame[..., 0] > 0)
    assert prediction.prob.shape == size
    assert set(model.shapes) == {(3, 3, *window)}
    assert model.kinds == {torch.uint8}


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_the_batch_size_changes_nothing(batch_size):
    frame = np.random.default_rng(0).integers(0, 256, (150, 210, 3), np.uint8)
    one, many = (
        Predictor(Bright(), window=(64, 64), stride=4, batch_size=size).frame(frame)
        for size in (1, batch_size)
    )
    np.testing.assert_array_equal(one.prob, many.prob)


def test_frames_leave_no_trace_in_the_next():
    predictor = Predictor(Bright(), window=(64, 64), stride=4)
    dark = np.zeros((100, 120, 3), np.uint8)
    predictor.frame(255 - dark)
    assert predictor.frame(dark).prob.max() == 0


def test_a_one_window_frame_equals_the_plain_forward():
    frame = np.random.default_rng(0).integers(118, 138, (64, 96, 3), np.uint8)
    model = Bright()
    logits = model(torch.from_numpy(frame).permute(2, 0, 1)[None])
    plain = F.interpolate(logits, (64, 96), mode="bilinear")[0, 0].sigmoid() * 255
    prob = Predictor(model, window=(64, 96), stride=4).frame(frame).prob
    assert np.abs(prob - plain.numpy()).max() <= 0.5 + 1e-3


def test_the_band_spares_windows_and_sees_its_rows():
    model = Bright(1)
    frame = np.full((640, 64, 3), 255, np.uint8)
    predictor = Predictor(model, window=(64, 64), stride=1, batch_size=1, road="band:0.8,1")
    prediction = predictor.frame(frame)
    assert prediction.windows == len(model.shapes) == 3
    assert prediction.mask[512:].all()
    assert not prediction.mask[:480].any()


@pytest.mark.parametrize(("threshold", "share"), [(0.2, 1.0), (0.49, 1.0), (0.51, 0.0)])
def test_the_threshold_is_applied_to_probabilities(threshold, share):
    frame = np.full((64, 64, 3), 128, np.uint8)  # a logit of 0, a probability of one half
    predictor = Predictor(Bright(), window=(64, 64), stride=4, threshold=threshold)
    assert predictor.frame(frame).mask.mean() == share


def test_weights_of_only_a_few_sizes_are_kept():
    predictor = Predictor(Bright(), window=(64, 64), stride=4)
    for side in range(70, 70 + 10 * MAX_SIZES, 5):
        predictor.frame(np.zeros((side, side, 3), np.uint8))
    assert len(predictor._weights) == MAX_SIZES


def test_time_is_told_by_stage():
    seconds = Predictor(Bright(), window=(64, 64), stride=4).frame(blocks(0, 80, 80)).seconds
    assert set(seconds) == {"cut", "model", "stitch"}
    assert min(seconds.values()) >= 0


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 4)])
def test_what_is_no_rgb_frame_is_refused(shape):
    with pytest.raises(BadInput, match="RGB"):
        Predictor(Bright(), window=(64, 64), stride=4).frame(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(("largest", "told"), [(8, []), (3, ["4", "2"]), (1, ["4", "2", "1"])])
def test_out_of_memory_halves_the_batch_and_says_so(largest, told):
    def small(windows):
        if len(windows) > largest:
            raise torch.OutOfMemoryError
        return Bright()(windows)

    frame, halved = blocks(2, 150, 210), []
    predictor = Predictor(small, window=(64, 64), stride=4, batch_size=8, warn=halved.append)
    plain = Predictor(Bright(), window=(64, 64), stride=4).frame(frame)
    np.testing.assert_array_equal(predictor.frame(frame).prob, plain.prob)
    assert [text.rsplit(" ", 1)[1] for text in halved] == told


def test_out_of_memory_with_one_window_is_the_end():
    def never(windows):
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        Predictor(never, window=(64, 64), stride=4).frame(blocks(2, 64, 64))


def test_batches_are_filled_across_frames_of_any_size():
    model = Bright(1)
    predictor = Predictor(model, window=(64, 64), stride=1, batch_size=4)
    frames = [blocks(n, *size) for n, size in enumerate([(64, 64), (200, 64), (64, 200), (30, 20)])]
    found = list(predictor.frames(iter(frames)))
    windows = sum(prediction.windows for prediction in found)
    assert windows == 10
    assert model.shapes == [(4, 3, 64, 64)] * 3 + [(4, 3, 32, 32)]
    for frame, prediction in zip(frames, found, strict=True):
        np.testing.assert_array_equal(prediction.mask, frame[..., 0] > 0)


def test_of_a_segmenter_encoding_and_decoding_are_timed_apart():
    config = ModelConfig(backbone=BackboneConfig(name="tiny", pretrained=False), window=(64, 64))
    segmenter = build_segmenter(config).eval()
    found = Predictor(segmenter, window=(64, 64), stride=segmenter.stride).frame(blocks(0, 80, 80))
    assert set(found.seconds) == {"cut", "encode", "head", "stitch"}
    assert found.seconds["encode"] > 0 < found.seconds["head"]
