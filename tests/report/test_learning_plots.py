"""A table of classes and a curve over images, drawn."""

import io

import numpy as np
import pytest
from PIL import Image

from sam_crack.errors import BadInput
from sam_crack.report.confusion_plot import confusion_matrix
from sam_crack.report.learning_curve import COLOURS, Reached, learning_curve


def pixels(image):
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).astype(int)


def has_colour(image, hexadecimal):
    colour = [int(hexadecimal[place : place + 2], 16) for place in (1, 3, 5)]
    return bool((np.abs(pixels(image) - colour).sum(axis=2) < 8).any())


def test_a_perfect_table_is_dark_on_its_diagonal_alone():
    whole = pixels(confusion_matrix(np.eye(3, dtype=np.int64) * 50, ("a", "b", "c")))
    mixed = pixels(confusion_matrix(np.ones((3, 3), np.int64), ("a", "b", "c")))
    dark = [(image.sum(axis=2) < 250).mean() for image in (whole, mixed)]
    assert dark[0] > 5 * dark[1]


def test_rows_are_shares_and_absent_classes_are_left_out():
    table = np.array([[5, 5, 0], [0, 900, 0], [0, 0, 0]])
    one = confusion_matrix(table, ("a", "b", "c"))
    assert one == confusion_matrix(table[:2, :2], ("a", "b"))
    assert one == confusion_matrix(np.array([[1, 1], [0, 7]]), ("a", "b"))
    with pytest.raises(BadInput, match="single pixel"):
        confusion_matrix(table * 0, ("a", "b", "c"))
    with pytest.raises(BadInput, match="3, 3"):
        confusion_matrix(table, ("a",))


def test_each_method_has_its_line():
    few = [Reached(images=1, score=0.2, low=0.1, high=0.3), Reached(images=20, score=0.6)]
    one = learning_curve({"sam": few}, score="aji")
    two = learning_curve({"sam": few, "unet": few[:1], "none": []}, score="aji")
    assert has_colour(one, COLOURS[0])
    assert not has_colour(one, COLOURS[1])
    assert has_colour(two, COLOURS[1])
    assert two == learning_curve({"sam": few[::-1], "unet": few[:1]}, score="aji")
    with pytest.raises(BadInput, match="no method"):
        learning_curve({"none": []}, score="aji")
