"""What is learnt from and what is validated on: nested draws, whole groups, nothing shared."""

import itertools
from dataclasses import replace

import pytest

from sam_crack.config.schema import DataConfig
from sam_crack.data.opening import draw, hold_out, open_splits
from sam_crack.data.store import Store
from sam_crack.errors import BadInput, UsageError
from tests.studies.tiny_road import split_road, write_road


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    root = write_road(tmp_path_factory.mktemp("road"), frames=8)
    split_road(root, train=6, test=2)
    return DataConfig(name="dnit", root=root, classes=("crack",), hold_out=1)


def ids(samples):
    return [record.id for record in samples.records]


def test_a_group_is_held_out_whole_and_the_rest_is_learnt_from(road):
    train, val = open_splits(road, seed=3)
    assert (len(train), len(val)) == (4, 2)
    assert len({record.group for record in val.records}) == 1
    assert not set(ids(train)) & set(ids(val))
    assert len(open_splits(replace(road, hold_out=3), seed=3)[1]) == 4


def test_draws_are_nested_and_follow_the_seed(road):
    train, val = open_splits(road, seed=3)
    drawn = [ids(draw(train, number, seed=3)) for number in (1, 2, 3, 4, 9)]
    assert [len(one) for one in drawn] == [1, 2, 3, 4, 4]
    assert all(set(few) <= set(more) for few, more in itertools.pairwise(drawn))
    assert len({tuple(ids(draw(train, 2, seed=seed))) for seed in range(20)}) > 1
    few, same = open_splits(replace(road, limit=2), seed=3)
    assert (ids(few), ids(same)) == (drawn[1], ids(val))


def test_without_the_settings_splits_are_as_published(road):
    split_road(road.root, train=4, val=2, test=2)
    train, val = open_splits(replace(road, hold_out=None), seed=0)
    assert (len(train), len(val)) == (4, 2)
    split_road(road.root, train=6, test=2)
    (road.root / "val.txt").unlink()


def test_what_leaves_nothing_or_is_shared_is_refused(road):
    with pytest.raises(BadInput, match="6 of 6 frames in 3 groups"):
        open_splits(replace(road, hold_out=6), seed=0)
    with pytest.raises(BadInput, match="both train and train"):
        open_splits(replace(road, hold_out=None, val="train"), seed=0)
    with pytest.raises(UsageError, match=r"data\.root"):
        open_splits(DataConfig(), seed=0)
    with pytest.raises(BadInput, match="hold_out"):
        hold_out(open_splits(road, seed=0)[1], 1, seed=0)


def test_a_store_is_parted_and_drawn_from_like_a_data_set(tmp_path):
    facts = [
        {"id": f"f{n}", "file": f"{n}.bin", "split": "train", "group": f"g{n // 2}"}
        for n in range(8)
    ]
    store = Store(root=tmp_path, name="dnit", classes=(), entries=tuple(facts))
    rest, held = hold_out(store, 3, seed=1)
    assert (len(rest), len(held)) == (4, 4)
    assert not {one.group for one in rest.records} & {one.group for one in held.records}
    assert set(ids(draw(rest, 1, seed=1))) < set(ids(draw(rest, 3, seed=1))) < set(ids(rest))
