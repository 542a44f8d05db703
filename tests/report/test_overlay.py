"""Overlays: visible when small, honest about pixels, apart for colour-blind eyes."""

import io
import itertools

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_cie76, rgb2lab

from sam_crack.errors import BadInput
from sam_crack.report import lettering, overlay
from sam_crack.report.overlay import Label, draw_overlay, thumbnail

GREY = 110


def _frame(height=360, width=640):
    return np.full((height, width, 3), GREY, dtype=np.uint8)


def _line(height=360, width=640, row=200):
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[row, width // 6 : -width // 6] = 1
    return mask


def _is(drawn, colour):
    return (drawn == np.array(colour)).all(axis=-1)


@pytest.mark.parametrize("size", [(360, 640), (1080, 1920), (2160, 3840)])
def test_a_hairline_is_seen_on_a_thumbnail(size):
    small = thumbnail(draw_overlay(_frame(*size), _line(*size, row=size[0] // 2)), 480)
    seen = np.asarray(Image.open(io.BytesIO(small)), dtype=int)
    middle = seen[:, 240]
    assert np.abs(middle - GREY).max() > 60
    assert np.abs(seen[:, 10] - GREY).max() < 12


def test_what_is_inside_the_outline_stays_visible():
    frame = np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    mask = np.zeros((90, 160), dtype=bool)
    mask[30:60, 40:90] = True
    drawn = draw_overlay(frame, mask)
    inside = np.corrcoef(drawn[mask].ravel(), frame[mask].ravel())[0, 1]
    assert inside > 0.8
    assert not _is(drawn, overlay.CRACK)[mask].any()


def test_nothing_else_is_touched_and_the_frame_stays_as_it_was():
    frame, mask = _frame(), _line()
    drawn = draw_overlay(frame, mask)
    assert (frame == GREY).all()
    far = cv2.dilate(mask, np.ones((15, 15), np.uint8)) == 0
    assert (drawn[far] == GREY).all()
    assert np.array_equal(draw_overlay(frame, np.zeros_like(mask)), frame)


def test_found_missed_and_false_have_their_colours():
    truth, mask = _line(row=100) | _line(row=200), _line(row=200) | _line(row=300)
    drawn = draw_overlay(_frame(), mask, truth=truth, legend=False)
    assert _is(drawn, overlay.MISSED)[98:103].any()
    assert _is(drawn, overlay.FOUND)[198:203].any()
    assert _is(drawn, overlay.FALSE)[298:303].any()
    assert not _is(drawn, overlay.MISSED)[190:].any()
    assert not _is(drawn, overlay.FALSE)[:290].any()


@pytest.mark.parametrize(("shift", "colours"), [(3, {"found"}), (4, {"missed", "false"})])
def test_the_tolerance_is_exact(shift, colours):
    drawn = draw_overlay(
        _frame(), _line(row=200 + shift), truth=_line(row=200), tolerance_px=3, legend=False
    )
    named = {name for name, colour in overlay.KEY if _is(drawn, colour).any()}
    assert named == colours


def test_the_legend_appears_only_with_truth():
    corner = slice(0, 60), slice(0, 200)
    with_truth = draw_overlay(_frame(), _line(), truth=_line())
    assert (with_truth[corner] != GREY).any()
    assert (draw_overlay(_frame(), _line())[corner] == GREY).all()
    assert (draw_overlay(_frame(), _line(), truth=_line(), legend=False)[corner] == GREY).all()


def _plates(drawn):
    """The dark plates under labels, as boxes."""
    dark = (drawn.max(axis=-1) < 60).astype(np.uint8)
    closed = cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed)
    return [tuple(row[:4]) for row in stats[1:] if row[4] > 200]


def test_labels_keep_off_each_other_and_off_the_legend(monkeypatch):
    places, real = [], lettering._label
    monkeypatch.setattr(lettering, "_label", lambda *a: places.append(real(*a)) or places[-1])
    labels = [Label(text=f"{number}: 1.2 m", y=40, x=60 + 4 * number) for number in range(5)]
    with_legend = draw_overlay(_frame(), _line(), truth=_line(), labels=labels)
    legend = lettering.Box(7, 7, 150, 40)
    assert (with_legend[8:12, 30:60] != GREY).any()
    assert not any(one.hits(other) for one, other in itertools.combinations(places, 2))
    assert not any(place.hits(legend) for place in places)


@pytest.mark.parametrize(("y", "x"), [(0, 0), (359, 639), (0, 639), (359, 0), (-50, 900)])
def test_labels_stay_inside_the_frame(y, x):
    empty = np.zeros((360, 640), bool)
    drawn = draw_overlay(_frame(), empty, labels=[Label(text="12: 0.8 m", y=y, x=x)])
    (plate,) = _plates(drawn)
    assert plate[2] > 60  # whole: as wide as anywhere else
    assert (drawn.max(axis=-1) > 200).any()  # the letters


@pytest.mark.parametrize("text", ["", "Länge 3 m", "裂缝 7", "<b>"])
def test_any_text_can_be_a_label(text):
    empty = np.zeros((360, 640), bool)
    drawn = draw_overlay(_frame(), empty, labels=[Label(text=text, y=99, x=99)])
    assert drawn.shape == (360, 640, 3)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(BadInput, match=r"mask of shape \(10, 10\) for a frame of \(360, 640\)"):
        draw_overlay(_frame(), np.zeros((10, 10), bool))
    with pytest.raises(BadInput, match="a truth of shape"):
        draw_overlay(_frame(), _line(), truth=np.zeros((10, 10), bool))
    with pytest.raises(BadInput, match="a frame of float64"):
        draw_overlay(np.zeros((9, 9, 3)), np.zeros((9, 9), bool))


def test_a_thumbnail_has_its_width_and_is_never_enlarged():
    assert Image.open(io.BytesIO(thumbnail(_frame(), 320))).size == (320, 180)
    assert Image.open(io.BytesIO(thumbnail(_frame(), 3200))).size == (640, 360)


def test_a_thumbnail_keeps_red_red():
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 200
    assert np.asarray(Image.open(io.BytesIO(thumbnail(red, 30))))[10, 10].argmax() == 0


# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision
# Deficiency (2009), table of severity 1.0, on linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_are_apart_for_every_eye(vision):
    def seen(colour):
        linear = np.asarray(VISIONS[vision]) @ (np.array(colour) / 255) ** 2.2
        return rgb2lab(np.clip(linear, 0, 1)[None, None] ** (1 / 2.2))[0, 0]

    colours = [overlay.FOUND, overlay.MISSED, overlay.FALSE, (GREY, GREY, GREY)]
    pairs = itertools.combinations(map(seen, colours), 2)
    assert min(deltaE_cie76(one, other) for one, other in pairs) > 35
    assert deltaE_cie76(seen(overlay.CRACK), seen((GREY, GREY, GREY))) > 35


@pytest.mark.realdata
def test_a_real_frame_keeps_every_annotated_crack_visible(data_root):
    folder = data_root / "dnit" / "Dataset" / "1014677_RS_386_386RS124739_30310"
    frame = np.asarray(Image.open(folder / f"{folder.name}_RAW.jpg").convert("RGB"))
    truth = np.asarray(Image.open(folder / f"{folder.name}_CRACK.png").convert("L")) > 0
    drawn = draw_overlay(frame, truth)
    count, parts = cv2.connectedComponents(truth.astype(np.uint8))
    outline = cv2.dilate(parts.astype(np.uint16), np.ones((3, 3))) * _is(drawn, overlay.CRACK)
    assert len(np.unique(outline)) - 1 > 0.95 * (count - 1)
