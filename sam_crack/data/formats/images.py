"""Pictures and masks from disk with Pillow: header first, then pixels, by mode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sam_crack.errors import BadInput, SamCrackError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MAX_MEGAPIXELS = 200
# A short list: every further decoder is attack surface that no data set here needs.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF")
_LOSSY = {"JPEG", "MPO", "WEBP"}
# What reading may take at once, and the strip in which large pictures are converted.
_MAX_MEGABYTES = 850
_STRIP_PIXELS = 1 << 22
_guard_lock = threading.Lock()
Kind = Literal["bit", "index", "grey", "colour"]


@dataclass(frozen=True, kw_only=True)
class RawMask:
    """A mask as stored, before any value is given a meaning."""

    values: NDArray[np.integer]
    """(height, width) numbers, or (height, width, 3) colours when the channels differ."""
    kind: Kind
    """1-bit, palette index, grey level or RGB."""
    lossless: bool
    """False for JPEG and WebP, whose values are smeared around the true ones."""


@contextmanager
def opened(path: Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> Iterator[Image.Image]:
    """Open a picture with only its header read; whatever fails inside becomes a BadInput."""
    if not path.is_file():
        raise BadInput(f"{path}: no such picture file", "a readable picture", "check the path")
    try:
        with path.open("rb") as stream:
            with _guard_lock:
                # Pillow warns at 89 megapixels; the limit below refuses instead, and is ours.
                former, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
                try:
                    image = Image.open(stream, formats=_FORMATS)
                finally:
                    Image.MAX_IMAGE_PIXELS = former
            _refuse_size(path, image.size, max_megapixels)
            with image:
                yield image
    except SamCrackError:
        raise
    except Exception as error:  # decoders raise a dozen types on damaged files
        raise BadInput(
            f"{path}: cannot be decoded: {_in_words(path, error)}",
            "an undamaged PNG, JPEG, TIFF, BMP, WebP, PPM or GIF",
            "fetch the file again, or remove it",
        ) from error


class _NoClasses(ValueError):
    """Numbers that this package gives no meaning."""


def _in_words(path: Path, error: Exception) -> str:
    """Say what is wrong with a picture without the words of a decoder."""
    match error:
        case UnidentifiedImageError():
            none = "it is no picture of the kinds that are read, or its beginning is damaged"
            return none if path.stat().st_size else "it is empty"
        case MemoryError():
            return "there is too little memory for it"
        case _NoClasses():
            return str(error)
        case OSError(strerror=str(why)):  # of the system, not of a decoder
            return why
        case _ if "truncated" in str(error).lower():
            return "it is cut short"
        case _:
            return "it is damaged"


def _refuse_size(path: Path, size: tuple[int, int], max_megapixels: float) -> None:
    """Raise where a header claims more pixels than are decoded."""
    width, height = size
    if not 0 < width * height <= max_megapixels * 1e6:
        raise BadInput(
            f"{path}: its header says {width} x {height} pixels",
            f"1 pixel to {max_megapixels:.0f} megapixels of this kind",
            "check that the file is what it claims to be, or cut it into tiles",
        )


def read_size(path: Path) -> tuple[int, int]:
    """Return (height, width) as `read_rgb` would, from the header alone."""
    with opened(path) as image:
        width, height = image.size
        turned = _orientation(image) >= 5
    return (width, height) if turned else (height, width)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; anything else counts as upright.

    In a PNG it counts where it stands before the pixels: looking further decodes them.
    """
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    stated = image.getexif().get(0x0112, 1)
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1


def read_rgb(path: Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> NDArray[np.uint8]:
    """Read (height, width, 3) RGB; an EXIF orientation is applied, as every viewer does.

    Alpha is dropped. 16-bit grey is scaled from the narrowest of 8, 10, 12, 14 or 16 bits that
    holds the brightest pixel, because a 12-bit X-ray stored in 16 bits is black otherwise.
    """
    with opened(path, max_megapixels=max_megapixels) as image:
        deep = image.mode.startswith(("I", "F"))
        turn = _orientation(image)
        cost = 20 if deep else 10 if turn > 1 else 4 if image.mode in {"1", "L", "P"} else 7
        _refuse_size(path, image.size, min(max_megapixels, _MAX_MEGABYTES / cost))
        image.info.pop("transparency", None)  # it would be warned about, and is dropped anyway
        pixels = _deep_to_rgb(np.asarray(image)) if deep else _in_strips(image)
        return pixels if turn == 1 else np.ascontiguousarray(_upright(pixels, turn))


def _in_strips(image: Image.Image) -> NDArray[np.uint8]:
    """Convert to RGB a few rows at a time: Pillow holds four bytes per pixel, and copies twice."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = image if rows >= height else image.crop((0, top, width, bottom))
        pixels[top:bottom] = np.asarray(strip.convert("RGB"))
    return pixels


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn and mirror stored pixels by an EXIF orientation from 2 to 8."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return pixels


def _deep_to_rgb(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Scale more than 8 bits of grey to three equal 8-bit channels."""
    if values.dtype.kind == "f":
        raise _NoClasses("it holds floating-point numbers")
    peak = max(int(values.max()), 0)
    bits = next(bits for bits in (8, 10, 12, 14, 16, 32) if peak < 2**bits)
    grey = (np.clip(values, 0, None).astype(np.uint32) >> (bits - 8)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def read_raw_mask(
    path: Path, *, as_colours: bool = False, max_megapixels: float = MAX_MEGAPIXELS
) -> RawMask:
    """Read a mask's stored numbers: palette indices stay indices; EXIF is never applied.

    RGB whose channels are equal everywhere is grey; an alpha channel carries no class.

    Args:
        path: Mask file.
        as_colours: Look palette indices up and keep grey as RGB, for colour-coded classes.
        max_megapixels: Largest size that is decoded.
    """
    with opened(path, max_megapixels=max_megapixels) as image:
        single = image.mode in {"1", "L", "P"} and not as_colours
        _refuse_size(path, image.size, min(max_megapixels, _MAX_MEGABYTES / (4 if single else 18)))
        values, kind = _stored(image, as_colours=as_colours)
        return RawMask(values=values, kind=kind, lossless=image.format not in _LOSSY)


def read_numbers(path: Path) -> NDArray[np.integer]:
    """Read (height, width) numbers, such as of objects; a picture of colours is refused."""
    raw = read_raw_mask(path)
    if raw.values.ndim != 2:
        raise BadInput(f"{path}: colours", "one number per pixel", "fetch the file again")
    return raw.values


def _stored(image: Image.Image, *, as_colours: bool) -> tuple[NDArray[np.integer], Kind]:
    """Return the numbers of a picture by its mode."""
    mode = image.mode
    if mode == "F":
        raise _NoClasses("it holds floating-point numbers instead of classes")
    if mode.startswith("I"):
        return np.asarray(image).astype(np.int32), "grey"
    if as_colours:
        return np.array(image.convert("RGB")), "colour"
    if mode in {"1", "P"}:
        return np.array(image, np.uint8), "bit" if mode == "1" else "index"
    if mode in {"L", "LA", "La"}:
        return np.array(image if mode == "L" else image.getchannel(0)), "grey"
    pixels = np.array(image if mode == "RGB" else image.convert("RGB"))
    red = pixels[..., 0]
    if np.array_equal(red, pixels[..., 1]) and np.array_equal(red, pixels[..., 2]):
        return red.copy(), "grey"
    return pixels, "colour"
