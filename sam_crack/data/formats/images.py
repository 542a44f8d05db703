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
from PIL import Image, ImageOps

from sam_crack.errors import BadInput, SamCrackError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MAX_MEGAPIXELS = 200
# A short list: every further decoder is attack surface that no data set here needs.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF")
_LOSSY = {"JPEG", "MPO", "WEBP"}
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
            width, height = image.size
            if width * height > max_megapixels * 1e6 or not width * height:
                raise BadInput(
                    f"{path}: its header says {width} x {height} pixels",
                    f"1 pixel to {max_megapixels:g} megapixels",
                    "check that the file is what it claims to be, or cut it into tiles",
                )
            with image:
                yield image
    except SamCrackError:
        raise
    except Exception as error:  # decoders raise a dozen types on damaged files
        raise BadInput(
            f"{path}: cannot be decoded ({type(error).__name__}: {error})",
            "an undamaged PNG, JPEG, TIFF, BMP, WebP, PPM or GIF",
            "fetch the file again, or remove it",
        ) from error


def read_size(path: Path) -> tuple[int, int]:
    """Return (height, width) as `read_rgb` would, from the header alone."""
    with opened(path) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
    return (width, height) if turned else (height, width)


def read_rgb(path: Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> NDArray[np.uint8]:
    """Read (height, width, 3) RGB; an EXIF orientation is applied, as every viewer does.

    Alpha is dropped. 16-bit grey is scaled from the narrowest of 8, 10, 12, 14 or 16 bits that
    holds the brightest pixel, because a 12-bit X-ray stored in 16 bits is black otherwise.
    """
    with opened(path, max_megapixels=max_megapixels) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            return _deep_to_rgb(np.asarray(upright))
        pixels: NDArray[np.uint8] = np.array(upright.convert("RGB"))
        return pixels


def _deep_to_rgb(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Scale more than 8 bits of grey to three equal 8-bit channels."""
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
        values, kind = _stored(image, as_colours=as_colours)
        return RawMask(values=values, kind=kind, lossless=image.format not in _LOSSY)


def _stored(image: Image.Image, *, as_colours: bool) -> tuple[NDArray[np.integer], Kind]:
    """Return the numbers of a picture by its mode."""
    mode = image.mode
    if mode == "F":
        raise ValueError("floating-point numbers instead of classes")
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
