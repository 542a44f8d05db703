"""A drive's pictures as a video: H.264 through PyAV, or Motion JPEG through OpenCV."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput


def can_h264() -> bool:
    """Whether PyAV is installed with an encoder; OpenCV's own wheel cannot write H.264."""
    if importlib.util.find_spec("av") is None:
        return False
    import av

    return "libx264" in av.codecs_available


def write_video(path: Path, pictures: Iterable[Path], *, seconds_per_frame: float) -> None:
    """Write the pictures as one video, aside first and then in one step."""
    aside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        if path.suffix == ".mp4":
            _write_h264(aside, pictures, Fraction(1 / seconds_per_frame).limit_denominator(1000))
        else:
            _write_mjpeg(aside, pictures, 1 / seconds_per_frame)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _read(picture: Path) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(picture.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise BadInput(f"{picture} cannot be decoded", "a whole JPEG", "remove it and run again")
    pixels: NDArray[np.uint8] = image.astype(np.uint8, copy=False)
    return pixels


def _write_mjpeg(path: Path, pictures: Iterable[Path], hertz: float) -> None:
    writer: cv2.VideoWriter | None = None
    count = 0
    for picture in pictures:
        image = _read(picture)
        if writer is None:
            height, width = image.shape[:2]
            code = cv2.VideoWriter.fourcc(*"MJPG")
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, hertz, (width, height))
            if not writer.isOpened():
                raise BadInput(
                    f"{path}: this OpenCV cannot write Motion JPEG",
                    "an OpenCV with FFmpeg",
                    "use --video none",
                )
        writer.write(image)
        count += 1
    if writer is None:
        return
    writer.release()
    held = int(cv2.VideoCapture(str(path), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FRAME_COUNT))
    if held != count:  # OpenCV says nothing when the disk is full
        raise BadInput(
            f"{path}: the video holds {max(0, held)} of {count} frames",
            "a disk with room for it",
            "free space, or use --video none",
        )


def _write_h264(path: Path, pictures: Iterable[Path], hertz: Fraction) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = None
        for picture in pictures:
            image = _read(picture)
            # its colours are stored for two by two pixels: an odd last row or column is left out
            even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
            if stream is None:
                stream = container.add_stream("libx264", rate=hertz, options={"crf": "20"})
                stream.height, stream.width = even.shape[:2]
                stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="bgr24")
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
