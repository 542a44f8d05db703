"""A validation that looks at a part of the frames says what it misses."""

import dataclasses

import pytest
from accelerate import Accelerator

from sam_crack.config.schema import InferConfig
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.model.segmenter import build_segmenter
from sam_crack.train.validate import Validation, Validator
from tests.train.tiny_run import TINY, bars


@pytest.fixture
def validate(capsys):
    def run(road):
        validator = Validator(
            build_segmenter(TINY.model),
            bars(4),
            config=dataclasses.replace(TINY, infer=InferConfig(batch_size=2, road=road)),
            accelerator=Accelerator(cpu=True),
            console=Console(no_progress=True),
        )
        return validator(1), "".join(capsys.readouterr())

    return run


def test_what_a_band_misses_is_kept_and_said(validate):
    found, said = validate("band:0.5,1")
    masks = [sample.mask > 0 for sample in bars(4)]
    hidden = sum(mask[:38].sum() for mask in masks) / sum(mask.sum() for mask in masks)
    assert 0 < hidden < 1
    assert found.gate_missed == pytest.approx(hidden, abs=0.1)
    assert found.gate_share == pytest.approx(0.515, abs=0.02)
    assert f"{found.gate_missed:.2%} of the foreground missed" in said
    assert Validation.from_facts(found.facts()) == found


def test_nothing_is_said_where_all_is_looked_at(validate):
    found, said = validate("all")
    assert (found.gate_missed, found.gate_share) == (None, None)
    assert "gate" not in said
    assert "gate_missed" not in found.facts()


def test_auto_that_finds_no_road_warns_and_looks_everywhere(validate):
    found, said = validate("auto")  # weights that were drawn, and know no road
    assert (found.gate_missed, found.gate_share) == (0, 1)
    assert said.count("looked at everywhere") == 1


@pytest.mark.parametrize(("road", "told"), [("lane", "band:"), ("auto:25", "by itself")])
def test_what_is_no_road_or_hangs_on_other_frames_is_refused(road, told, validate):
    with pytest.raises(UsageError, match=told):
        validate(road)
