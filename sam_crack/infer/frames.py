"""Images, folders, lists and videos as one stream of frames, in an order that never changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.images import opened, read_rgb
from sam_crack.errors import BadInput
from sam_crack.infer.names import unique_names
from sam_crack.infer.paths import STDIN, entries_of, find_files, first_reason, read_stdin
from sam_crack.infer.share import Share
from sam_crack.infer.video import Video, declared_frames, is_video

WHOLE = 1 << 60
"""Where what concerns a whole file stands among its frames: at the end."""


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
    decode_s: float = 0.0
    """Seconds that reading it took."""


@dataclass(frozen=True, kw_only=True)
class FrameError:
    """Something that should have been a frame, or frames."""

    name: str
    source: Path
    reason: str
    key: tuple[int, int] = (-1, 0)
    """Place in the stream, as a frame has it; before the first source where nothing was found."""

    def row(self) -> dict[str, object]:
        """Return it as one JSON-able row."""
        return {"name": self.name, "source": str(self.source), "reason": self.reason}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of the stream."""

    path: Path
    name: str
    """What its frame is called, or the folder of its frames."""
    file: str
    """Relative path that it was asked for by, with suffix: what its owner calls it."""
    is_video: bool
    real: str
    """Where the file lies, whole and with links followed."""
    size_bytes: int
    """How large it was when it was found."""


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
        self.listed: tuple[str, ...] = ()
        """What stdin named, which can be read only once."""
        self.wanted: Callable[[Moment], bool] = lambda _: True
        """Asked once for every frame, in order, whether it is looked at at all."""
        self.share = Share()
        """Which of the wanted frames are yielded here."""
        self._total: int | None = None
        self._number, self._taken, self._clock_s = 0, 0, 0.0
        self.video_frames: dict[str, tuple[int, int]] = {}
        """Video to frames read and frames that its header declares, once it was read."""

    def total(self) -> int:
        """Frames to expect: images, and what videos declare."""
        if self._total is None:
            self._total = sum(declared_frames(s.path) if s.is_video else 1 for s in self.sources)
        return self._total

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame."""
        return self.frames()

    def frames(self, skip: Callable[[str], bool] = lambda _: False) -> Iterator[Frame]:
        """Yield the frames whose name is not to be skipped; skipped images are not decoded."""
        self._number, self._taken, self._clock_s = 0, 0, 0.0
        for number, source in enumerate(self.sources):
            try:
                if source.is_video:
                    yield from self._video(number, source, skip)
                elif self._wants(source.name, source.path, None) and not skip(source.name):
                    yield self._picture(number, source)
            except BadInput as error:
                self._list(number, source, str(error))

    def _picture(self, number: int, source: Source) -> Frame:
        began = time.perf_counter()
        image = read_frame(source.path)
        return Frame(
            name=source.name,
            image=image,
            source=source.path,
            key=(number, 0),
            decode_s=time.perf_counter() - began,
        )

    def _video(self, number: int, source: Source, skip: Callable[[str], bool]) -> Iterator[Frame]:
        with Video(source.path) as video:
            began = time.perf_counter()
            for tick in video:
                name = f"{source.name}/{tick.index:06d}"
                clock_s = self._clock_s + tick.time_s
                if self._wants(name, source.path, clock_s) and not skip(name):
                    image = video.picture()
                    if image is None:
                        reason = f"{source.path}: frame {tick.index} cannot be decoded"
                        self._list(number, source, reason, index=tick.index)
                        continue
                    yield Frame(
                        name=name,
                        image=image,
                        source=source.path,
                        key=(number, tick.index),
                        time_s=tick.time_s,
                        clock_s=clock_s,
                        decode_s=time.perf_counter() - began,
                    )
                    began = time.perf_counter()
            self._clock_s += video.end_s
            self.video_frames[source.name] = (video.read, video.declared)
            for reason in video.problems:
                self._list(number, source, reason)

    def _wants(self, name: str, source: Path, clock_s: float | None) -> bool:
        moment = Moment(number=self._number, name=name, source=source, clock_s=clock_s)
        self._number += 1
        if not self.wanted(moment):
            return False
        self._taken += 1
        return self.share.owns(self._taken - 1)

    def _list(self, number: int, source: Source, reason: str, *, index: int | None = None) -> None:
        key = (number, WHOLE if index is None else index)
        self.errors.append(FrameError(name=source.name, source=source.path, reason=reason, key=key))


def open_frames(
    paths: Iterable[Path], *, exclude: Path | None = None, known: Mapping[str, str] | None = None
) -> FrameStream:
    """Find what paths stand for: files, folders with all below them, globs and lists.

    Args:
        paths: Images, videos, folders, patterns such as `drive/*.jpg`, `.txt` lists, or `-`.
        exclude: Nothing below this folder is read: it is to be written to.
        known: Files, links followed, to the names that they were given before, and keep.
    """
    paths, known = tuple(paths), known or {}
    stdin = read_stdin() if STDIN in paths else b""
    found = find_files(paths, exclude=exclude, stdin=stdin)
    files = [one for one in found if not one.reason]
    if not files:
        raise first_reason(found)
    errors = [
        FrameError(name=one.name, source=one.path, reason=one.reason, key=(-1, number))
        for number, one in enumerate(one for one in found if one.reason)
    ]
    videos = [is_video(one.path) for one in files]
    kept = {n: known[str(one.real)] for n, one in enumerate(files) if str(one.real) in known}
    names = unique_names([one.name for one in files], folders=videos, kept=kept)
    sources = [
        Source(
            path=one.path,
            name=name,
            file=one.name,
            is_video=video,
            real=str(one.real),
            size_bytes=_size_bytes(one.real),
        )
        for one, name, video in zip(files, names, videos, strict=True)
    ]
    stream = FrameStream(sources, errors)
    stream.listed = tuple(entries_of(stdin) or ())
    return stream


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # gone since it was found: reading it will say so
        return 0


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
