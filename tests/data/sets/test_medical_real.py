"""Tissue and X-rays on the real files, against counts made another way."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from sam_crack.data.dataset import open_dataset

pytestmark = pytest.mark.realdata

CONSEP = ("epithelial", "inflammatory", "spindle", "miscellaneous")


def test_kumar_has_as_many_nuclei_as_the_xml_has_regions(data_root: Path):
    found = open_dataset("kumar", data_root / "kumar")
    assert len(open_dataset("kumar", data_root / "kumar", split="train")) == 6
    assert len(open_dataset("kumar", data_root / "kumar", split="test")) == 4
    for index, record in enumerate(found.records):
        regions = len(re.findall(r"<Region\s", record.masks["mask"].read_text()))
        annotation = found.read_mask(index)
        assert len(annotation.types) == regions
        assert len(np.unique(annotation.instances)) - 1 == regions


def test_kumar_outlines_lie_where_opencv_draws_them(data_root: Path):
    found = open_dataset("kumar", data_root / "kumar", split="train")
    mask = found.read_mask(0).mask
    drawn = np.zeros_like(mask)
    for region in ET.parse(found.records[0].masks["mask"]).iter("Region"):
        points = [(float(v.get("X")), float(v.get("Y"))) for v in region.iter("Vertex")]
        cv2.fillPoly(drawn, [np.rint(np.array(points)).astype(np.int32)], 1)
    # OpenCV paints the outline itself too, so ours lies inside with a rim of about one pixel.
    assert (mask & ~drawn & 1).sum() < 0.002 * mask.sum()
    rim = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    assert (drawn & ~rim & 1).sum() < 0.002 * mask.sum()


def test_consep_instances_and_merged_types(data_root: Path):
    found = open_dataset("consep", data_root / "consep")
    assert len(found) == 60
    stored_as = {"miscellaneous": 1, "inflammatory": 2, "epithelial": 3, "spindle": 4}
    for index, record in list(enumerate(found.records))[::6]:
        truth = scipy.io.loadmat(record.masks["mask"])
        annotation = found.read_mask(index)
        np.testing.assert_array_equal(annotation.instances, truth["inst_map"])
        for name in CONSEP:
            stored = stored_as[name]
            pixels = np.count_nonzero(truth["type_map"] == stored)
            assert np.count_nonzero(annotation.mask == CONSEP.index(name) + 1) == pixels
            rows = np.count_nonzero(truth["inst_type"] == stored)
            assert list(annotation.types.values()).count(CONSEP.index(name) + 1) == rows


def test_consep_says_that_its_types_are_merged_already(data_root: Path):
    notes = open_dataset("consep", data_root / "consep").spec.notes
    assert any("taken as merged" in note for note in notes)


def test_consep_patches_of_one_tile_share_a_group(data_root: Path):
    found = open_dataset("consep", data_root / "consep")
    groups = {record.group for record in found.records}
    assert groups == {re.sub(r"_\d{3}$", "", record.id) for record in found.records}


def test_hovernet_types_row_by_row(data_root: Path):
    found = open_dataset("hovernet", data_root / "hovernet_mat")
    assert len(found) == 3
    for index, record in enumerate(found.records):
        truth = scipy.io.loadmat(record.masks["mask"])
        annotation = found.read_mask(index)
        numbers = np.unique(truth["inst_map"])[1:]
        rows = dict(zip(numbers.tolist(), truth["inst_type"].ravel().tolist(), strict=True))
        assert annotation.types == {number: kind for number, kind in rows.items() if kind}


def test_crass12_lists_and_pixels(data_root: Path):
    root = data_root / "crass12_layout"
    assert len(open_dataset("crass12", root, split="train")) == 46
    found = open_dataset("crass12", root, split="val")
    assert len(found) == 20
    for sample in found[::7]:
        stored = cv2.imread(str(root / "mask" / f"{sample.id}.PNG"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(sample.mask, stored // 255)
        assert sample.image.shape == (1024, 1024, 3)
