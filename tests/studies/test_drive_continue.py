"""What `predict --continue` may go on with, and what it leaves."""

import cv2
import numpy as np
import pytest

from tests.studies.test_drive import SIZE, Dark, dark_model, everything, frames, predict, rows
from tests.studies.test_drive_stream import write_clip

__all__ = ["dark_model", "frames", "predict"]  # fixtures


def write_frames(folder, *names, grey=200, bars=1):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        image = np.full((*SIZE, 3), grey, np.uint8)
        for bar in range(bars):
            cv2.line(image, (40, 40 + 40 * bar), (200, 50 + 40 * bar), (20, 20, 20), 4)
        cv2.imwrite(str(folder / name), image)
    return folder


@pytest.fixture
def drives(tmp_path):
    """Two drives whose frames are called the same."""
    names = ("000000.jpg", "000001.jpg")
    first, second = tmp_path / "dA/img", tmp_path / "dB/img"
    return write_frames(first, *names), write_frames(second, *names, bars=2)


def test_other_footage_of_the_same_names_is_refused(drives, predict, tmp_path):
    first, second = drives
    out = tmp_path / "out"
    predict(first, "--out", out)
    before = everything(out)
    code, answer, _ = predict(second, "--out", out, "--continue")
    assert code == 2
    assert f"000000 was made from {first}/000000.jpg" in answer["error"]
    assert f"would be made from {second}/000000.jpg" in answer["error"]
    assert everything(out) == before


def test_footage_that_is_added_is_looked_at_and_each_frame_counts_once(drives, predict, tmp_path):
    first, second = drives
    out = tmp_path / "out"
    predict(first, "--out", out)
    masks = {path.name: path.read_bytes() for path in (out / "masks").iterdir()}
    code, summary, _ = predict(second, first, "--out", out, "--continue")
    assert (code, summary["frames"], summary["cracks"]) == (0, 4, 2 * 2 + 2 * 1)
    assert [row["frame"] for row in rows(out)] == [
        *("000000_jpg", "000000_jpg", "000001_jpg", "000001_jpg"),
        *("000000", "000001"),
    ]
    assert all((out / "masks" / name).read_bytes() == mask for name, mask in masks.items())


def test_a_file_that_comes_before_takes_no_name_away(predict, tmp_path):
    folder, out = write_frames(tmp_path / "in", "1.png"), tmp_path / "out"
    predict(folder, "--out", out)
    write_frames(folder, "1.jpg", bars=2)
    code, summary, _ = predict(folder, "--out", out, "--continue")
    assert (code, summary["cracks"]) == (0, 3)
    assert [row["frame"] for row in rows(out)] == ["1_jpg", "1_jpg", "1"]


def test_files_that_are_gone_are_refused(drives, predict, tmp_path):
    first, _ = drives
    predict(first, "--out", tmp_path / "out")
    (first / "000001.jpg").unlink()
    code, answer, _ = predict(first, "--out", tmp_path / "out", "--continue")
    assert code == 2
    assert "000001.jpg, which is not among the frames now; --continue needs" in answer["error"]


def test_files_that_were_replaced_are_refused(drives, predict, tmp_path):
    first, _ = drives
    predict(first, "--out", tmp_path / "out")
    write_frames(first, "000001.jpg", bars=2)
    code, answer, _ = predict(first, "--out", tmp_path / "out", "--continue")
    assert code == 2
    assert "bytes when 000001 was made from it" in answer["error"]


def test_a_folder_may_be_spelled_otherwise(drives, predict, tmp_path, monkeypatch):
    first, _ = drives
    predict(first, "--out", tmp_path / "out")
    (tmp_path / "link").symlink_to(first)
    monkeypatch.chdir(tmp_path / "dB")
    Dark.seen = 0
    code, summary, _ = predict("../link/", "--out", "../out", "--continue")
    assert (code, summary["frames"], Dark.seen) == (0, 2, 0)


def test_a_video_that_was_cut_off_goes_on_once_it_is_fetched_again(predict, tmp_path):
    clip, out = write_clip(tmp_path / "v.avi", 12), tmp_path / "out"
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    assert predict(clip, "--out", out)[0] == 3
    clip.write_bytes(whole)
    code, summary, _ = predict(clip, "--out", out, "--continue")
    assert (code, summary["frames"]) == (0, 12)
