import io
import sys
from pathlib import Path

import pytest

from sam_crack.errors import BadInput
from sam_crack.infer.frames import open_frames
from sam_crack.infer.paths import find_files


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def write_list(path, *lines, end="\n"):
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def named(*paths, exclude=None):
    return [(found.name, bool(found.reason)) for found in find_files(paths, exclude=exclude)]


def test_a_list_names_files_relative_to_itself(tmp_path):
    touch(tmp_path, "d/a/1.jpg", "d/b/1.jpg", "d/a/2.png", "d/e/3.png", "x.jpg")
    path = write_list(
        tmp_path / "d/list.txt",
        "# a comment",
        "a/1.jpg",
        "  b/1.jpg  ",
        "",
        "gone.jpg",
        str(tmp_path / "x.jpg"),
        "e",
        "a/*.png",
    )
    assert named(path) == [
        ("a/1.jpg", False),
        ("b/1.jpg", False),
        (str(tmp_path / "d/gone.jpg"), True),
        ("x.jpg", False),
        ("3.png", False),
        ("2.png", False),
    ]


def test_missing_lines_are_listed_and_the_others_read(tmp_path):
    touch(tmp_path, "1.jpg")
    stream = open_frames([write_list(tmp_path / "l.txt", "2.jpg", "1.jpg", "no/such", end="\r\n")])
    assert [source.name for source in stream.sources] == ["1"]
    assert [error.reason for error in stream.errors] == [
        f"{tmp_path / '2.jpg'}: no such file",
        f"{tmp_path / 'no/such'}: no such file",
    ]


def test_stdin_is_a_list_relative_to_here(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "2.jpg")
    monkeypatch.chdir(tmp_path)
    text = "\ufeffa/1.jpg\n2.jpg\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    stream = open_frames([Path("-")])
    assert [source.file for source in stream.sources] == ["a/1.jpg", "2.jpg"]
    assert stream.listed == ("a/1.jpg", "2.jpg")


def test_quotes_around_a_line_of_a_list_are_no_part_of_it(tmp_path):
    touch(tmp_path, "nam/con.jpg", "a b/ .jpg", "x'.jpg")
    path = write_list(tmp_path / "l.txt", '"nam/con.jpg"', " 'a b/ .jpg' ", "x'.jpg")
    assert named(path) == [("nam/con.jpg", False), ("a b/ .jpg", False), ("x'.jpg", False)]


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"\xff\xfe1\x00", b"", b"#\n", b"l.txt\n"])
def test_what_is_no_list_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "l.txt").write_bytes(content)
    with pytest.raises(BadInput, match="list"):
        open_frames([tmp_path / "l.txt"])


def test_a_text_beside_frames_in_a_folder_is_no_list(tmp_path):
    touch(tmp_path, "1.jpg", "notes.txt")
    assert named(tmp_path) == [("1.jpg", False)]


def test_a_file_given_twice_comes_once_and_outputs_never(tmp_path):
    touch(tmp_path, "1.jpg", "out/masks/1.png")
    path = write_list(tmp_path / "l.txt", "1.jpg", "./1.jpg", "out/masks/1.png")
    assert named(path, tmp_path, exclude=tmp_path / "out") == [("1.jpg", False)]


def test_lists_of_anything_never_break(tmp_path):
    import random

    rng = random.Random(3)
    touch(tmp_path, "1.jpg")
    for _ in range(60):
        words = bytes(
            rng.choice(b"/.*[]~#-\n\r 1jpg\xc3\xa4\x7f") for _ in range(rng.randrange(60))
        )
        (tmp_path / "l.txt").write_bytes(b"1.jpg\n" + words)
        assert all(
            found.reason or found.path.is_file() for found in find_files([tmp_path / "l.txt"])
        )


def test_what_an_earlier_run_wrote_is_no_input_unless_it_is_named(tmp_path):
    touch(tmp_path, "1.jpg", "out/run.json", "out/frames.jsonl", "out/masks/1.png", "a/run.json")
    touch(tmp_path, "a/2.jpg")
    assert named(tmp_path) == [("1.jpg", False), ("a/2.jpg", False)]
    assert named(tmp_path / "out") == [("masks/1.png", False)]


def test_frames_inside_the_folder_to_write_to_are_told_of(tmp_path):
    touch(tmp_path, "in/1.jpg", "2.jpg")
    with pytest.raises(BadInput, match=r"the frames lie inside --out .*choose another --out"):
        open_frames([tmp_path / "in", tmp_path / "gone.jpg"], exclude=tmp_path / "in")
    assert named(tmp_path, exclude=tmp_path / "in") == [("2.jpg", False)]


def test_links_to_what_is_gone_are_listed(tmp_path):
    touch(tmp_path, "1.jpg")
    (tmp_path / "2.jpg").symlink_to("gone.jpg")
    (tmp_path / "3.jpg").symlink_to("3.jpg")
    (tmp_path / "notes.md").symlink_to("gone.md")
    stream = open_frames([tmp_path])
    assert [source.name for source in stream.sources] == ["1"]
    assert [error.reason for error in stream.errors] == [
        f"{tmp_path}/{name}.jpg: a link to a file that is gone" for name in "23"
    ]
