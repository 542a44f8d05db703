"""Stored numbers to classes, and the refusal of numbers without a meaning."""

from pathlib import Path

import numpy as np
import pytest

from sam_crack.data.formats.encoding import Binary, Colours, Levels, decode
from sam_crack.data.formats.images import RawMask
from sam_crack.errors import BadInput

HERE = Path("mask.png")


def raw(values: list[list[int]], kind: str = "grey", *, lossless: bool = True) -> RawMask:
    return RawMask(values=np.array(values, np.uint8), kind=kind, lossless=lossless)


def test_black_and_white_is_cut_in_the_middle():
    assert decode(raw([[0, 127, 128, 255]]), Binary(), HERE).mask.tolist() == [[0, 0, 1, 1]]


def test_zero_and_one_is_not_read_as_all_background():
    assert decode(raw([[0, 1]]), Binary(), HERE).mask.tolist() == [[0, 1]]


def test_a_mask_below_the_cut_is_refused():
    with pytest.raises(BadInput, match="brightest value 30; this data set's masks hold two levels"):
        decode(raw([[0, 30]]), Binary(), HERE)


def test_jpeg_noise_is_background():
    assert decode(raw([[0, 6, 1]], lossless=False), Binary(), HERE).mask.sum() == 0


@pytest.mark.parametrize("values", [[[255, 255, 0]], [[0, 0, 255]]])
def test_the_rarer_level_is_the_class(values: list[list[int]]):
    assert decode(raw(values), Binary(rare=True), HERE).mask.sum() == 1


def test_black_ink():
    assert decode(raw([[0, 255]]), Binary(inverted=True), HERE).mask.tolist() == [[1, 0]]


def test_levels_and_ignored_ones():
    found = decode(raw([[0, 5, 255]]), Levels(classes={0: 0, 5: 2}, ignore=frozenset({255})), HERE)
    assert found.mask.tolist() == [[0, 2, 0]]
    assert found.ignore.tolist() == [[False, False, True]]


def test_an_unknown_level_is_named():
    with pytest.raises(
        BadInput, match=r"mask.png: values 7; this data set's masks hold levels 0, 5"
    ):
        decode(raw([[0, 7]]), Levels(classes={0: 0, 5: 1}), HERE)


def test_other_levels_can_be_background():
    assert decode(raw([[9, 5]]), Levels(classes={5: 1}, others=True), HERE).mask.tolist() == [
        [0, 1]
    ]


def test_numbers_beyond_sixteen_bits_are_refused():
    huge = RawMask(values=np.array([[0, 1 << 20]], np.int32), kind="grey", lossless=True)
    with pytest.raises(BadInput, match="values 0 to 1048576"):
        decode(huge, Levels(classes={0: 0}), HERE)


COLOURS = Colours(classes={(0, 0, 0): 0, (84, 105, 77): 1}, ignore=frozenset({(9, 9, 9)}))


def test_colours_and_grey_read_alike():
    pixels = [[[84, 105, 77], [9, 9, 9], [0, 0, 0]]]
    found = decode(raw(pixels, "colour"), COLOURS, HERE)
    assert (found.mask.tolist(), found.ignore.tolist()) == ([[1, 0, 0]], [[False, True, False]])
    assert decode(raw([[9, 0]]), COLOURS, HERE).ignore.tolist() == [[True, False]]


def test_an_unknown_colour_is_named():
    with pytest.raises(BadInput, match="colours #010203"):
        decode(raw([[[1, 2, 3]]], "colour"), COLOURS, HERE)
