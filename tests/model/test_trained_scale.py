import json
from dataclasses import asdict, replace

import pytest

from sam_crack.model.trained_scale import TrainedScale, read_trained_scale

SCALE = TrainedScale(
    lowest=0.5, highest=2.0, width_px=3.5, gsd_mm=None, factor=0.71, softness_px=0.9
)


def test_comes_back_from_json():
    assert read_trained_scale(json.loads(json.dumps(asdict(SCALE)))) == SCALE


@pytest.mark.parametrize(("old", "read"), [(None, None), (3.25, TrainedScale(width_px=3.25))])
def test_what_older_checkpoints_hold_is_read(old, read):
    assert read_trained_scale(old) == read


def test_without_a_factor_frames_keep_their_size():
    later = ("factor", "softness_px")
    older = {name: value for name, value in asdict(SCALE).items() if name not in later}
    assert read_trained_scale(older) == replace(SCALE, factor=1.0, softness_px=None)


@pytest.mark.parametrize(
    "change",
    [
        {"factor": None},
        {"factor": -1},
        {"lowest": 0},
        {"lowest": 3},
        {"highest": None},
        {"width_px": "4"},
        {"gsd_mm": True},
    ],
)
def test_what_is_no_scale_is_refused(change):
    with pytest.raises(ValueError, match="scale"):
        read_trained_scale(asdict(SCALE) | change)


@pytest.mark.parametrize("raw", [[], "4", float("nan"), {"lowest": 1.0}])
def test_other_shapes_are_refused(raw):
    with pytest.raises(ValueError, match="scale"):
        read_trained_scale(raw)
