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


@pytest.mark.parametrize("run_json", [None, '{"verb": "train"}', "[]", "not json"])
@pytest.mark.parametrize("flag", ["--overwrite", "--continue", "--no-video"])
def test_a_folder_that_no_run_wrote_is_left_alone(drives, predict, tmp_path, run_json, flag):
    mine = tmp_path / "mine"
    write_frames(mine / "masks", "1.png")
    (mine / "sections.csv").write_text("mine")
    if run_json is not None:
        (mine / "run.json").write_text(run_json)
    before = everything(mine)
    code, answer, _ = predict(drives[0], "--out", mine, flag)
    assert code == 2
    assert "no prediction run wrote what is in it" in answer["error"]
    assert "--overwrite" not in answer["error"]
    assert everything(mine) == before
    assert not (mine / "run.lock").exists()


def test_hidden_files_make_no_folder_used(drives, predict, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.run.json.x1").write_text("half")
    assert predict(drives[0], "--out", tmp_path / "out", "--continue")[0] == 0


def write_used(predict, frames, tmp_path):
    predict(frames, "--out", tmp_path / "used")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--out", "used"], "add --continue to go on, --overwrite"),
        (["--out", "file"], "file is a file"),
        (["--out", "mine"], "no prediction run wrote"),
        (["--out", "used", "--continue"], "scale was 1 and is now auto"),
        (["--out", "used", "--continue", "--overlap", "0.5"], "overlap was 0.125"),
        (["--continue"], "--continue without --out"),
    ],
)
def test_what_the_folder_forbids_is_told_before_anything_takes_long(
    drives, predict, tmp_path, args, told, dry
):
    write_used(predict, drives[0], tmp_path)
    Dark.seen = 0
    before = sorted(tmp_path.rglob("*"))
    code, answer, _ = predict(drives[0], *args, *dry, "--scale", "auto")
    assert (code, Dark.seen) == (2, 0)
    assert told in answer["error"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_run_that_is_writing_is_seen_at_once(drives, predict, tmp_path, dry):
    from sam_crack.train.state import FolderLock

    predict(drives[0], "--out", tmp_path / "out")
    Dark.seen = 0
    with FolderLock(tmp_path / "out"):
        code, answer, _ = predict(drives[0], "--out", tmp_path / "out", "--continue", *dry)
    assert (code, Dark.seen) == (2, 0)
    assert "another run is writing here" in answer["error"]


def test_where_nothing_goes_on_is_told(drives, predict, tmp_path):
    args = (drives[0], "--out", tmp_path / "new", "--continue")
    for last in ("--dry-run", "--no-video"):
        code, _, err = predict(*args, last)
        assert (code, "no run in" in err) == (0, True)
    assert "no run in" not in predict(*args)[2]


def test_a_scale_that_was_found_is_not_searched_for_again(drives, predict, tmp_path):
    args = (drives[0], "--out", tmp_path / "out", "--scale", "auto")
    _, first, _ = predict(*args)
    Dark.seen = 0
    code, second, err = predict(*args, "--continue")
    assert (code, Dark.seen) == (0, 0)
    assert second["scale"] == first["scale"]
    assert "as it was found when the run began" in err
    assert predict(*args, "--continue", "--dry-run")[1]["done_before"] == 2


def test_frames_inside_the_folder_to_write_to_are_named(drives, predict):
    code, answer, _ = predict(drives[0], "--out", drives[0])
    assert code == 3
    assert "the frames lie inside --out" in answer["error"]
    assert not (drives[0] / "run.lock").exists()


def names_in(folder):
    return {path.name for path in folder.iterdir()} - {"run.lock"}


def test_labels_that_are_not_made_anew_are_removed(drives, predict, tmp_path):
    first, out = drives[0], tmp_path / "out"
    predict(first, "--out", out, "--coco", "--cvat", "--cvat-masks", "--video")
    made = {"coco.json", "cvat", "cvat-masks", "pictures.mp4"}
    assert made < names_in(out)
    write_frames(first, "000002.jpg")
    code, _, err = predict(first, "--out", out, "--continue", "--no-report")
    assert code == 0
    assert "coco.json, cvat, cvat-masks, pictures.mp4, report.html" in err
    assert names_in(out) == {
        *("masks", "overlays", "run.json", "frames.jsonl"),
        *("cracks.jsonl", "cracks.csv", "errors.jsonl", "summary.json"),
    }


def test_a_map_that_is_not_made_anew_is_removed(drives, predict, tmp_path):
    track = tmp_path / "t.csv"
    track.write_text("time,lat,lon\n0,48,9\n1,48.001,9\n2,48.002,9\n")
    args = (write_clip(tmp_path / "v.avi", 6), "--out", tmp_path / "out", "--track", track)
    assert predict(*args)[0] == 0
    mapped = {"sections.csv", "cracks.geojson", "cracks.qml", "sections.geojson"}
    assert mapped < names_in(tmp_path / "out")
    code, _, err = predict(*args, "--continue", "--time-offset", "7200")
    assert code == 3
    assert "cracks.geojson, cracks.qml, sections.csv, sections.geojson" in err
    assert not mapped & names_in(tmp_path / "out")
