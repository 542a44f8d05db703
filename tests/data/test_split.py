"""Splits come near their shares, never leak, and are the same everywhere."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sam_crack.config.data_verbs import DataSplitOptions
from sam_crack.console import Console
from sam_crack.data.dataset import open_dataset
from sam_crack.data.split import deal_out, read_split, run_data_split
from sam_crack.errors import BadInput, UsageError
from tests.data.small_set import write_set

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
sizes = st.lists(st.integers(1, 40), min_size=3, max_size=60)


def groups_of(sizes: list[int]) -> dict[str, list[str]]:
    return {f"g{n}": [f"g{n}_{i}" for i in range(size)] for n, size in enumerate(sizes)}


def split(root: Path, out: Path, name: str = "uav", **options: object) -> dict:
    given = {"name": name, "root": root, "out": out, "workers": 0} | options
    return run_data_split(DataSplitOptions(**given), Console(quiet=True))


@settings(max_examples=80, deadline=None)
@given(sizes=sizes, seed=st.integers(0, 50))
def test_groups_stay_whole_and_every_frame_is_dealt_once(sizes: list[int], seed: int):
    groups = groups_of(sizes)
    dealt = deal_out(groups, SHARES, seed=seed)
    assert Counter(name for ids in dealt.values() for name in ids) == Counter(
        name for ids in groups.values() for name in ids
    )
    for ids in groups.values():
        assert sum(bool(set(ids) & set(split)) for split in dealt.values()) == 1
    assert all(dealt.values())


@settings(max_examples=40, deadline=None)
@given(sizes=sizes, seed=st.integers(0, 50), shuffle=st.randoms())
def test_the_order_of_files_does_not_matter(sizes: list[int], seed: int, shuffle):
    groups = groups_of(sizes)
    items = list(groups.items())
    shuffle.shuffle(items)
    assert deal_out(groups, SHARES, seed=seed) == deal_out(dict(items), SHARES, seed=seed)


@settings(max_examples=40, deadline=None)
@given(number=st.integers(30, 300), seed=st.integers(0, 50))
def test_single_frames_meet_the_shares_to_one_frame(number: int, seed: int):
    dealt = deal_out(groups_of([1] * number), SHARES, seed=seed)
    for name, share in SHARES.items():
        assert abs(len(dealt[name]) - share * number) <= 1


def test_large_groups_come_near_the_shares():
    dealt = deal_out(groups_of([50, 40, 40, 30, 20, 20, 10, 10, 5, 5, 3, 2]), SHARES, seed=3)
    for name, share in SHARES.items():
        assert abs(len(dealt[name]) / 235 - share) < 0.1


def test_seeds_differ():
    groups = groups_of([1] * 50)
    assert deal_out(groups, SHARES, seed=0) != deal_out(groups, SHARES, seed=1)


def test_fewer_groups_than_splits_is_refused():
    with pytest.raises(BadInput, match="2 groups for 3 splits"):
        deal_out(groups_of([5, 5]), SHARES, seed=0)


def test_lists_are_read_back_as_splits(tmp_path: Path):
    root, out = write_set(tmp_path / "set", 10), tmp_path / "split"
    for name in ("train", "val"):
        (root / f"{name}.txt").unlink()
    result = split(root, out)
    assert result["frames"] == {"train": 7, "val": 1, "test": 2}
    for name, ids in read_split(out).items():
        found = open_dataset("uav", root, split=name, lists=out)
        assert [record.id for record in found.records] == ids
    assert split(root, out)["sha256"] == result["sha256"]


def test_a_changed_list_is_noticed(tmp_path: Path):
    split(write_set(tmp_path / "set", 10), tmp_path / "split")
    lists = tmp_path / "split"
    (lists / "val.txt").write_text((lists / "test.txt").read_text().splitlines()[0] + "\n")
    with pytest.raises(BadInput, match="the lists are not those"):
        read_split(lists)


def test_copies_of_one_picture_stay_together(tmp_path: Path):
    root = write_set(tmp_path / "set", 12)
    for number in range(1, 6):  # six copies of one scene under other names
        with Image.open(root / "images" / "f000.png") as image:
            image.save(root / "images" / f"f00{number}.jpg", quality=95 - 8 * number)
        (root / "images" / f"f00{number}.png").unlink()
    kept = {f"f00{number}" for number in range(6)}
    for seed in range(4):
        split(root, tmp_path / f"s{seed}", seed=seed, train=0.5, val=0.25, test=0.25)
        holders = [ids for ids in read_split(tmp_path / f"s{seed}").values() if kept & set(ids)]
        assert len(holders) == 1


def test_another_split_is_not_replaced_unasked(tmp_path: Path):
    root, out = write_set(tmp_path / "set", 10), tmp_path / "split"
    first = split(root, out)
    with pytest.raises(UsageError, match="holds another split"):
        split(root, out, seed=1)
    assert split(root, out, seed=1, overwrite=True)["sha256"] != first["sha256"]
    with pytest.raises(UsageError, match="holds another split"):
        split(root, root)  # the lists of the set itself


def published(root: Path, *parts: str) -> Path:
    for number, part in enumerate(parts):
        write_set(root / part, 6, first=6 * number)
    return root


def test_a_published_split_is_not_dealt_anew(tmp_path: Path):
    root = published(tmp_path / "set", "train", "val", "test")
    with pytest.raises(UsageError, match="comes split into test, train, val"):
        split(root, tmp_path / "out", "folder")


def test_a_published_test_split_stays_and_val_comes_out_of_train(tmp_path: Path):
    root, out = published(tmp_path / "set", "train", "test"), tmp_path / "out"
    whole = open_dataset("folder", root)
    test = [record.id for record in whole.records if record.split == "test"]
    found = split(root, out, "folder", train=0.5, val=0.25, test=0.25)
    assert found["frames"] == {"train": 4, "val": 2, "test": 6}
    dealt = read_split(out)
    assert dealt["test"] == test
    for name, ids in dealt.items():
        opened = open_dataset("folder", root, split=name, lists=out)
        assert [record.id for record in opened.records] == ids


def test_lists_of_others_do_not_change_a_published_split(tmp_path: Path):
    root = published(tmp_path / "set", "train", "test")
    before = [record.split for record in open_dataset("folder", root).records]
    (root / "val.txt").write_text("f000\n")
    assert [record.split for record in open_dataset("folder", root).records] == before


def test_shares_must_add_up(tmp_path: Path):
    with pytest.raises(UsageError, match="add up to 1"):
        split(write_set(tmp_path / "set", 4), tmp_path / "out", train=0.9)


@pytest.mark.realdata
def test_dnit_is_split_by_road_section(data_root: Path, tmp_path: Path):
    split(data_root / "dnit", tmp_path, "dnit", pictures=False)
    where = {name: part for part, ids in read_split(tmp_path).items() for name in ids}
    parts = {}
    for record in open_dataset("dnit", data_root / "dnit").records:
        parts.setdefault(record.group, set()).add(where[record.id])
    assert len(parts) > 3
    assert all(len(each) == 1 for each in parts.values())
