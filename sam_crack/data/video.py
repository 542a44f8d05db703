"""Pictures joined to a video with OpenCV's own FFmpeg, which is built without GPL parts.

It has no H.264 encoder, so .mp4 holds MPEG-4 Part 2, which players open and browsers do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}


def write_video(path: Path, pictures: Iterable[Path], *, hertz: float) -> None:
    """Write the pictures as one video, aside first and then in one step.

    An odd last row or column is left out: colours are stored for two by two pixels. A picture of
    another size than the first is fitted into it, on black.

    Args:
        path: .mp4 for MPEG-4, .avi for Motion JPEG.
        pictures: Image files in their order; without any, nothing is written.
        hertz: Pictures per second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part{path.suffix}")
    try:
        count = _write(aside, pictures, hertz)
        if count:
            _check(aside, path, count)
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _write(path: Path, pictures: Iterable[Path], hertz: float) -> int:
    """Return how many pictures were given to the encoder."""
    writer: cv2.VideoWriter | None = None
    size, count = (0, 0), 0
    for picture in pictures:
        image = _read(picture)
        if writer is None:
            size = (image.shape[0], image.shape[1])
            code = cv2.VideoWriter.fourcc(*CODECS[path.suffix])
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, hertz, size[::-1])
            if not writer.isOpened():
                raise BadInput(
                    f"{path}: this OpenCV cannot write {CODECS[path.suffix]} of {size}",
                    "an OpenCV with FFmpeg, and pictures of at most 8191 pixels a side",
                    "write no video",
                )
        writer.write(_fitted(image, size))
        count += 1
    if writer is not None:
        writer.release()
    return count


def _check(aside: Path, path: Path, count: int) -> None:
    """Refuse a video that is not whole: OpenCV says nothing when the disk is full."""
    held = int(cv2.VideoCapture(str(aside), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FRAME_COUNT))
    if held != count:
        raise BadInput(
            f"{path}: the video holds {max(0, held)} of {count} frames",
            "a disk with room for it",
            "free space, or write no video",
        )


def _read(picture: Path) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.fromfile(picture, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise BadInput(f"{picture} cannot be decoded", "a whole JPEG", "remove it and run again")
    pixels: NDArray[np.uint8] = image.astype(np.uint8, copy=False)
    return pixels


def _fitted(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Fit a picture into a frame; OpenCV would drop one of another size without a word."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    scale = min(size[0] / height, size[1] / width)
    tall, wide = max(1, int(height * scale)), max(1, int(width * scale))
    top, left = (size[0] - tall) // 2, (size[1] - wide) // 2
    fitted = np.zeros((*size, 3), np.uint8)
    small = cv2.resize(image, (wide, tall), interpolation=cv2.INTER_AREA)
    fitted[top : top + tall, left : left + wide] = small
    return fitted
