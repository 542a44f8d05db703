"""Several sets learnt from as one: every frame once an epoch, each at the scale of its set."""

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from sam_crack.config.schema import DataConfig
from sam_crack.data.crops import CropDrawer
from sam_crack.data.mixture import Mixture
from sam_crack.data.opening import open_splits
from sam_crack.errors import BadInput, UsageError
from tests.data.small_set import write_set
from tests.studies.tiny_road import split_road, write_road


@pytest.fixture(scope="module")
def roads(tmp_path_factory):
    near = write_road(tmp_path_factory.mktemp("near"), frames=6, split="train")
    split_road(near, train=4, val=2)
    return near


def mixed(roads, further, **settings):
    data = DataConfig(
        name="dnit", root=roads, classes=("crack=255",), also={"folder": further}, **settings
    )
    return data, *open_splits(data, seed=0)


def test_every_frame_of_every_set_comes_once_an_epoch(roads, tmp_path):
    further = write_set(tmp_path, 6)
    data, train, val = mixed(roads, further, crop=(32, 32))
    assert isinstance(train, Mixture)
    assert [len(part.samples) for part in train.parts] == [4, 3]
    ids = [record.id for record in train.records]
    assert len(set(ids)) == len(train) == 7
    assert [train[place].id for place in range(7)] == ids == [one.id for one in train[:]]
    assert ids[4] == "folder/f000"
    assert len(val) == 2
    drawer = CropDrawer(train, (32, 32), config=data, seed=0)
    seen = Counter(drawer.draw(number).sample_id for number in range(21))
    assert seen == dict.fromkeys(seen, 3)
    assert len(seen) == 7
    with pytest.raises(IndexError):
        train.locate(7)


def test_frames_of_a_set_are_brought_to_the_scale_of_the_first(roads, tmp_path):
    further = write_set(tmp_path, 6)
    data, train, _ = mixed(roads, further, also_scale={"folder": 0.5}, weather=0, bend_share=0)
    same, plain, _ = mixed(roads, further, weather=0, bend_share=0)
    drawer = CropDrawer(train, (32, 32), config=data, seed=0)
    native = CropDrawer(plain, (32, 32), config=same, seed=0)
    for number in range(14):
        halved, whole = drawer.draw(number), native.draw(number)
        of_first = not halved.sample_id.startswith("f")
        assert np.array_equal(halved.pixels, whole.pixels) == of_first
    share = {
        factor: np.mean([one.draw(n).target.mean() for n in range(70) if in_second(one.draw(n))])
        for factor, one in ((0.5, drawer), (1.0, native))
    }
    # Twice the ground in each direction, with a line as long as the crop and half as wide.
    assert 0.3 < share[0.5] / share[1.0] < 0.9


def in_second(crop):
    return crop.sample_id.startswith("f")


def test_sets_that_do_not_go_together_are_refused(roads, tmp_path):
    further = write_set(tmp_path, 6)
    with pytest.raises(UsageError, match=r"also_scale names uav.*folder"):
        mixed(roads, further, also_scale={"uav": 0.5})
    for factor in (0.0, -1.0, float("nan"), 30.0):
        with pytest.raises(UsageError, match="also_scale folder"):
            mixed(roads, further, also_scale={"folder": factor})
    with pytest.raises(UsageError, match=r"data\.scale times data\.also_scale folder"):
        mixed(roads, further, also_scale={"folder": 0.1}, scale=(0.25, 1))
    data, *_ = mixed(roads, further)
    with pytest.raises(UsageError, match="twice"):
        open_splits(replace(data, also={"dnit": data.root}), seed=0)
    copy = tmp_path / "copy"
    shutil.copytree(data.root, copy)
    with pytest.raises(BadInput, match="2 samples are validated on"):
        open_splits(replace(data, also={"dnit": copy}, hold_out=1), seed=0)
    with pytest.raises(BadInput, match="no such folder"):
        open_splits(replace(data, also={"uav": tmp_path / "nowhere"}), seed=0)
