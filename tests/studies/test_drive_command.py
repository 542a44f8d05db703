"""The command on the page of a drive leads to the same frames."""

import html
import io
import shlex
import sys
from pathlib import Path

import pytest

from sam_crack.config.look_verbs import PredictOptions
from sam_crack.infer.frames import open_frames
from sam_crack.studies.drive.command import repeat_run
from tests.studies.test_drive import dark_model, frames, predict

__all__ = ["dark_model", "frames", "predict"]  # fixtures


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def asked(stream):
    return {(source.real, source.name) for source in stream.sources}


def give_stdin(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def again(command, monkeypatch):
    """Find the frames of a command line as a shell would have it read."""
    words = shlex.split(command[0].removesuffix("\\"))
    if "<" in words:
        give_stdin(monkeypatch, Path(words[words.index("<") + 1]).read_bytes())
        words = words[: words.index("<")]
    assert words[:3] == ["sam-crack", "predict", "model"]
    return open_frames(map(Path, words[3:]))


def options_for(*paths):
    return PredictOptions(run=Path("model"), paths=tuple(map(Path, paths)), stride="2")


@pytest.mark.parametrize("number", [3, 20, 21, 60])
def test_any_number_of_paths_is_named(tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path)
    paths = [f"d {n % 7}/{n} .jpg" for n in range(number - 3)] + ["e", "f/*.png", "l.txt"]
    touch(tmp_path, *paths[:-3], "e/g/1.jpg", "f/1.png", "h/1.jpg")
    (tmp_path / "l.txt").write_text("h/1.jpg\n")
    command = repeat_run(tmp_path / "my out", options_for(*paths), ())
    assert asked(again(command, monkeypatch)) == asked(open_frames(map(Path, paths)))
    assert (tmp_path / "my out/paths.txt").exists() == (number > 21)
    assert command[1] == "--stride 2"


def test_what_stdin_named_is_kept_with_its_own_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a/1.jpg", "b/c/1.jpg", "d/1.jpg")
    give_stdin(monkeypatch, b"# two\na/1.jpg\n'b'\n")
    first = open_frames([Path("-"), Path("d")])
    command = repeat_run(tmp_path / "out", options_for("-", "d"), first.listed)
    assert asked(again(command, monkeypatch)) == asked(first)
    assert len(first.sources) == 3


def test_the_page_of_a_list_on_stdin_says_where_it_is_kept(frames, predict, tmp_path, monkeypatch):
    give_stdin(monkeypatch, f"{frames}/1.png\n".encode())
    _, plan, _ = predict("-", "--out", tmp_path / "out", "--dry-run")
    assert "paths.txt" in plan["outputs"]
    give_stdin(monkeypatch, f"{frames}/1.png\n".encode())
    predict("-", "--out", tmp_path / "out")
    page = html.unescape((tmp_path / "out/report.html").read_text("utf-8"))
    assert f"sam-crack predict model - < {tmp_path}/out/paths.txt" in page
    assert (tmp_path / "out/paths.txt").read_text() == f'"{frames}/1.png"\n'
    predict(frames / "1.png", "--out", tmp_path / "out", "--continue")
    assert not (tmp_path / "out/paths.txt").exists()
