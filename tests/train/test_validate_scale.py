"""A validation that looks at frames in several sizes keeps the one that suits the model."""

import dataclasses

import numpy as np
import pytest
from accelerate import Accelerator

from sam_crack.config.schema import InferConfig
from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.errors import UsageError
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.model.segmenter import build_segmenter
from sam_crack.train.validate import Validation, Validator
from tests.train.tiny_run import TINY, bars, session

SEEN = (1.0, 2.0, 0.5)


def with_scales(*factors):
    return dataclasses.replace(TINY, infer=InferConfig(batch_size=2, scale=factors))


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A model that has learnt to find bars."""
    run = session(tmp_path_factory.mktemp("run"))
    run.fit(resume=False)
    return run.segmenter


def validated(segmenter, samples, *factors):
    validator = Validator(
        segmenter,
        samples,
        config=with_scales(*factors),
        accelerator=Accelerator(cpu=True),
        console=Console(quiet=True, no_progress=True),
    )
    return validator(1), validator.shown


def test_the_best_of_several_is_kept_with_its_threshold_and_pictures(taught):
    alone = {factor: validated(taught, bars(4), factor) for factor in SEEN}
    scores = {factor: found.f1 for factor, (found, _) in alone.items()}
    assert len(set(scores.values())) == len(SEEN)
    best = max(scores, key=scores.get)
    found, shown = validated(taught, bars(4), *SEEN)
    assert found == alone[best][0]
    assert found.scale == best
    for number, said in alone[best][1].items():
        np.testing.assert_array_equal(shown[number].prob, said.prob)
    assert Validation.from_facts(found.facts()) == found


def test_of_equals_the_one_nearest_to_the_frame_itself_is_kept():
    blank = np.zeros((80, 96), np.uint8)
    nothing = [Sample(id="0", image=np.zeros((80, 96, 3), np.uint8), mask=blank)]
    found, _ = validated(build_segmenter(TINY.model), nothing, 0.5, 1.0, 2.0)
    assert (found.f1, found.scale) == (0, 1)


def test_the_checkpoint_carries_it(tmp_path):
    session(tmp_path, with_scales(0.5)).fit(resume=False)
    assert load_checkpoint(tmp_path)[1].scale.factor == 0.5


@pytest.mark.parametrize("factors", [(), (0.01,), (1.0, 9.0), (float("nan"),)])
def test_what_no_frame_can_be_resized_by_is_refused(factors):
    with pytest.raises(UsageError, match=r"infer\.scale"):
        InferConfig(scale=factors)
