"""On-board and drone road sets, on the real files, against counts made another way."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam_crack.data.dataset import open_dataset

pytestmark = pytest.mark.realdata


def test_dnit_splits_hold_the_listed_frames(data_root: Path):
    for split, expected in (("train", 310), ("val", 70), ("test", 140)):
        listed = (data_root / "dnit" / f"{split}.txt").read_text().split()
        found = open_dataset("dnit", data_root / "dnit", split=split)
        assert [record.id for record in found.records] == sorted(listed)
        assert len(found) == expected


def test_dnit_pixels_equal_another_reader(data_root: Path):
    found = open_dataset("dnit", data_root / "dnit")[::97]
    for record, sample in zip(found.records, found, strict=True):
        crack, pothole, lane = (
            cv2.imread(str(record.masks[role]), cv2.IMREAD_GRAYSCALE) > 127
            for role in ("crack", "pothole", "lane")
        )
        np.testing.assert_array_equal(sample.mask == 1, crack)
        np.testing.assert_array_equal(sample.mask == 2, pothole & ~crack)
        np.testing.assert_array_equal(sample.region, lane)


def test_dnit_groups_are_sections_of_one_split_each(data_root: Path):
    found = open_dataset("dnit", data_root / "dnit")
    splits_of = {}
    for record in found.records:
        assert re.fullmatch(r"(RS|DF)_\d{3}_\w+", record.group)
        splits_of.setdefault(record.group, set()).add(record.split)
    assert len(splits_of) == 9
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_uav_counts_and_alpha(data_root: Path):
    found = open_dataset("uav", data_root / "uav")
    assert len(found) == 120
    [odd] = [index for index, record in enumerate(found.records) if record.id == "DJI0690"]
    assert int(found[odd].mask.sum()) == 1456  # counted with numpy on the file's red channel
