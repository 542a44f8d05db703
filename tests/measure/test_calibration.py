import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error

from sam_crack.measure.calibration import ece, reliability
from sam_crack.measure.metrics import ThresholdCounts, count_levels


def draw(seed, *, honest=True, shape=(200, 300)):
    """Probabilities, and truths that come true as often as they say, or always half as often."""
    rng = np.random.default_rng(seed)
    prob = rng.integers(0, 255, shape, dtype=np.uint8)  # 255 has a bin of its own in torchmetrics
    share = prob / 255 * (1.0 if honest else 0.5)
    return prob, rng.random(shape) < share


@pytest.mark.parametrize("bins", [5, 15, 17])
@pytest.mark.parametrize("honest", [True, False])
def test_ece_equals_torchmetrics(bins, honest):
    prob, truth = draw(3, honest=honest)
    # 1e-6 up: an edge such as 17 / 255 must fall into the same bin in float32
    said = torch.tensor(prob.ravel() / 255 + 1e-6, dtype=torch.float64)
    theirs = binary_calibration_error(said, torch.tensor(truth.ravel()).int(), n_bins=bins)
    ours = ece(count_levels(prob, truth), num_bins=bins, empty="skip")
    assert ours == pytest.approx(theirs.item(), abs=1e-5)


def test_honest_probabilities_have_no_error():
    assert ece(count_levels(*draw(1)), empty="skip") < 0.01
    assert ece(count_levels(*draw(1, honest=False)), empty="skip") > 0.2
    assert ece(count_levels(*draw(1)), floor=0.1, empty="skip") < 0.01


def test_bins_hold_every_pixel_and_the_last_holds_certainty():
    prob, truth = draw(2)
    prob[0] = 255
    bins = reliability(count_levels(prob, truth))
    assert bins.pixels.sum() == prob.size
    assert bins.said[-1] == pytest.approx(prob[prob >= 238].mean() / 255)
    assert bins.true[-1] == pytest.approx(truth[prob >= 238].mean())


def test_silence_is_not_rewarded_above_a_floor():
    truth = np.zeros((50, 50), bool)
    truth[20] = True
    silent = count_levels(np.zeros(truth.shape, np.uint8), truth)
    assert ece(silent, empty="skip") == pytest.approx(0.02)
    assert ece(silent, floor=0.1, empty="one") == 1.0


@pytest.mark.parametrize(("policy", "value"), [("skip", None), ("one", 0.0), ("zero", 1.0)])
def test_the_policy_speaks_where_nothing_is_said_or_true(policy, value):
    assert ece(ThresholdCounts.zero(), floor=0.1, empty=policy) == value
