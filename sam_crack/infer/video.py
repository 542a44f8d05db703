"""One video from its first frame to its last; what its header says is checked, not believed.

What FFmpeg conceals is not seen: a damaged stretch that it fills from the frames before comes out
as whole frames, and OpenCV hands on neither its complaint nor the setting that forbids it.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sam_crack.errors import BadInput

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".m4v", ".mpg", ".mpeg", ".webm", ".ts")
DECLARED_SLACK = 0.01  # containers round their frame counts; a larger gap is a broken file
USUAL_HZ = 25.0
AGAIN = "fetch the file again if it was whole elsewhere"
HIDDEN_FRAMES = "VP80"  # the codec whose packets are not all to be shown
# FFmpeg writes each damaged block to the terminal, across the progress bar
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A frame of a video before its pixels are asked for."""

    index: int
    time_s: float
    """Seconds from the start, as the container has it; it only grows."""


class Video:
    """Frames of one file, in the order of showing; iterate once, then look at `problems`."""

    def __init__(self, path: Path) -> None:
        """Open it."""
        self.path, self.problems = path, list[str]()
        self.read, self.end_s = 0, 0.0
        self._capture = _opened(path)
        if not self._capture.isOpened():
            raise BadInput(
                f"{path}: cannot be opened as a video",
                "a whole video, such as .mp4 with H.264",
                "fetch it again; a recording that was cut off has no index and needs repair",
            )
        self.declared = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        hertz = self._capture.get(cv2.CAP_PROP_FPS)
        self.hertz = hertz if math.isfinite(hertz) and 0.01 < hertz < 10_000 else USUAL_HZ
        self._packets = _Packets(path)
        self._other: list[int] = []

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._capture.release()
        self._packets.close()

    def __iter__(self) -> Iterator[Tick]:
        """Yield what can be looked at; frames of another size are left out and told."""
        before, shift = -math.inf, 0.0
        for index in self._grabbed():
            stated = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if stated <= before:  # no time at all, or files put end to end
                shift += before + 1 / self.hertz - stated
            before = stated
            self.read += 1
            self.end_s = stated + shift + 1 / self.hertz
            if self._packets.size_at(index) == self._packets.first_size:
                yield Tick(index=index, time_s=stated + shift)
            else:
                self._other.append(index)
        self._judge()

    def _grabbed(self) -> Iterator[int]:
        """Yield the number of each frame that can be decoded; a damaged one is passed over."""
        index = held = 0
        while True:
            if self._capture.grab():
                yield index
            else:  # at the end, or at a packet that is no picture
                held = held or self._packets.count_all()
                if index >= held:
                    return
            index += 1

    def picture(self) -> NDArray[np.uint8] | None:
        """Return the pixels of the frame at hand as RGB."""
        ok, image = self._capture.retrieve()
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8) if ok else None

    def _judge(self) -> None:
        """Say what is missing of what the file should hold."""
        if self._other:
            first, sizes = self._other[0], " to ".join(self._packets.sizes)
            self.problems.append(
                f"{self.path}: the picture size changes from {sizes}; {len(self._other):,} frames "
                f"of another size, the first of them {first:,}, are left out: cut the file there"
            )
        slack = max(1.0, DECLARED_SLACK * self.declared)
        # a header without a count is made one from length and rate, too large at a varying rate
        short_s = (self.declared - slack) / self.hertz - self.end_s
        if self.declared - self.read > slack and short_s > 0:
            self.problems.append(
                f"{self.path}: read {self.read:,} of {self.declared:,} frames; {AGAIN}"
            )
            return
        held = self._packets.count_all()
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
        slack = 0 if self._packets.all_whole else max(1.0, DECLARED_SLACK * held)
        if held - self.read > slack and code != HIDDEN_FRAMES.encode():
            lost = held - self.read
            self.problems.append(
                f"{self.path}: {lost:,} of {held:,} frames cannot be decoded; {AGAIN}"
            )


class _Packets:
    """The file's coded packets, read beside its pictures.

    OpenCV scales frames to the size of the first without a word. A packet that begins anew
    (a key frame) tells its own size, when it is opened as a file of its own.
    """

    def __init__(self, path: Path) -> None:
        self._capture = _opened(path, cv2.CAP_PROP_FORMAT, -1)
        self._count, self._whole = 0, 0
        self._size: tuple[int, int] | None = None
        self._telling = self._capture.isOpened()
        self.first_size: tuple[int, int] | None = None
        self.sizes: list[str] = []

    def size_at(self, index: int) -> tuple[int, int] | None:
        """Return the (height, width) that the key frame at or before a frame has, if it tells."""
        while self._count <= index and self._next():
            if not (self._telling and self._is_whole()):
                continue
            size = _size_of(self._capture.retrieve()[1].tobytes())
            if self._count == 1:
                self.first_size, self._telling = size, size is not None
            if size is not None and size != self._size:
                self._size = size
                self.sizes.append(f"{size[1]} x {size[0]}")
        return self._size

    def count_all(self) -> int:
        """Read to the end and return how many packets there are."""
        while self._next():
            pass
        return self._count

    @property
    def all_whole(self) -> bool:
        """Whether each packet is a picture of its own."""
        return self._whole == self._count

    def close(self) -> None:
        self._capture.release()

    def _next(self) -> bool:
        if not self._capture.grab():
            return False
        self._count += 1
        self._whole += self._is_whole()
        return True

    def _is_whole(self) -> bool:
        return bool(self._capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))


def _size_of(packet: bytes) -> tuple[int, int] | None:
    """Return the (height, width) of one coded picture, or None where its head does not say."""
    if packet.startswith(b"\xff\xd8"):
        try:
            with Image.open(BytesIO(packet), formats=["JPEG"]) as image:
                return image.height, image.width
        except (OSError, SyntaxError, ValueError):
            return None
    with tempfile.NamedTemporaryFile() as file:
        file.write(packet)
        file.flush()
        capture = _opened(Path(file.name))
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        capture.release()
    return (height, width) if height > 0 and width > 0 else None


def _opened(path: Path, *settings: int) -> cv2.VideoCapture:
    """Open a file without a word: whether it opened is an answer, and the caller's to tell."""
    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, settings)
    finally:
        logging.setLogLevel(level)


def is_video(path: Path) -> bool:
    """Whether a file is read as a video, by its suffix."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def declared_frames(path: Path) -> int:
    """Frames that a video's header declares; 0 where it cannot be opened."""
    capture = _opened(path)
    try:
        return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    finally:
        capture.release()
