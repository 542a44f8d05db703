"""Instance maps and their types, where files say them in other ways or not at all."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from sam_crack.data.sets import nuclei
from sam_crack.data.sets.parents import parent_photo
from sam_crack.data.sets.spec import Record
from sam_crack.errors import BadInput

INSTANCES = np.array([[0, 4, 4], [9, 9, 0]], float)


def record(tmp_path: Path, **content: object) -> Record:
    scipy.io.savemat(tmp_path / "a.mat", content)
    return Record(id="a", image=tmp_path / "a.png", masks={"mask": tmp_path / "a.mat"})


def read(tmp_path: Path, **content: object):
    return nuclei.read_instance_mat(record(tmp_path, **content), merged=nuclei.PANNUKE_TYPES)


def test_rows_of_inst_type_follow_the_numbers_in_order(tmp_path: Path):
    found = read(tmp_path, inst_map=INSTANCES, inst_type=np.array([[2], [5]]))
    assert found.types == {4: 2, 9: 5}
    assert found.mask.tolist() == [[0, 2, 2], [5, 5, 0]]


def test_the_commonest_pixel_decides_over_stray_ones(tmp_path: Path):
    kinds = np.array([[3, 1, 1], [2, 2, 2]], float)
    assert read(tmp_path, inst_map=INSTANCES, type_map=kinds).types == {4: 1, 9: 2}


def test_nuclei_without_a_type_are_ignored(tmp_path: Path):
    found = read(tmp_path, inst_map=INSTANCES, inst_type=np.array([[0], [5]]))
    assert found.types == {9: 5}
    assert found.ignore.tolist() == [[False, True, True], [False, False, False]]


@pytest.mark.parametrize(
    "content",
    [
        {"inst_map": INSTANCES},
        {"inst_map": INSTANCES, "inst_type": np.array([[1]])},
        {"inst_map": INSTANCES, "inst_type": np.array([[1], [77]])},
        {"inst_map": INSTANCES + 0.5, "inst_type": np.array([[1], [2]])},
        {"inst_map": -INSTANCES, "inst_type": np.array([[1], [2]])},
        {"other": INSTANCES},
    ],
)
def test_maps_without_sense_are_refused(content: dict, tmp_path: Path):
    with pytest.raises(BadInput):
        read(tmp_path, **content)


@pytest.mark.parametrize(
    ("crop", "parent"),
    [
        ("CRACK500_20160222_081011_1281_721", "crack500_20160222_081011"),
        ("GAPS384_train_0016_1_541", "gaps384_train_0016"),
        ("Rissbilder_for_Florian_9S6A2805_1189_86_2846_3142", "rissbilder_for_florian_9s6a2805"),
        ("Khanh11k_Volker_DSC01621_100_1023_1113_1416", "volker_dsc01621"),
        ("DeepCrack_11111-2", "deepcrack_11111"),
        ("CFD_003", "cfd_003"),
        ("forest_012", "forest_012"),
    ],
)
def test_crops_lead_to_their_photo(crop: str, parent: str):
    assert parent_photo(crop) == parent
