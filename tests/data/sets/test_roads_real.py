"""On-board and drone road sets, on the real files, against counts made another way."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from PIL import Image

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


def test_paveseg_greys_become_the_named_classes(data_root: Path):
    found = open_dataset("paveseg", data_root / "paveseg")
    assert len(found) == 32
    greys = dict(
        zip(
            ("crack", "pothole", "sealed_crack", "patch", "alligator", "cover", "joint"),
            (30, 60, 90, 120, 150, 180, 210),
            strict=True,
        )
    )
    for index, record in list(enumerate(found.records))[::4]:
        stored = np.asarray(Image.open(record.masks["mask"]))[..., 1]
        mask = found.read_mask(index).mask
        for number, each in enumerate(found.classes, 1):
            assert (mask == number).sum() == (stored == greys[each.name]).sum()


def test_cfd_cracks_are_what_is_not_background(data_root: Path):
    found = open_dataset("cfd", data_root / "cfd")
    assert len(found) == 10
    for sample in found:
        path = data_root / "cfd" / "groundTruth" / f"{sample.id}.mat"
        truth = scipy.io.loadmat(path, simplify_cells=True)["groundTruth"]["Segmentation"]
        np.testing.assert_array_equal(sample.mask, truth != 1)
        assert sample.image.shape == (320, 480, 3)


def test_an_unknown_folder_is_read_like_the_set_it_is(data_root: Path):
    known = open_dataset("paveseg", data_root / "paveseg")
    guessed = open_dataset("folder", data_root / "paveseg")
    assert guessed.spec.notes[1] == "encoding: grey levels 0, 30, 60, 90, 120, 150, 180"
    np.testing.assert_array_equal(known[0].mask > 0, guessed[0].mask > 0)
