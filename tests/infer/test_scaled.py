import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sam_crack.infer.parts import strip_parts, whole_frame
from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Gated
from sam_crack.infer.scaled import Scaled
from sam_crack.measure.road_scale import Strip

torch.set_num_threads(1)


def bright(windows):
    """A model that sees brightness: the logit is a pixel's value less 128."""
    return F.avg_pool2d(windows.float().mean(1, keepdim=True), 4) - 128


def told(windows):
    """A model whose two class logits are its brightness beside none."""
    return torch.cat([-bright(windows), bright(windows)], 1)


def predictor(model=bright, **settings):
    return Predictor(model, window=(64, 64), stride=4, batch_size=3, **settings)


def by(factor, model=bright, **settings):
    return Scaled(predictor(model, **settings), lambda size: whole_frame(size, factor))


def squares(size, side, seed=0):
    cells = np.random.default_rng(seed).integers(0, 2, (20, 20), np.uint8) * 255
    grown = cells.repeat(side, 0).repeat(side, 1)[: size[0], : size[1]]
    return np.repeat(grown[..., None], 3, axis=2)


@pytest.mark.parametrize("size", [(75, 131), (200, 333), (64, 64), (1, 7)])
@pytest.mark.parametrize("factor", [0.3, 0.5, 2.0])
def test_any_frame_comes_back_at_its_own_size(size, factor):
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = by(factor, deep=True).frame(frame)
    assert found.prob.shape == found.mask.shape == found.deep_prob.shape == size
    assert (found.prob.dtype, found.deep_prob.dtype) == (np.uint8, np.uint16)


def test_a_factor_of_one_changes_no_bit():
    frame = np.random.default_rng(0).integers(0, 256, (150, 210, 3), np.uint8)
    plain, scaled = predictor().frame(frame), by(1.0).frame(frame)
    np.testing.assert_array_equal(plain.prob, scaled.prob)
    np.testing.assert_array_equal(plain.mask, scaled.mask)


@pytest.mark.parametrize(("factor", "windows"), [(0.25, 2), (0.5, 6), (1.0, 20)])
def test_large_things_stay_where_they_are_at_any_scale(factor, windows):
    frame = squares((200, 280), 40)
    found = by(factor).frame(frame)
    assert (found.mask == (frame[..., 0] > 0)).mean() > 0.97
    assert found.windows == windows


def test_frames_come_in_order_and_are_not_read_far_ahead():
    taken = []

    def images():
        for value in (0, 255, 0, 255, 0, 0, 255, 255):
            taken.append(value)
            yield np.full((90, 90 + value, 3), value, np.uint8)

    seen = []
    for found in by(0.5).frames(images()):
        assert len(taken) - len(seen) <= 4
        seen.append(255 if found.mask.all() else 0)
        assert found.prob.shape == (90, 90 + seen[-1])
    assert seen == taken


STRIPS = [Strip(first=60, last=100, millimetres=4), Strip(first=100, last=200, millimetres=2)]


def in_strips(**settings):
    return Scaled(predictor(**settings), lambda size: strip_parts(STRIPS, (2.0, 0.5), size))


def test_strips_are_looked_at_each_in_its_own_size():
    frame = squares((200, 280), 40)
    found = in_strips().frame(frame)
    assert (found.mask == (frame[..., 0] > 0))[60:].mean() > 0.97
    assert not found.prob[:60].any()  # above the road


def test_strips_heed_the_band():
    frame = np.full((200, 280, 3), 255, np.uint8)
    found = in_strips(road="band:0.7,1").frame(frame)
    plain = predictor(road="band:0.7,1").frame(frame)
    assert found.gate is not None
    assert found.mask[142:].all()
    assert not found.prob[:120].any()  # the gate is soft, and a cell of the head 8 rows high
    assert found.windows < in_strips().frame(frame).windows
    assert np.abs(found.prob.astype(int) - plain.prob)[150:].max() <= 1


def test_a_gate_that_is_given_is_kept():
    gate = predictor(road="band:0.5,1").gate(np.zeros((100, 100, 3), np.uint8))
    found = by(0.5).frame(Gated(np.full((100, 100, 3), 255, np.uint8), gate))
    assert found.gate is gate
    assert not found.mask[:40].any()
    assert found.mask[60:].all()


def test_classes_follow():
    frame = squares((200, 280), 40)
    found = by(0.5, told).frame(frame)
    assert (found.classes == (frame[..., 0] > 0)).mean() > 0.97
