"""Videos as cameras, cables and cards leave them; expected figures come from how they were made."""

import struct

import cv2
import numpy as np
import pytest

from sam_crack.errors import BadInput
from sam_crack.infer.frames import open_frames
from sam_crack.infer.video import Video


def write(path, count=12, *, size=(48, 64), hertz=10, codec="MJPG", first=0):
    code = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, hertz, size[::-1])
    for number in range(count):
        writer.write(np.full((*size, 3), (first + 10 * number) % 256, np.uint8))
    writer.release()
    return path


def noisy(path, count, codec="MJPG"):
    """The same with packets that are large beside the header."""
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 10, (160, 120)
    )
    rng = np.random.default_rng(0)
    for _ in range(count):
        writer.write(rng.integers(0, 256, (120, 160, 3), np.uint8))
    writer.release()
    return path


def drain(path):
    with Video(path) as video:
        found = [(tick.index, tick.time_s, video.picture()) for tick in video]
    return video, found


def grown(box, path, old, new):
    """Replace the payload of an MP4 box by a longer one, and lengthen all boxes around it."""
    at = box.index(old)
    out = bytearray(box[:at] + new + box[at + len(old) :])
    for name in path:
        place = out.index(name) - 4
        (length,) = struct.unpack(">I", out[place : place + 4])
        out[place : place + 4] = struct.pack(">I", length + len(new) - len(old))
    return bytes(out)


def with_varying_rate(path, gaps):
    """Rewrite the table of frame lengths (stts) of an MP4; gaps in halves of the mean."""
    content = path.read_bytes()
    at = content.index(b"stts")
    entries, count, unit = struct.unpack(">III", content[at + 8 : at + 20])
    assert (entries, count, 2 * count) == (1, len(gaps), sum(gaps))  # the length stays
    new = struct.pack(">I", len(gaps)) + b"".join(
        struct.pack(">II", 1, g * unit // 2) for g in gaps
    )
    boxes = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")
    old = content[at : at + 20]
    path.write_bytes(grown(content, boxes, old, old[:8] + new))
    return path


def test_times_are_the_containers_where_the_rate_varies(tmp_path):
    gaps = [1, 3, 1, 2, 4, 1]
    path = with_varying_rate(write(tmp_path / "v.mp4", 6, codec="mp4v"), gaps)
    video, found = drain(path)
    expected = np.concatenate([[0], np.cumsum(gaps[:-1])]) / 20
    assert [time_s for _, time_s, _ in found] == pytest.approx(expected)
    assert video.problems == []


def test_the_next_video_begins_when_a_varying_one_ended(tmp_path):
    with_varying_rate(write(tmp_path / "a.mp4", 4, codec="mp4v"), [1, 4, 2, 1])
    write(tmp_path / "b.avi", 2)
    clocks = [frame.clock_s for frame in open_frames([tmp_path])]
    assert clocks == pytest.approx([0, 0.05, 0.25, 0.35, 0.45, 0.55])


@pytest.mark.parametrize(("suffix", "codec"), [(".ts", "mp4v"), (".avi", "MJPG")])
@pytest.mark.parametrize("other", [(96, 128), (24, 32)])
def test_frames_of_another_size_are_left_out_and_told(tmp_path, suffix, codec, other):
    first = write(tmp_path / f"a{suffix}", 6, codec=codec, hertz=25)
    second = write(tmp_path / f"b{suffix}", 6, codec=codec, hertz=25, size=other, first=100)
    both = tmp_path / f"c{suffix}"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    video, found = drain(both)
    assert [index for index, *_ in found] == list(range(6))
    assert np.abs([image.mean() for *_, image in found] - 10.0 * np.arange(6)).max() < 4
    assert f"from 64 x 48 to {other[1]} x {other[0]}; 6 frames" in video.problems[0]


def test_files_put_end_to_end_have_times_that_grow(tmp_path):
    one = write(tmp_path / "a.ts", 5, codec="mp4v", hertz=25)
    (tmp_path / "c.ts").write_bytes(one.read_bytes() * 2)
    _, found = drain(tmp_path / "c.ts")
    times = [time_s for _, time_s, _ in found]
    assert len(times) == 10
    assert np.diff(times) == pytest.approx([0.04] * 9, abs=0.001)


def test_a_header_that_lies_is_told(tmp_path):
    content = bytearray(write(tmp_path / "v.avi", 43).read_bytes())
    for at in (content.index(b"avih") + 8 + 16, content.index(b"strh") + 8 + 32):
        assert struct.unpack("<I", content[at : at + 4]) == (43,)
        content[at : at + 4] = struct.pack("<I", 53100)
    (tmp_path / "v.avi").write_bytes(content)
    video, found = drain(tmp_path / "v.avi")
    assert len(found) == 43
    assert "read 43 of 53,100 frames" in video.problems[0]


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".ts"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_cut_file_gives_what_it_holds_and_an_error(tmp_path, suffix, share):
    path = noisy(tmp_path / f"v{suffix}", 60, codec="mp4v" if suffix == ".ts" else "MJPG")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    stream = open_frames([path])
    count = sum(1 for _ in stream)
    least = 3 if suffix == ".ts" else 60 * share - 4  # its first picture takes half of the room
    assert least < count < 60 * share + 4
    # a transport stream has no header: what is cut off leaves no trace but a torn packet
    assert len(stream.errors) == (suffix != ".ts")


def test_an_mp4_without_its_index_is_listed(tmp_path):
    path = write(tmp_path / "v.mp4", 30, codec="mp4v")  # the index comes last
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match="cannot be opened"):
        Video(path)


def test_a_damaged_frame_is_counted_and_the_others_keep_their_times(tmp_path):
    path = write(tmp_path / "v.avi", 20)
    content = bytearray(path.read_bytes())
    at = [n for n in range(len(content)) if content[n : n + 4] == b"00dc"][
        8
    ] + 8  # [0] is in the header
    content[at : at + 200] = bytes(200)
    path.write_bytes(content)
    video, found = drain(path)
    left = [n for n in range(20) if n != 7]
    assert [index for index, *_ in found] == left
    assert [time_s for _, time_s, _ in found] == pytest.approx([n / 10 for n in left])
    assert "1 of 20 frames cannot be decoded" in video.problems[0]


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".webm", "VP80"), (".webm", "VP90"), (".mkv", "FFV1"), (".mp4", "mp4v")]
)
def test_whole_videos_of_other_codecs_are_not_suspected(tmp_path, suffix, codec):
    video, found = drain(write(tmp_path / f"v{suffix}", 25, codec=codec))
    assert (len(found), video.problems) == (25, [])


def test_any_cut_or_flipped_byte_ends_in_frames_or_a_listed_error(tmp_path):
    content = write(tmp_path / "v.avi", 6).read_bytes()
    rng = np.random.default_rng(5)
    for number in range(40):
        broken = bytearray(content[: rng.integers(1, len(content))] if number % 2 else content)
        for at in rng.integers(0, len(broken), 8):
            broken[at] = rng.integers(256)
        path = tmp_path / "w.avi"
        path.write_bytes(broken)
        stream = open_frames([path])
        assert sum(1 for _ in stream) or stream.errors
