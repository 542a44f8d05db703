import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput
from sam_crack.infer.predict import Predictor
from sam_crack.infer.scale import GRID
from sam_crack.infer.scale_search import calibrate, look_at_scales

torch.set_num_threads(1)


def opened(dark, width):
    """Keep what is dark over so many pixels in a row (odd)."""
    shrunk = -F.max_pool2d(-dark, (1, width), 1, (0, width // 2))
    return F.max_pool2d(shrunk, (1, width), 1, (0, width // 2))


def sees_width(windows):
    """A model that finds upright dark lines three to six pixels wide, and no others."""
    dark = (windows.float().mean(1, keepdim=True) < 100).float()
    return 20 * (opened(dark, 3) - opened(dark, 7)) - 10


def lines(width, size=(192, 256), number=3):
    image, mask = np.full((*size, 3), 200, np.uint8), np.zeros(size, np.uint8)
    for each in range(number):
        left = 30 + each * size[1] // number
        mask[:, left : left + width] = 1
    image[mask == 1] = 0
    return Sample(id="lines", image=image, mask=mask)


def predictor():
    return Predictor(sees_width, window=(64, 64), stride=1, batch_size=8)


def test_every_factor_is_looked_at_in_the_frame_s_own_size():
    sample = lines(4)
    maps = look_at_scales(predictor(), sample.image, GRID)
    assert list(maps) == list(GRID)
    assert {prob.shape for prob in maps.values()} == {sample.mask.shape}
    plain = predictor().frame(sample.image).prob
    np.testing.assert_array_equal(maps[1.0], plain)


@pytest.mark.parametrize(("width", "factor"), [(2, 2.0), (4, 1.0), (9, 0.5)])
def test_labels_find_the_scale_at_which_lines_are_as_the_model_knows_them(width, factor):
    best, counts = calibrate(predictor(), [lines(width), lines(width, number=2)])
    assert 0.7 <= best / factor <= 1.42
    assert 1.0 in counts


def test_only_factors_that_every_frame_can_have_are_compared():
    _, counts = calibrate(predictor(), [lines(4), lines(4, size=(96, 120), number=1)])
    assert min(counts) == 1.0


def test_frames_without_foreground_decide_nothing():
    sample = lines(4)
    empty = dataclasses.replace(sample, mask=np.zeros_like(sample.mask))
    with pytest.raises(BadInput, match=r"without foreground; .*; label"):
        calibrate(predictor(), [empty])
