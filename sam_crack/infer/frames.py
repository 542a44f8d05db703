"""Images, folders, globs and videos as one stream of frames, in an order that never changes."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.images import IMAGE_SUFFIXES, opened, read_rgb
from sam_crack.errors import BadInput
from sam_crack.infer.names import unique_names

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".m4v", ".mpg", ".mpeg", ".webm", ".ts")
DECLARED_SLACK = 0.01  # containers round their frame counts; a larger gap is a broken file


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One whole frame."""

    name: str
    """Unique in the stream: a relative path without suffix, with `/`."""
    image: NDArray[np.uint8]
    """(height, width, 3), RGB."""
    source: Path
    """The file that it came from."""
    key: tuple[int, int]
    """Place in the stream: number of the source, number of the frame within it."""
    time_s: float | None = None
    """Seconds from the start of its video."""
    clock_s: float | None = None
    """The same with all videos before it, as if they were one."""


@dataclass(frozen=True, kw_only=True)
class FrameError:
    """Something that should have been a frame, or frames."""

    name: str
    source: Path
    reason: str

    def row(self) -> dict[str, object]:
        """Return it as one JSON-able row."""
        return {"name": self.name, "source": str(self.source), "reason": self.reason}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of the stream."""

    path: Path
    name: str
    """What its frame is called, or the folder of its frames."""
    is_video: bool


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What is known of a frame before it is decoded."""

    number: int
    """Counted over the whole stream."""
    name: str
    source: Path
    clock_s: float | None
    """Seconds since the first video began; None for a picture."""


class FrameStream:
    """Frames of many files; what cannot be read is listed in `errors` and does not stop it."""

    def __init__(self, sources: Sequence[Source], errors: Iterable[FrameError] = ()) -> None:
        """Keep what will be read."""
        self.sources = tuple(sources)
        self.errors = list(errors)
        self.wanted: Callable[[Moment], bool] = lambda _: True
        """Asked once for every frame, in order, whether it is looked at at all."""
        self._number, self._clock_s = 0, 0.0
        self.video_frames: dict[str, tuple[int, int]] = {}
        """Video to frames read and frames that its header declares, once it was read."""

    def total(self) -> int:
        """Frames to expect: images, and what videos declare."""
        return sum(_declared(s.path) if s.is_video else 1 for s in self.sources)

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame."""
        return self.frames()

    def frames(self, skip: Callable[[str], bool] = lambda _: False) -> Iterator[Frame]:
        """Yield the frames whose name is not to be skipped; skipped images are not decoded."""
        self._number, self._clock_s = 0, 0.0
        for number, source in enumerate(self.sources):
            if source.is_video:
                yield from self._video(number, source, skip)
            elif self._wants(source.name, source.path, None) and not skip(source.name):
                try:
                    image = read_frame(source.path)
                except BadInput as error:
                    self._list(source, str(error))
                else:
                    yield Frame(name=source.name, image=image, source=source.path, key=(number, 0))

    def _video(self, number: int, source: Source, skip: Callable[[str], bool]) -> Iterator[Frame]:
        capture = cv2.VideoCapture(str(source.path), cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                self._list(source, f"{source.path}: cannot be opened as a video")
                return
            declared = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
            index = 0
            while capture.grab():
                name = f"{source.name}/{index:06d}"
                time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                clock_s = self._clock_s + time_s
                if self._wants(name, source.path, clock_s) and not skip(name):
                    ok, image = capture.retrieve()
                    if ok:
                        yield Frame(
                            name=name,
                            image=np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8),
                            source=source.path,
                            key=(number, index),
                            time_s=time_s,
                            clock_s=clock_s,
                        )
                    else:
                        self._list(source, f"{source.path}: frame {index} cannot be decoded")
                index += 1
            self._clock_s += index / (capture.get(cv2.CAP_PROP_FPS) or 25.0)
            self.video_frames[source.name] = (index, declared)
            if declared - index > max(1, DECLARED_SLACK * declared):
                self._list(source, f"{source.path}: read {index:,} of {declared:,} frames")
        finally:
            capture.release()

    def _wants(self, name: str, source: Path, clock_s: float | None) -> bool:
        moment = Moment(number=self._number, name=name, source=source, clock_s=clock_s)
        self._number += 1
        return self.wanted(moment)

    def _list(self, source: Source, reason: str) -> None:
        self.errors.append(FrameError(name=source.name, source=source.path, reason=reason))


def open_frames(paths: Iterable[Path], *, exclude: Path | None = None) -> FrameStream:
    """Find what paths stand for: files, folders with all below them, and globs, each sorted.

    Args:
        paths: Images, videos, folders or patterns such as `drive/*.jpg`.
        exclude: Nothing below this folder is read, such as the outputs of an earlier run.
    """
    files: dict[Path, tuple[Path, str]] = {}  # real file to the path and name it was found under
    errors = []
    for path in paths:
        found = _files_of(path, exclude.resolve() if exclude else None)
        if not found:
            reason = f"{path}: " + (
                "no images or videos in this folder" if path.is_dir() else "no such file"
            )
            errors.append(FrameError(name=str(path), source=path, reason=reason))
        for file, name in found:
            files.setdefault(file.resolve(), (file, name))
    if not files:
        raise BadInput(
            errors[0].reason if errors else "no path given",
            "images, videos, folders of these, or patterns in quotes",
            "check the path",
        )
    videos = [is_video(file) for file, _ in files.values()]
    names = unique_names([name for _, name in files.values()], folders=videos)
    sources = [
        Source(path=file, name=name, is_video=video)
        for (file, _), name, video in zip(files.values(), names, videos, strict=True)
    ]
    return FrameStream(sources, errors)


def is_video(path: Path) -> bool:
    """Whether a file is read as a video, by its suffix."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def read_frame(path: Path) -> NDArray[np.uint8]:
    """Decode an image as RGB; a truncated or oversized one is refused.

    OpenCV decodes from bytes: from a path it fills what is missing of a cut JPEG with grey.
    """
    with opened(path) as header:
        deep = header.mode.startswith("I")
    if deep:  # OpenCV keeps the upper 8 bits only, which are empty in a 12-bit picture
        return read_rgb(path)
    try:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise BadInput(f"{path}: cannot be decoded", "a whole image", "fetch the file again")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _files_of(path: Path, exclude: Path | None) -> list[tuple[Path, str]]:
    """Return the files that one path stands for and the names they ask for."""
    if path.is_dir():
        below = [
            file
            for file in sorted(path.rglob("*"))
            if file.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
            and file.is_file()
        ]
        found = [(file, file.relative_to(path).as_posix()) for file in below]
    elif path.exists():
        found = [(path, path.name)]
    else:
        pattern = str(path.expanduser())
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - may be absolute
        found = [
            item
            for match in map(Path, matches)
            if match.is_file()
            for item in _files_of(match, None)
        ]
    if exclude is None:
        return found
    return [(file, name) for file, name in found if exclude not in file.resolve().parents]


def _declared(path: Path) -> int:
    """Frames that a video's header declares; 0 where it cannot be opened."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    finally:
        capture.release()
