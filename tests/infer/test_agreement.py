import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sam_crack.infer.agreement import Agreement, Softness, agree, centre
from sam_crack.infer.predict import Predictor
from sam_crack.infer.scale import GRID

torch.set_num_threads(1)


def levels(*values):
    return np.array([values], np.uint8)


def test_the_score_is_that_of_its_formula():
    p = {0.5: np.array([0.6, 1.0, 0.4]), 1.0: np.array([0.7, 0.9, 0.5]), 2.0: np.zeros(3)}
    found = Agreement()
    found.add({factor: np.uint8([prob * 255]) for factor, prob in p.items()})
    low, mid = np.array([0.2, 1.0, 0.0]), np.array([0.4, 0.8, 0.0])  # 2 p - 1
    beside = low / 2
    middle = 2 * np.minimum(mid, beside).sum() / (mid + beside).sum()
    lowest = 2 * np.minimum(low, mid).sum() / (low + mid).sum()
    assert found.scores(p) == pytest.approx({0.5: lowest, 1.0: middle, 2.0: 0}, abs=0.005)


def test_scales_further_off_have_no_say():
    near = {1.0: levels(255, 190), 2**0.5: levels(200, 190), 2.0: levels(200, 0)}
    some, more = Agreement(), Agreement()
    some.add(near)
    more.add({0.25: levels(0, 255), 0.5: levels(255, 255), **near, 2**1.5: levels(0, 9)})
    assert some.scores([2**0.5]) == more.scores([2**0.5])


@pytest.mark.parametrize(("level", "score"), [(255, 1), (150, 1), (127, 0)])
def test_what_all_scales_find_alike_scores_one_if_it_is_believed(level, score):
    found = Agreement()
    found.add({factor: levels(level, level, 0) for factor in GRID})
    assert list(found.scores(GRID).values()) == pytest.approx([score] * len(GRID))


def test_frames_add_up():
    one = {0.5: levels(255, 190), 1.0: levels(200, 10)}
    once, twice = Agreement(), Agreement()
    once.add(one)
    twice.add(one)
    twice.add(one)
    assert once.scores([0.5, 1.0]) == pytest.approx(twice.scores([0.5, 1.0]))


def band_pass(windows):
    """A model of dark lines four pixels wide: darkness of three pixels less that of eleven."""
    dark = 1 - windows.float().mean(1, keepdim=True) / 255
    near, far = (F.avg_pool2d(dark, n, 1, n // 2, count_include_pad=False) for n in (3, 11))
    return 30 * (near - far) - 8


def road(width, seed=0):
    rng = np.random.default_rng(seed)
    image = np.clip(rng.normal(200, 6, (400, 420)), 0, 255)
    for left in (60, 190, 320):
        image[:, left : left + width] = 20
    return np.repeat(image.astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(("width", "least", "most"), [(4, 0.7, 1.0), (12, 0.25, 0.5)])
def test_wide_lines_are_looked_at_smaller(width, least, most):
    predictor = Predictor(band_pass, window=(96, 96), stride=1, batch_size=8)
    factor, scores = agree(predictor, [road(width)])
    assert least <= factor <= most
    best = max(scores, key=lambda one: scores[one])
    assert abs(np.log2(factor / best)) < 1


@pytest.mark.parametrize(
    ("scores", "factor"),
    [
        ({0.5: 0.7, 1.0: 0.7}, 0.707),
        ({0.25: 0.0, 0.5: 0.9, 1.0: 0.0}, 0.5),
        ({0.5: 0.4, 2.0: 0.8}, 2 ** (63 / 65)),
        ({0.25: 0.0, 1.0: 0.0}, 1.0),
    ],
)
def test_what_lies_between_factors_that_score_alike_is_taken(scores, factor):
    assert centre(scores) == pytest.approx(factor, rel=0.003)


def test_an_octave_off_in_softness_costs_a_standard_deviation():
    image = road(6)
    lines = np.zeros((400, 420), np.uint8)
    lines[:, [62, 63, 192, 193, 322, 323]] = 255
    maps = {0.5: lines, 1.0: lines, 2.0: np.zeros_like(lines)}
    own = Softness(1.0)
    own.add(image, maps)
    shown = np.exp(own.logs[1.0] / own.points[1.0])
    soft = Softness(float(shown))
    soft.add(image, maps)
    shares = soft.shares(maps)
    assert shares == pytest.approx({0.5: np.exp(-0.5), 1.0: 1.0, 2.0: 1.0})
    unknown = Softness(None)
    unknown.add(image, maps)
    assert unknown.shares(maps) == dict.fromkeys(maps, 1.0)


def test_lines_are_brought_to_the_softness_of_the_training():
    predictor = Predictor(band_pass, window=(96, 96), stride=1, batch_size=8)
    alone, plain = agree(predictor, [road(6)])
    factors = []
    for softness_px in (0.4, 0.8, 1.6, 3.2):
        factor, scores = agree(predictor, [road(6)], softness_px=softness_px)
        assert all(scores[one] <= plain[one] for one in plain)
        factors.append(factor)
    assert factors == sorted(factors)
    assert factors[0] < alone < factors[-1]


def test_where_nothing_is_found_frames_stay_as_they_are():
    predictor = Predictor(band_pass, window=(64, 64), stride=1)
    factor, scores = agree(predictor, [np.full((128, 128, 3), 99, np.uint8)])
    assert factor == 1
    assert max(scores.values()) == 0
