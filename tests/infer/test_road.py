import pytest

from sam_crack.errors import UsageError
from sam_crack.infer.road import parse_road


@pytest.mark.parametrize(
    ("text", "rows"),
    [("all", None), ("band:0,1", None), ("band:0.4,1", (400, 1000)), ("band:.25,.5", (250, 500))],
)
def test_roads_are_read(text, rows):
    assert parse_road(text).rows(1000) == rows


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
    assert parse_road("band:0.99,1").rows(3) == (2, 3)
