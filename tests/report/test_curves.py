import math
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from sam_crack.errors import BadInput
from sam_crack.report import tradeoff as report_tradeoff
from sam_crack.report.curves import precision_recall, reliability_diagram, short_count
from sam_crack.report.tradeoff import Dot, tradeoff


def pixels(image):
    import io

    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).astype(int)


def has_colour(image, hexadecimal):
    colour = [int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(pixels(image) - colour).sum(axis=2) < 8).any())


RECALL, PRECISION = np.linspace(0, 1, 50), np.linspace(0.9, 0.2, 50)


def test_each_model_has_its_line_and_dot():
    one = precision_recall({"a": (RECALL, PRECISION)}, {"a": (0.5, 0.55)})
    two = precision_recall(
        {"a": (RECALL, PRECISION), "b": (RECALL, PRECISION / 2)}, {"a": (0.5, 0.55)}
    )
    assert has_colour(one, "#1f5fa8")
    assert not has_colour(one, "#d9541e")
    assert has_colour(two, "#d9541e")
    with pytest.raises(BadInput, match="3 curves"):
        precision_recall(dict.fromkeys("abc", (RECALL, PRECISION)), {})


def test_empty_bins_have_no_bar():
    said = np.array([0.1, math.nan, math.nan, math.nan])
    few = pixels(reliability_diagram(said, said, [100, 0, 0, 0]))
    many = pixels(reliability_diagram([0.1, 0.4, 0.6, 0.9], [0.1, 0.4, 0.5, 0.9], [100] * 4))
    blue = np.array([0x1F, 0x5F, 0xA8])
    for image, expected in ((few, False), (many, True)):
        height, width, _ = image.shape
        bars = image[int(0.75 * height) :, width // 2 :]  # the lower panel, its right half
        assert (bars == blue).all(axis=2).any() == expected
    with pytest.raises(BadInput, match="one value of each"):
        reliability_diagram([0.1], [0.1, 0.2], [1])


def test_the_same_numbers_give_the_same_bytes():
    dots = [
        Dot(name="a", cost=1e4, score=0.4, low=0.3, high=0.5),
        Dot(name="b", cost=5e6, score=0.5),
    ]
    images = [tradeoff(dots, cost="trained parameters", score="IoU") for _ in range(2)]
    assert images[0] == images[1]
    assert has_colour(images[0], "#1f5fa8")


def test_a_method_without_a_cost_is_a_line_across():
    free, paid = Dot(name="free", cost=0, score=0.5), Dot(name="paid", cost=3, score=0.6)

    def dashes(dots):
        image = pixels(tradeoff(dots, cost="time, s", score="IoU"))
        muted = (np.abs(image - (0x6B, 0x77, 0x85)) < 40).all(axis=2)
        return muted[:, image.shape[1] // 4 : -image.shape[1] // 8].sum(axis=1).max()

    assert dashes([free, paid]) > 2 * dashes([paid])
    with pytest.raises(BadInput, match="1 methods"):
        tradeoff([free], cost="time, s", score="IoU")


def test_the_baseline_has_a_colour_of_its_own():
    dots = [Dot(name=name, cost=cost, score=0.5) for name, cost in (("a", 1.0), ("b", 900.0))]
    plain = tradeoff(dots, cost="time, s", score="IoU")
    assert not has_colour(plain, "#d9541e")
    assert has_colour(tradeoff(dots, cost="time, s", score="IoU", baseline="b"), "#d9541e")


def test_names_cover_neither_each_other_nor_a_dot(monkeypatch):
    figures = []
    monkeypatch.setattr(report_tradeoff, "_render", lambda figure, _: figures.append(figure))
    crowd = [Dot(name=f"method {n}", cost=1e6 + n * 3e4, score=0.25 + n % 3 / 50) for n in range(9)]
    tradeoff([*crowd, Dot(name="far", cost=8e6, score=0.4)], cost="time, s", score="IoU")
    (axes,) = figures[0].axes
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 10
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    centres = axes.transData.transform([(dot.cost, dot.score) for dot in crowd])
    assert not any(box.contains(*centre) for box in boxes for centre in centres)


@pytest.fixture
def drawn(monkeypatch):
    """Draws a scatter and gives its axes."""

    def draw(dots, **changes):
        figures = []
        monkeypatch.setattr(report_tradeoff, "_render", lambda figure, _: figures.append(figure))
        tradeoff(dots, **({"cost": "time, s", "score": "IoU"} | changes))
        figures[0].canvas.draw()
        return figures[0].axes[0]

    return draw


@pytest.mark.parametrize("number", [3, 8, 23])
def test_a_long_note_and_the_title_do_not_meet(drawn, number):
    dots = [Dot(name=f"m{n}", cost=1.0 + n, score=0.3 + n / 99) for n in range(number)]
    note = "paveseg, all frames, 40 evenly spaced frames"
    axes = drawn(dots, note=note)
    title, told = axes._left_title, axes._right_title
    assert told.get_text() == note
    beside = title.get_window_extent().x1 < told.get_window_extent().x0
    assert beside or title.get_text().endswith("\n")


def test_methods_of_one_cost_stand_side_by_side_and_the_baseline_on_top(drawn):
    dots = [Dot(name=name, cost=9.0, score=0.4, low=0.3, high=0.5) for name in "abc"]
    axes = drawn([*dots, Dot(name="d", cost=90.0, score=0.5)], baseline="a")
    own = [line for line in axes.lines if line.get_marker() == "o"]
    places = [line.get_transform().transform(line.get_xydata())[0][0] for line in own]
    gaps = np.diff(sorted(places)[:3])
    assert gaps == pytest.approx(report_tradeoff.BESIDE_PT * axes.figure.dpi / 72)
    assert max(own, key=lambda line: line.zorder).get_color() == report_tradeoff.ORANGE
    assert "side by side" in axes.get_xlabel()
    assert "a, baseline" in [text.get_text() for text in axes.texts]


def test_names_of_lines_across_cover_no_other_name(drawn):
    free = [Dot(name=f"zero shot {n}", cost=0, score=0.05 + n / 50) for n in range(2)]
    paid = [Dot(name=f"m{n}", cost=1e4 * 2**n, score=0.06 + n / 40) for n in range(9)]
    boxes = [text.get_window_extent() for text in drawn([*free, *paid]).texts]
    assert len(boxes) == 11
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_short_times_are_plain_numbers(drawn):
    dots = [Dot(name="a", cost=0.05, score=0.4), Dot(name="b", cost=0.3, score=0.5)]
    labels = {text.get_text() for text in drawn(dots).get_xticklabels()}
    assert {"0.05", "0.1", "0.2"} <= labels


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (2e3, "2k"), (3e6, "3M"), (1e9, "1G")])
def test_pixels_are_written_shortly(value, text):
    assert short_count(value, None) == text
