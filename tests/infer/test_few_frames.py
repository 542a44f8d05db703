import cv2
import numpy as np
import pytest

from sam_crack.infer.few_frames import few_frames, middles
from sam_crack.infer.frames import open_frames


def grey(value):
    return np.full((48, 64, 3), value, np.uint8)


@pytest.fixture
def drive(tmp_path):
    """Ten pictures and a clip of ten frames, each ten levels brighter than the one before."""
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"a{number}.png"), grey(10 * number))
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(tmp_path / "b.avi"), codec, 10, (64, 48))
    for number in range(10, 20):
        writer.write(grey(10 * number))
    writer.release()
    return tmp_path


def test_they_are_spread_over_pictures_and_videos(drive):
    found = few_frames(open_frames([drive]).sources, 4)
    assert [name for name, _ in found] == ["a2", "a7", "b/000002", "b/000007"]
    levels = [image.mean() for _, image in found]
    np.testing.assert_allclose(levels, [20, 70, 120, 170], atol=3)


def test_there_are_no_more_than_there_are(drive):
    assert len(few_frames(open_frames([drive]).sources, 100)) == 20


def test_what_cannot_be_read_is_left_out(drive):
    (drive / "a2.png").write_bytes((drive / "a2.png").read_bytes()[:60])
    assert few_frames(open_frames([drive]).sources, 4)[0][0] == "a7"


@pytest.mark.parametrize(
    ("total", "number", "places"),
    [(0, 3, []), (2, 3, [0, 1]), (3, 1, [1]), (100, 4, [12, 37, 62, 87])],
)
def test_places_are_the_middles_of_equal_parts(total, number, places):
    assert middles(total, number) == places
