"""MATLAB files through the child process: values, crashes, hangs and the cache."""

import os
import signal
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from sam_crack.data.formats import mat
from sam_crack.errors import BadInput


def write(path: Path, **content: object) -> Path:
    scipy.io.savemat(path, content)
    return path


def worker_id() -> int:
    process = mat._CHILD._process
    assert process is not None
    return process.pid


def test_arrays_and_struct_fields(tmp_path: Path):
    truth = np.arange(6, dtype=np.uint16).reshape(2, 3)
    path = write(tmp_path / "a.mat", S=truth, g={"Segmentation": truth * 2}, words="text")
    arrays = mat.read_mat(path)
    assert set(arrays) == {"S", "g.Segmentation"}
    np.testing.assert_array_equal(arrays["g.Segmentation"], truth * 2)


def test_the_second_read_needs_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "a.mat", S=np.eye(3))
    first = mat.read_mat(path)
    monkeypatch.setattr(mat._CHILD, "convert", None)
    np.testing.assert_array_equal(mat.read_mat(path)["S"], first["S"])


def test_a_changed_file_is_read_again(tmp_path: Path):
    path = write(tmp_path / "a.mat", S=np.eye(3))
    mat.read_mat(path)
    write(path, S=np.ones((4, 4)))
    assert mat.read_mat(path)["S"].shape == (4, 4)


def test_a_damaged_cache_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SAM_CRACK_HOME", str(tmp_path / "cache"))
    path = write(tmp_path / "a.mat", S=np.eye(3))
    mat.read_mat(path)
    [cached] = (tmp_path / "cache" / "mat").iterdir()
    cached.write_bytes(cached.read_bytes()[:40])
    assert mat.read_mat(path)["S"].sum() == 3


def test_a_missing_matrix_says_what_there_is(tmp_path: Path):
    with pytest.raises(BadInput, match=r"no matrix inst_map; it holds S \[3, 3\]"):
        mat.mat_array(write(tmp_path / "a.mat", S=np.eye(3)), "inst_map")


def test_damage_is_an_error_and_the_next_file_reads(tmp_path: Path):
    whole = write(tmp_path / "a.mat", S=np.eye(3))
    for size in (0, 100, 200):
        (tmp_path / "b.mat").write_bytes(whole.read_bytes()[:size])
        with pytest.raises(BadInput, match="undamaged MATLAB file"):
            mat.read_mat(tmp_path / "b.mat")
    assert mat.read_mat(whole)["S"].sum() == 3


def test_a_child_that_dies_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mat.read_mat(write(tmp_path / "a.mat", S=np.eye(3)))
    former = worker_id()
    os.kill(former, signal.SIGSTOP)

    def dying(size: int, until: float) -> bytes:
        os.kill(former, signal.SIGKILL)
        return type(mat._CHILD)._take(mat._CHILD, size, until)

    with monkeypatch.context() as patch:
        patch.setattr(mat._CHILD, "_take", dying)
        with pytest.raises(BadInput, match="the child process died"):
            mat.read_mat(write(tmp_path / "b.mat", S=np.eye(4)))
    assert mat.read_mat(tmp_path / "b.mat")["S"].sum() == 4
    assert worker_id() != former


def test_a_child_that_hangs_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mat.read_mat(write(tmp_path / "a.mat", S=np.eye(3)))
    former = worker_id()
    os.kill(former, signal.SIGSTOP)
    monkeypatch.setattr(mat, "_READ_S", 0.2)
    with pytest.raises(BadInput, match="no answer in time"):
        mat.read_mat(write(tmp_path / "b.mat", S=np.eye(4)))
    monkeypatch.undo()
    assert mat.read_mat(tmp_path / "b.mat")["S"].sum() == 4


@pytest.mark.parametrize(
    ("side", "sent_mb"), [(40_000, 1), pytest.param(30_000, 900, marks=pytest.mark.slow)]
)
def test_a_flood_meets_the_memory_limit_of_the_child(side: int, sent_mb: int, tmp_path: Path):
    """Gigabytes of zeros in a file of kilobytes, claimed or really there."""
    head = struct.pack("<IIII", 6, 8, 9, 0) + struct.pack("<IIii", 5, 8, side, side)
    head += struct.pack("<HH4s", 1, 1, b"S\0\0\0") + struct.pack("<II", 2, side * side)
    packer = zlib.compressobj(1)
    packed = packer.compress(struct.pack("<II", 14, len(head) + side * side) + head)
    packed += b"".join(packer.compress(bytes(1 << 20)) for _ in range(sent_mb)) + packer.flush()
    path = tmp_path / "a.mat"
    start = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)
    path.write_bytes(start + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(BadInput, match="MemoryError"):
        mat.read_mat(path)
