"""What a run takes over from the one that it starts from."""

from dataclasses import replace

import pytest
import torch

from sam_crack.config.schema import HeadConfig
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.model.checkpoint import save_checkpoint
from sam_crack.model.description import CheckpointMeta
from sam_crack.model.segmenter import build_segmenter
from sam_crack.studies.training.start import start_from
from tests.studies.tiny_road import TINY

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A checkpoint whose trained weights are unlike those that a model begins with."""
    folder = tmp_path_factory.mktemp("tuned") / "road"
    segmenter = build_segmenter(TINY)
    torch.manual_seed(1)
    with torch.no_grad():
        for group in segmenter.trainable().values():
            for parameter in group:
                parameter.normal_()
    save_checkpoint(segmenter, folder, CheckpointMeta(classes=("crack",), threshold=0.5, steps=7))
    return folder, segmenter


def test_another_window_and_other_classes_take_adapters_and_what_fits_of_the_head(tuned, capsys):
    folder, old = tuned
    new = build_segmenter(replace(TINY, window=(96, 64), head=HeadConfig(width=8, num_classes=3)))
    fresh = {name: tensor.clone() for name, tensor in new.head.state_dict().items()}
    start_from(folder, new, Console())
    for name, parameter in old.adapted.parameters().items():
        assert torch.equal(parameter, new.adapted.parameters()[name])
    theirs, taken = old.head.state_dict(), 0
    for name, tensor in new.head.state_dict().items():
        fits = tensor.shape == theirs[name].shape
        assert torch.equal(tensor, theirs[name] if fits else fresh[name]), name
        taken += fits
    assert 0 < taken < len(fresh)
    assert f"{taken} of {len(fresh)} head tensors" in capsys.readouterr().out


def test_the_same_model_comes_back_whole(tuned):
    folder, old = tuned
    new = build_segmenter(TINY)
    start_from(folder, new, QUIET)
    pixels = torch.rand(1, 3, 64, 64) * 255
    with torch.inference_mode():
        assert torch.equal(new.eval()(pixels), old.eval()(pixels))


def test_other_adapters_are_refused_by_name(tuned):
    folder, _ = tuned
    other = replace(TINY, adapter=replace(TINY.adapter, rank=4))
    with pytest.raises(UsageError, match=r"adapter\.rank 8, not adapter\.rank 4"):
        start_from(folder, build_segmenter(other), QUIET)
