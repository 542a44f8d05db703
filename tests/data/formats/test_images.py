"""Pictures and masks by mode, EXIF, size limits and damage."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from sam_crack.data.formats import images
from sam_crack.errors import BadInput

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (8, 12, 3), np.uint8)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = (
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, body)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_viewers_do(orientation: int, tmp_path: Path):
    path = tmp_path / "a.png"
    image = Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    np.testing.assert_array_equal(images.read_rgb(path), expected)
    assert images.read_size(path) == expected.shape[:2]
    assert images.read_raw_mask(path).values.shape[:2] == PIXELS.shape[:2]


def test_large_pictures_are_converted_in_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setattr(images, "_STRIP_PIXELS", 25)
    np.testing.assert_array_equal(images.read_rgb(tmp_path / "a.png"), PIXELS)


def test_alpha_and_palette_transparency_are_dropped(tmp_path: Path):
    alpha = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 7, np.uint8)])
    Image.fromarray(alpha).save(tmp_path / "a.png")
    np.testing.assert_array_equal(images.read_rgb(tmp_path / "a.png"), PIXELS)
    index = Image.fromarray(PIXELS[..., 0] % 4).convert("P")
    index.save(tmp_path / "p.png", transparency=b"\x00\x80\xff\xff")
    assert images.read_rgb(tmp_path / "p.png").shape == PIXELS.shape


@pytest.mark.parametrize(("peak", "shift"), [(255, 0), (1000, 2), (4095, 4), (65535, 8)])
def test_deep_grey_fills_eight_bits(peak: int, shift: int, tmp_path: Path):
    values = np.linspace(0, peak, 96).astype(np.uint16).reshape(8, 12)
    Image.fromarray(values).save(tmp_path / "a.png")
    rgb = images.read_rgb(tmp_path / "a.png")
    np.testing.assert_array_equal(rgb[..., 1], values >> shift)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("1", "bit"), ("P", "index"), ("L", "grey"), ("LA", "grey"), ("RGB", "colour")],
)
def test_masks_keep_their_numbers(mode: str, kind: str, tmp_path: Path):
    image = Image.fromarray(PIXELS).convert(mode)
    image.save(tmp_path / "m.png")
    raw = images.read_raw_mask(tmp_path / "m.png")
    stored = np.asarray(image if mode != "LA" else image.getchannel(0))
    assert raw.kind == kind
    np.testing.assert_array_equal(raw.values, stored)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_masks_of_either_byte_order(order: str, tmp_path: Path):
    values = (np.arange(96).reshape(8, 12) * 600).astype(np.uint16)
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "m.tif", values, byteorder=order)
    np.testing.assert_array_equal(images.read_raw_mask(tmp_path / "m.tif").values, values)


def test_grey_in_three_channels_is_grey(tmp_path: Path):
    grey = PIXELS[..., 0]
    Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(tmp_path / "m.png")
    raw = images.read_raw_mask(tmp_path / "m.png")
    assert (raw.kind, raw.lossless) == ("grey", True)
    np.testing.assert_array_equal(raw.values, grey)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_every_truncation_is_an_error(kind: str, tmp_path: Path):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind)
    whole = stream.getvalue()
    for share in (0.0, 0.3, 0.6, 0.9):
        (tmp_path / "a").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(BadInput):
            images.read_rgb(tmp_path / "a")


def test_a_bomb_is_refused_from_its_header(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png_header(40000, 40000))
    with pytest.raises(BadInput, match="40000 x 40000 pixels; 1 pixel to 200 megapixels"):
        images.read_rgb(tmp_path / "a.png")
    with pytest.raises(BadInput, match="40000"):
        images.read_raw_mask(tmp_path / "a.png")


def test_pillow_keeps_its_own_limit(tmp_path: Path):
    before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "a.png").write_bytes(png_header(40000, 40000))
    with pytest.raises(BadInput):
        images.read_size(tmp_path / "a.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_what_is_not_a_file_does_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "a.png")
    for path in (tmp_path / "a.png", tmp_path, tmp_path / "absent.png"):
        with pytest.raises(BadInput, match="no such picture file"):
            images.read_rgb(path)


def test_names_in_any_script(tmp_path: Path):
    for name in ("Straße 龟裂.png", "=cmd|' ' .png", "a\nb.png", "\u202egnp.png"):
        Image.fromarray(PIXELS).save(tmp_path / name)
        assert images.read_size(tmp_path / name) == (8, 12)
