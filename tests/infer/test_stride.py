import pytest

from sam_crack.errors import UsageError
from sam_crack.infer.frames import Moment, open_frames
from sam_crack.infer.stride import parse_stride


def moments(clocks, name="v"):
    return [
        Moment(number=n, name=f"{name}/{n}", source=name, clock_s=c) for n, c in enumerate(clocks)
    ]


def kept(choice, some):
    return [moment.number for moment in some if choice(moment)]


def test_every_third_frame():
    assert kept(parse_stride("3"), moments([None] * 8)) == [0, 3, 6]


@pytest.mark.parametrize(
    ("hz", "step", "share"), [(25, "0.5s", 12.5), (30, "1s", 30), (5, "2s", 10)]
)
def test_seconds_do_not_drift(hz, step, share):
    found = kept(parse_stride(step), moments([n / hz for n in range(int(hz * 60))]))
    assert len(found) == pytest.approx(hz * 60 / share, abs=1)
    assert found[-1] == pytest.approx((len(found) - 1) * share, abs=1)


def test_metres_skip_a_standing_car_and_keep_what_has_no_place():
    stations = [0, 1, 2, 3, 3, 3, 3, 5, 9, None, 10]
    choice = parse_stride("2m", lambda moment: stations[moment.number])
    assert kept(choice, moments([None] * 11)) == [0, 2, 7, 8, 9]
    assert kept(choice, moments([None] * 11)) == [0, 2, 7, 8, 9]  # a second pass is the same


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x", "5km", "nans", "infm", "s"])
def test_what_is_no_stride_is_refused(text):
    with pytest.raises(UsageError, match="--stride"):
        parse_stride(text, lambda _: 0.0)


def test_metres_need_a_track():
    with pytest.raises(UsageError, match="track"):
        parse_stride("5m")


def test_the_stream_asks_about_every_frame_and_reads_only_the_wanted(tmp_path):
    import cv2
    import numpy as np

    for n in range(5):
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.full((8, 8, 3), n, np.uint8))
    (tmp_path / "1.png").write_bytes(b"broken, and never opened")
    stream = open_frames([tmp_path])
    stream.wanted = parse_stride("2")
    assert [frame.name for frame in stream] == ["0", "2", "4"]
    assert stream.errors == []
    assert [frame.name for frame in stream.frames(lambda name: name == "2")] == ["0", "4"]
