"""A page of samples shows each frame four times, at the threshold it is asked for."""

import numpy as np

from sam_crack.report.overlay import CRACK, FALSE, FOUND, MISSED
from sam_crack.report.panels import TILE_WIDTH, Panel, sample_page


def panel(**changes) -> Panel:
    image = np.full((200, 400, 3), 128, np.uint8)
    truth, prob = np.zeros((200, 400), np.uint8), np.zeros((200, 400), np.uint8)
    truth[40:50, 50:350], prob[40:50, 50:350] = 1, 200
    truth[90:100, 50:350] = 1
    prob[150:160, 50:350] = 120
    return Panel(**({"id": "frame-7", "image": image, "truth": truth, "prob": prob} | changes))


def has(page: np.ndarray, colour: tuple[int, int, int], column: int) -> bool:
    left = 12 + column * (TILE_WIDTH + 12)
    part = page[40:, left : left + TILE_WIDTH]
    return bool((part == np.array(colour)).all(axis=2).any())


def test_columns_show_image_truth_prediction_and_error():
    page = sample_page([panel()], level=128, title="run")
    assert [has(page, CRACK, column) for column in range(4)] == [False, True, True, False]
    assert has(page, FOUND, 3)
    assert has(page, MISSED, 3)
    assert not has(page, FALSE, 3)


def test_a_lower_level_marks_more():
    assert has(sample_page([panel()], level=100, title="run"), FALSE, 3)


def test_ignored_pixels_are_neither_missed_nor_false():
    ignore = np.zeros((200, 400), np.bool_)
    ignore[80:] = True
    page = sample_page([panel(ignore=ignore)], level=100, title="run")
    assert has(page, FOUND, 3)
    assert not has(page, MISSED, 3)
    assert not has(page, FALSE, 3)


def test_every_frame_has_a_row():
    one, three = (sample_page([panel()] * count, level=128, title="run") for count in (1, 3))
    assert one.shape[1] == three.shape[1]
    assert three.shape[0] - one.shape[0] == 2 * (200 + 12 + 17)


def test_a_pixel_of_another_class_is_neither_found_nor_missed():
    truth, classes = np.zeros((2, 200, 400), np.uint8)
    truth[40:90, 50:150], truth[40:90, 200:300] = 1, 2
    classes[40:90, 50:150], classes[40:90, 200:300] = 1, 1
    rim = np.zeros((200, 400), np.uint8)
    rim[150:160] = 200
    colours = {"first": (0, 160, 0), "second": (0, 0, 160)}
    one = panel(truth=truth, classes=classes, rim=rim, image=np.zeros((200, 400, 3), np.uint8))
    page = sample_page([one], level=128, title="run", colours=colours)
    half = {name: tuple(part // 2 for part in colour) for name, colour in colours.items()}
    assert has(page, half["first"], 1)
    assert has(page, half["second"], 1)
    assert not has(page, half["second"], 2)
    assert has(page, (127, 127, 127), 2)  # the border
    assert has(page, (75, 35, 100), 3)  # the wrong class
    assert has(page, FOUND, 3)
    assert not has(page, MISSED, 3)
