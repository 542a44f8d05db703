import cv2
import numpy as np
import pytest
from PIL import Image

from sam_crack.data.formats.images import read_rgb
from sam_crack.errors import BadInput
from sam_crack.infer.frames import open_frames, read_frame


def picture(path, value=0, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), value, np.uint8))
    return path


def video(path, count=12, size=(48, 64), fps=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size[::-1])
    for number in range(count):
        writer.write(np.full((*size, 3), 20 * number % 256, np.uint8))
    writer.release()
    return path


def drain(*paths, skip=lambda _: False, exclude=None):
    stream = open_frames(paths, exclude=exclude)
    return list(stream.frames(skip)), stream


def test_folders_files_and_globs_come_in_a_fixed_order(tmp_path):
    for name in ("b/2.png", "b/10.jpg", "a.png", "c/1.bmp", ".hidden.png", "notes.txt"):
        picture(tmp_path / name) if name != "notes.txt" else (tmp_path / name).touch()
    frames, stream = drain(tmp_path / "c/1.bmp", tmp_path / "b", tmp_path / "*.png")
    assert [frame.name for frame in frames] == ["1", "10", "2", "a"]
    assert [frame.key for frame in frames] == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert stream.total() == 4
    assert stream.errors == []


def test_a_folder_is_read_with_all_below_it(tmp_path):
    picture(tmp_path / "in/day 1/x.png")
    picture(tmp_path / "in/y.png")
    frames, _ = drain(tmp_path / "in")
    assert [frame.name for frame in frames] == ["day 1/x", "y"]


def test_a_file_given_twice_is_one_frame(tmp_path):
    path = picture(tmp_path / "x.png")
    assert len(drain(path, tmp_path, path)[0]) == 1


def test_outputs_of_an_earlier_run_are_not_read(tmp_path):
    picture(tmp_path / "x.png")
    picture(tmp_path / "out/masks/x.png")
    frames, _ = drain(tmp_path, exclude=tmp_path / "out")
    assert [frame.name for frame in frames] == ["x"]


def test_pixels_are_rgb_and_upright(tmp_path):
    pixels = np.zeros((10, 20, 3), np.uint8)
    pixels[..., 0] = 200
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "red.jpg", quality=100, exif=turned)
    frame = read_frame(tmp_path / "red.jpg")
    assert frame.shape == (20, 10, 3)
    assert np.abs(frame.mean(axis=(0, 1)) - (200, 0, 0)).max() < 4


def test_deep_pictures_keep_their_light(tmp_path):
    deep = np.full((8, 8), 3000, np.uint16)
    cv2.imwrite(str(tmp_path / "xray.png"), deep)
    assert read_frame(tmp_path / "xray.png").max() == 3000 >> 4


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_truncated_images_are_listed_and_the_others_still_come(tmp_path, suffix, share):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    path = tmp_path / f"b{suffix}"
    cv2.imwrite(str(path), noise)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    picture(tmp_path / "a.png")
    picture(tmp_path / "c.png")
    frames, stream = drain(tmp_path)
    assert [frame.name for frame in frames] == ["a", "c"]
    assert [error.name for error in stream.errors] == ["b"]
    assert "b" + suffix in stream.errors[0].reason


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda _: b"", "it is empty"),
        (lambda _: b"<html>not found</html>", "it is no picture of the kinds that are read"),
        (lambda whole: whole[: len(whole) // 2], "it is cut short"),
        (lambda whole: whole[:60] + b"damage" * 9 + whole[114:], "it is damaged"),
    ],
)
def test_what_is_wrong_with_a_picture_is_told_in_plain_words(tmp_path, spoil, told):
    path = picture(tmp_path / "x.png", size=(200, 300))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadInput) as caught:
        read_rgb(path)
    assert str(caught.value).startswith(f"{path}: cannot be decoded: {told}")
    assert "Error" not in str(caught.value)


def test_missing_paths_are_listed(tmp_path):
    picture(tmp_path / "x.png")
    frames, stream = drain(tmp_path / "x.png", tmp_path / "y.png", tmp_path / "*.gif")
    assert len(frames) == 1
    assert [error.source.name for error in stream.errors] == ["y.png", "*.gif"]


def test_nothing_at_all_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        open_frames([tmp_path / "y.png"])
    with pytest.raises(BadInput, match="no images"):
        open_frames([tmp_path])


def test_a_video_gives_its_frames_with_their_times(tmp_path):
    frames, stream = drain(video(tmp_path / "d.avi"))
    assert [frame.name for frame in frames] == [f"d/{n:06d}" for n in range(12)]
    assert [frame.time_s for frame in frames] == pytest.approx([n / 10 for n in range(12)])
    assert np.abs([f.image.mean() for f in frames] - 20.0 * np.arange(12)).max() < 3
    assert stream.video_frames == {"d": (12, 12)}
    assert stream.errors == []


def test_a_cut_video_says_how_much_was_read(tmp_path):
    path = video(tmp_path / "d.avi", count=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, stream = drain(path)
    read, declared = stream.video_frames["d"]
    assert 5 < len(frames) <= read < 30
    assert declared == 40
    assert f"read {read} of 40 frames" in stream.errors[-1].reason


def test_a_file_that_is_no_video_is_listed(tmp_path):
    (tmp_path / "d.mp4").write_bytes(b"not a video" * 100)
    frames, stream = drain(tmp_path / "d.mp4", picture(tmp_path / "x.png"))
    assert [frame.name for frame in frames] == ["x"]
    assert "cannot be opened" in stream.errors[0].reason


def test_skipped_frames_are_not_decoded(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"x")
    done = {"d/000000", "d/000002", "broken"}
    video(tmp_path / "d.avi", count=4)
    frames, stream = drain(tmp_path, skip=done.__contains__)
    assert [(frame.name, frame.key) for frame in frames] == [
        ("d/000001", (1, 1)),
        ("d/000003", (1, 3)),
    ]
    assert stream.errors == []


@pytest.mark.realdata
def test_the_dashcam_clip_is_read_whole(data_root):
    clip = data_root / "video" / "solidWhiteRight.mp4"
    frames = 0
    stream = open_frames([clip])
    for frame in stream:
        assert frame.image.shape == (540, 960, 3)
        frames += 1
    assert frames == stream.total() == 221
    assert stream.errors == []
