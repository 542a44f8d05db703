import resource

import cv2
import numpy as np
import pytest

from sam_crack.data.video import write_video
from sam_crack.errors import BadInput


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / f"{i}.jpg" for i in range(4)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((65, 97, 3), 60 * i, np.uint8))
    return paths


def levels(path) -> list[float]:
    video, found = cv2.VideoCapture(str(path)), []
    while (frame := video.read())[0]:
        found.append(float(frame[1].mean()))
    return found


def test_motion_jpeg_holds_every_picture_in_order(tmp_path, pictures):
    write_video(tmp_path / "d.avi", pictures, hertz=5)
    assert levels(tmp_path / "d.avi") == pytest.approx([0, 60, 120, 180], abs=3)
    assert cv2.VideoCapture(str(tmp_path / "d.avi")).get(cv2.CAP_PROP_FPS) == pytest.approx(5)


def test_mpeg4_holds_every_picture_in_order(tmp_path, pictures):
    write_video(tmp_path / "d.mp4", pictures, hertz=5)
    assert levels(tmp_path / "d.mp4") == pytest.approx([0, 60, 120, 180], abs=4)


def test_a_picture_of_another_size_is_fitted_in(tmp_path, pictures):
    cv2.imwrite(str(pictures[1]), np.full((130, 97, 3), 200, np.uint8))
    write_video(tmp_path / "d.mp4", pictures, hertz=5)
    video = cv2.VideoCapture(str(tmp_path / "d.mp4"))
    shapes = [video.read()[1].shape for _ in pictures]
    assert set(shapes) == {(64, 96, 3)}
    video = cv2.VideoCapture(str(tmp_path / "d.mp4"))
    frame = [video.read()[1] for _ in range(2)][1]
    assert frame[:, :16].mean() < 8  # black beside it
    assert frame[:, 32:64].mean() == pytest.approx(200, abs=8)


def test_no_pictures_make_no_video(tmp_path):
    write_video(tmp_path / "d.mp4", [], hertz=5)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_picture_leaves_no_half_video(tmp_path, pictures):
    pictures[2].write_bytes(b"no jpeg")
    with pytest.raises(BadInput, match="cannot be decoded"):
        write_video(tmp_path / "d.avi", pictures, hertz=5)
    assert not list(tmp_path.glob("*.avi")) + list(tmp_path.glob(".*"))


def test_a_video_that_the_disk_has_no_room_for_is_told(tmp_path, pictures):
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # larger files are cut, as there
    try:
        with pytest.raises(BadInput, match=r"holds \d+ of 4 frames; .*; free space"):
            write_video(tmp_path / "d.avi", pictures, hertz=5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert not list(tmp_path.glob("*.avi")) + list(tmp_path.glob(".*"))
