"""Predictor.frames: windows of several frames in batches of one shape."""

from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig
from sam_crack.infer.gate import Gate
from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Gated
from sam_crack.infer.windows import fit_window
from sam_crack.model.segmenter import build_segmenter

torch.set_num_threads(1)
SIZES = [(64, 64), (100, 160), (30, 20), (64, 64), (130, 70), (200, 64)]


class Counted:
    """A model that sees brightness, and notes how often it was called."""

    num_logits = 1

    def __init__(self):
        self.shapes = []

    def __call__(self, windows):
        self.shapes.append(tuple(windows.shape))
        return F.avg_pool2d(windows.float().mean(1, keepdim=True), 4) / 16 - 8


def noise(seed, size):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def images(sizes=SIZES):
    return [noise(seed, size) for seed, size in enumerate(sizes)]


def predictor(model=None, **options):
    return Predictor(model or Counted(), window=(64, 64), stride=4, **options)


def same(one, two):
    np.testing.assert_array_equal(one.prob, two.prob)
    np.testing.assert_array_equal(one.mask, two.mask)
    if one.deep_prob is not None:
        np.testing.assert_array_equal(one.deep_prob, two.deep_prob)
    assert one.windows == two.windows


@pytest.fixture(scope="module", params=[1, 3])
def tiny(request):
    config = ModelConfig(
        backbone=BackboneConfig(name="tiny", pretrained=False),
        head=HeadConfig(width=8, num_classes=request.param),
        window=(64, 64),
    )
    return build_segmenter(config).eval()


@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_a_frame_says_the_same_alone_and_among_others(tiny, batch_size):
    look = Predictor(tiny, window=(64, 64), stride=tiny.stride, batch_size=batch_size, deep=True)
    frames = images()
    for frame, found in zip(frames, look.frames(frames), strict=True):
        same(found, look.frame(frame))


@given(
    st.lists(st.tuples(st.integers(1, 150), st.integers(1, 150)), max_size=8),
    st.integers(1, 9),
    st.sampled_from(["all", "band:0.5,1"]),
)
@settings(max_examples=30, deadline=None)
def test_one_prediction_per_frame_in_order_and_no_more_passes_than_needed(sizes, batch_size, road):
    model = Counted()
    look = predictor(model, batch_size=batch_size, road=road)
    frames = images(sizes)
    found = list(look.frames(iter(frames)))
    passes = len(model.shapes)
    assert [one.prob.shape for one in found] == sizes
    shapes = [fit_window(size, (64, 64)) for size in sizes]
    assert set(model.shapes) <= {(batch_size, 3, *shape) for shape in shapes}
    windows = Counter[tuple[int, int]]()
    for shape, one in zip(shapes, found, strict=True):
        windows[shape] += one.windows
    least = sum(-(-count // batch_size) for count in windows.values())
    one_by_one = sum(-(-one.windows // batch_size) for one in found)
    assert least <= passes <= one_by_one
    assert passes == least or len(set(shapes)) > 1
    for frame, one in zip(frames, found, strict=True):
        same(one, look.frame(frame))


def test_the_stream_is_asked_for_at_most_a_batch_of_frames_ahead():
    asked = []

    def source():
        for number in range(30):
            asked.append(number)
            yield noise(number, (64, 64))

    ahead = [
        len(asked) - number for number, _ in enumerate(predictor(batch_size=6).frames(source()), 1)
    ]
    assert max(ahead) == 5
    assert len(ahead) == 30


def test_frames_without_any_window_wait_no_longer_than_others():
    closed = Gate(np.zeros((4, 4), np.float32))
    asked = []

    def source():
        yield noise(0, (64, 64))
        for number in range(40):
            asked.append(number)
            yield Gated(noise(number, (64, 64)), closed)

    found = predictor(batch_size=5).frames(source())
    next(found)
    assert len(asked) <= 5
    rest = list(found)
    assert len(rest) == 40
    assert all(one.windows == 0 and one.prob.max() == 0 for one in rest)


def test_large_frames_wait_two_at_a_time():
    model, alive = Counted(), []
    look = predictor(model, batch_size=4)
    start = look._stitcher

    def counted(*args):
        alive.append(1)
        return start(*args)

    look._stitcher = counted
    waiting = []
    for number, _ in enumerate(look.frames(noise(n, (200, 200)) for n in range(6)), 1):
        waiting.append(len(alive) - number)
    assert max(waiting) <= 1  # the one whose last windows share a batch with the next


@pytest.mark.parametrize(("largest", "told"), [(3, ["4", "2"]), (1, ["4", "2", "1"])])
def test_out_of_memory_halves_and_no_frame_is_lost(largest, told):
    halved, plain = [], Counted()

    def small(windows):
        if len(windows) > largest:
            raise torch.OutOfMemoryError
        return plain(windows)

    frames = images()
    look = predictor(small, batch_size=8, warn=halved.append)
    for one, other in zip(look.frames(frames), predictor(batch_size=8).frames(frames), strict=True):
        same(one, other)
    assert [text.rsplit(" ", 1)[1] for text in halved] == told
    assert {shape[0] for shape in plain.shapes} == {int(told[-1])}


def test_memory_that_becomes_short_in_the_middle_halves_there():
    halved, plain = [], Counted()

    def tiring(windows):
        if len(windows) > 2 and len(plain.shapes) >= 2:
            raise torch.OutOfMemoryError
        return plain(windows)

    frames = images(SIZES * 2)
    found = list(predictor(tiring, batch_size=5, warn=halved.append).frames(frames))
    for one, other in zip(found, predictor().frames(frames), strict=True):
        same(one, other)
    assert halved == ["out of memory: going on with batches of 2"]


def test_two_streams_do_not_disturb_each_other():
    look, frames = predictor(batch_size=4), images()
    streams = [look.frames(frames), look.frames(frames[::-1])]
    pairs = list(zip(*streams, strict=True))
    for number, (one, other) in enumerate(pairs):
        same(one, look.frame(frames[number]))
        same(other, look.frame(frames[-1 - number]))


def test_time_is_shared_by_windows_and_adds_up(monkeypatch):
    clock = iter(range(10**6))
    look = predictor(batch_size=4)
    monkeypatch.setattr(look, "_now", lambda: float(next(clock)))
    found = list(look.frames(images([(64, 64), (64, 120), (64, 64), (64, 120)])))
    assert [one.windows for one in found] == [1, 2, 1, 2]
    assert [one.seconds["model"] for one in found] == [0.25, 0.5, 0.25, 0.75 + 0.25]
    assert all(set(one.seconds) == {"cut", "model", "stitch"} for one in found)


def test_a_gate_fades_odds_and_one_that_is_open_changes_no_bit():
    frame = noise(0, (128, 96))
    look = predictor(deep=True)
    plain = look.frame(frame)
    same(plain, look.frame(Gated(frame, Gate(np.ones((1, 1), np.float32)))))
    half = look.frame(Gated(frame, Gate(np.full((3, 5), 0.25, np.float32))))
    prob = plain.deep_prob / 65535
    odds = 0.25 * prob / (1 - prob)
    inside = (slice(8, -8), slice(8, -8))  # away from where one value is repeated
    assert np.abs(half.deep_prob / 65535 - odds / (1 + odds))[inside].max() < 2e-3


def test_windows_that_a_gate_closes_are_not_looked_at():
    weight = np.zeros((8, 8), np.float32)
    weight[:2, :2] = weight[6:, 6:] = 1
    model = Counted()
    frame = np.full((512, 512, 3), 255, np.uint8)
    found = predictor(model, batch_size=1).frame(Gated(frame, Gate(weight)))
    whole = len(predictor().plan((512, 512)))
    assert found.windows == len(model.shapes) < whole / 3
    assert found.mask[:128, :128].all()
    assert found.mask[-128:, -128:].all()
    assert found.prob[:128, -128:].max() == found.prob[-128:, :128].max() == 0
    assert found.gate.weight is weight


@pytest.mark.parametrize("corner", [(0, 0), (0, 6), (6, 0), (3, 3)])
def test_the_part_looked_at_is_as_the_whole_has_it(corner):
    frame = np.repeat(np.repeat(noise(1, (32, 32)), 16, 0), 16, 1)
    weight = np.zeros((8, 8), np.float32)
    weight[corner[0] : corner[0] + 2, corner[1] : corner[1] + 2] = 1
    rows, columns = (slice(64 * first + 40, 64 * first + 88) for first in corner)
    look = predictor()
    part = look.frame(Gated(frame, Gate(weight)))
    assert part.windows < look.frame(frame).windows
    whole = look.frame(frame).prob[rows, columns].astype(int)
    assert np.abs(part.prob[rows, columns] - whole).max() <= 1


def test_several_classes_fade_together(tiny):
    look = Predictor(tiny, window=(64, 64), stride=tiny.stride)
    weight = np.zeros((8, 8), np.float32)
    weight[4:] = 1
    found = look.frame(Gated(noise(3, (160, 160)), Gate(weight)))
    assert found.prob[:60].max() == 0
    if found.classes is not None:
        assert found.classes[:60].max() == 0
    closed = look.frame(Gated(noise(3, (160, 160)), Gate(0 * weight)))
    assert closed.prob.max() == closed.windows == 0
    assert (closed.classes is None) == (found.classes is None)


def test_finding_the_road_is_charged_to_the_frame_it_was_found_in(monkeypatch):
    class Sam(Counted):
        def adapters_disabled(self):
            return nullcontext()

        def prompt(self, pixels, *, points, labels):
            height, width = pixels.shape[2:]
            return torch.ones(1, 3, height // 4, width // 4), torch.ones(1, 3)

    look = predictor(Sam(), road="auto:2")
    plain = look._finder
    monkeypatch.setattr(look, "_now", lambda: clock[0])
    clock = [0.0]

    def slow(image):
        clock[0] += 7.0 * (plain._left == 0)
        return plain(image)

    look._finder = slow
    found = list(look.frames(images([(64, 64)] * 4)))
    assert [one.seconds.get("road", 0) for one in found] == [7, 0, 7, 0]
