"""Mapped arrays, and headers that lie."""

from pathlib import Path

import numpy as np
import pytest

from sam_crack.data.formats.npy import open_npy
from sam_crack.errors import BadInput


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_mapped_not_loaded(order: str, tmp_path: Path):
    truth = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=order)
    np.save(tmp_path / "a.npy", truth)
    found = open_npy(tmp_path / "a.npy")
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, truth)


def test_objects_are_refused_before_any_unpickling(tmp_path: Path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    np.save(tmp_path / "a.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match="elements of type object"):
        open_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", ["(9999999999, 9999999999)", "(2, 4)", "(2, -3)", "(2, 0)", "2"])
def test_a_header_that_lies_about_the_shape(shape: str, tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    raw = (tmp_path / "a.npy").read_bytes()
    head = raw[10:128].decode()
    lie = head.replace("(2, 3)", shape).rstrip().ljust(117) + "\n"
    (tmp_path / "b.npy").write_bytes(raw[:10] + lie[-118:].encode() + raw[128:])
    with pytest.raises(BadInput):
        open_npy(tmp_path / "b.npy")


def test_truncation_is_noticed(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-1])
    with pytest.raises(BadInput, match="needs 176 bytes, the file has 175"):
        open_npy(tmp_path / "a.npy")


def test_text_only_where_text_is_expected(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.array(["Breast"]))
    with pytest.raises(BadInput, match="elements of type <U6"):
        open_npy(tmp_path / "a.npy")
    assert open_npy(tmp_path / "a.npy", kinds="U")[0] == "Breast"
