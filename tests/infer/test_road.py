import numpy as np
import pytest

from sam_crack.errors import UsageError
from sam_crack.infer.road import parse_road


@pytest.mark.parametrize("text", ["all", "band:0,1"])
def test_all_of_a_frame_needs_no_gate(text):
    assert parse_road(text).gate((1000, 1500)) is None


def test_a_band_counts_wholly_and_fades_beyond():
    rows = parse_road("band:0.4,0.7").gate((1000, 1500)).at((1000, 1500))[:, 0]
    assert (rows[400:700] == 1).all()
    assert (rows[: 400 - 50] == 0).all()
    assert (rows[700 + 50 :] == 0).all()
    assert (np.diff(rows[:550]) >= 0).all()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "band",
        "band:",
        "band:1",
        "band:.5,.5",
        "band:.6,.2",
        "band:0,2",
        "band:a,b",
        "band:nan,1",
        "band:0,.5,1",
        "lane",
        "ALL",
    ],
)
def test_other_words_are_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"band:0\.4,1"):
        parse_road(text)


def test_a_sliver_of_a_tiny_frame_is_at_least_a_row():
    assert parse_road("band:0.99,1").gate((3, 3)).bounds((3, 3))[0] == (2, 3)
