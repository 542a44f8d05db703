"""Files and folders are whole or not there, also when the disk fills up on the way."""

import errno
import hashlib
import os

import pytest

from sam_crack import durable


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "deep" / "note.txt"
    durable.write_text(path, "first")
    durable.write_text(path, "zweite Fassung: ä")
    assert path.read_bytes() == "zweite Fassung: ä".encode()
    assert names_in(path.parent) == ["note.txt"]


def test_a_full_disk_keeps_the_old_file_and_names_it(tmp_path, monkeypatch):
    path = tmp_path / "note.txt"
    durable.write_text(path, "old")

    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        durable.write_text(path, "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["note.txt"]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path):
    final = tmp_path / "model"
    for text in ("one", "two"):
        with durable.new_folder(final) as aside:
            (aside / text).write_text(text)
            assert not (final / text).exists()
    assert names_in(final) == ["two"]
    assert names_in(tmp_path) == ["model"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_folder(tmp_path, error):
    final = tmp_path / "model"
    with durable.new_folder(final) as aside:
        (aside / "a").write_text("a")

    def fail():
        with durable.new_folder(final) as aside:
            (aside / "b").write_text("b")
            raise error

    with pytest.raises(error):
        fail()
    assert names_in(final) == ["a"]
    assert names_in(tmp_path) == ["model"]


def test_what_a_kill_left_is_cleared(tmp_path):
    mine = ("step-1.old-2", "notes.tmp-3")  # a person's own folders are called otherwise
    left = (".step-1.old-7", ".step-2.tmp-7", ".kept.old-7", ".kept.tmp-7")
    for name in ("step-1", *left, "step-3", *mine):
        (tmp_path / name).mkdir()
        (tmp_path / name / "from").write_text(name)
    durable.clear_leftovers(tmp_path)
    found = {path.name: (path / "from").read_text() for path in tmp_path.iterdir()}
    # Between its two renames `kept` was gone: the one of before is whole.
    whole = {"step-1": "step-1", "step-3": "step-3", "kept": ".kept.old-7"}
    assert found == whole | dict(zip(mine, mine, strict=True))


def test_a_hash_is_that_of_the_bytes(tmp_path):
    content = os.urandom(3_000_000)
    durable.write_bytes(tmp_path / "f", content)
    assert durable.sha256(tmp_path / "f") == hashlib.sha256(content).hexdigest()
