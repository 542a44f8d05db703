"""The page: complete, escaped, without a single address outside itself."""

import base64
import hashlib
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from sam_crack.report.html import render, write_report
from sam_crack.report.markup import data_uri, escape, tag
from sam_crack.report.overlay import jpeg
from sam_crack.report.page import (
    Column,
    Command,
    Fact,
    Gallery,
    Mark,
    Notes,
    Picture,
    Plot,
    Plots,
    Report,
    RoadMap,
    Table,
)
from sam_crack.report.plots import scatter_lengths

EVIL = """<script>alert(1)</script>"'&--><img src=x onerror=alert(1)>\x00\udcff"""
IMAGE = jpeg(np.zeros((30, 40, 3), np.uint8))
VOID = {"meta", "img", "br"}


class _Page(HTMLParser):
    """Every element with its attributes; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, words):
        self.words += words

    def all(self, name):
        return [attributes for element, attributes in self.elements if element == name]


def _report(text: str = "plain") -> Report:
    picture = Picture(image=IMAGE, thumbnail=IMAGE, title=text, caption=text)
    place = [(50.0, 8.0), (50.001, 8.002)]
    return Report(
        title=text,
        subtitle=text,
        footer=text,
        facts=[Fact(label=text, value=text, note=text)],
        sections=[
            Gallery(title=text, pictures=[picture] * 3, note=text, key=[(text, (255, 0, 9))]),
            Table(
                title=text,
                columns=[Column(name=text, unit=text), Column(name="n", digits=1)],
                rows=[(text, 1.25), ("b", None), ("low", -1234.5)],
                note=text,
            ),
            Plots(title=text, plots=[Plot(image=IMAGE, alt=text, caption=text)], note=text),
            RoadMap(
                title=text,
                track=place,
                marks=[Mark(lat_lon=place[:1], severity="high", text=text)],
                note=text,
            ),
            Notes(title=text, items=[text]),
            Command(title=text, lines=[text], note=text),
        ],
    )


def test_every_section_is_there_and_every_tag_closes():
    page = _Page(render(_report()))
    assert [section["class"] for section in page.all("section")] == [
        "gallery",
        "table",
        "plots",
        "roadmap",
        "notes",
        "command",
    ]
    assert page.words.count("plain") > 20


def test_no_text_becomes_markup():
    plain, hostile = _Page(render(_report())), _Page(render(_report(EVIL)))
    assert [name for name, _ in hostile.elements] == [name for name, _ in plain.elements]
    allowed = {name for _, attributes in plain.elements for name in attributes}
    assert {name for _, attributes in hostile.elements for name in attributes} == allowed
    assert not any(name.startswith("on") for name in allowed)
    assert len(hostile.all("script")) == 1
    assert "<script>alert(1)</script>" in hostile.words


def test_odd_file_names_can_be_written(tmp_path):
    write_report(tmp_path / "report.html", _report("frame_\udce9\x07.jpg"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "frame_\ufffd\ufffd.jpg" in text


def test_nothing_is_fetched_from_anywhere():
    text = render(_report(EVIL))
    for name, attributes in _Page(text).elements:
        for key in ("src", "href"):
            if key in attributes:
                assert attributes[key].startswith("data:image/" if key == "src" else "#"), name
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp|https?://(?!www\.w3\.org)", text)


def test_links_lead_to_something():
    page = _Page(render(_report()))
    targets = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {attributes["href"][1:] for attributes in page.all("a")}
    assert links <= targets
    assert len([name for name in targets if "p" in name]) == 3


def test_the_policy_admits_this_script_and_this_style_only():
    text = render(_report(EVIL))
    policy = next(meta["content"] for meta in _Page(text).all("meta") if "http-equiv" in meta)
    for name in ("script", "style"):
        (inside,) = re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not any("style" in attributes for _, attributes in _Page(text).elements)


def test_pictures_are_inside_and_whole():
    sources = [image["src"] for image in _Page(render(_report())).all("img")]
    assert len(sources) == 7
    for source in sources:
        content = base64.b64decode(source.partition("base64,")[2])
        assert Image.open(io.BytesIO(content)).size == (40, 30)


def test_numbers_are_right_aligned_and_sortable():
    page = _Page(render(_report()))
    cells = [cell for cell in page.all("td") if cell["class"] == "number"]
    assert [cell.get("data-value") for cell in cells] == ["1.25", None, "-1234.5"]
    assert "\u22121,234.5" in page.words
    assert page.all("th")[0]["class"] == "word"
    assert page.all("th")[1]["class"] == "number"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [(3, "3"), (12345, "12,345"), (0.06, "0.1"), (-0.01, "0.0"), (None, "\u2013"),
     (float("nan"), "\u2013"), (True, "yes"), ("a", "a")],
)  # fmt: skip
def test_cells_are_shown_as_people_write_them(cell, shown):
    table = Table(title="t", columns=[Column(name="c")], rows=[(cell,)])
    text = render(Report(title="", sections=[table]))
    assert re.search(r"<td[^>]*>(.*?)</td>", text)[1].replace("&#8211;", "\u2013") == shown


def test_a_row_of_another_length_is_our_own_mistake():
    table = Table(title="t", columns=[Column(name="c")], rows=[(1, 2)])
    with pytest.raises(ValueError, match="zip"):
        render(Report(title="", sections=[table]))


@pytest.mark.parametrize(
    "section",
    [
        Gallery(title="t", pictures=[]),
        Table(title="t", columns=[Column(name="c")], rows=[]),
        Plots(title="t", plots=[]),
        Notes(title="t", items=[]),
        Command(title="t", lines=[]),
    ],
)
def test_empty_sections_are_drawn(section):
    _Page(render(Report(title="t", sections=[section])))
    _Page(render(Report(title="t")))


def test_the_same_report_gives_the_same_bytes():
    assert render(_report()) == render(_report())


def test_svg_plots_are_kept_apart_from_the_page():
    plot = Plot(image=scatter_lengths([1.0], [1.1], format="svg"), alt="lengths")
    page = _Page(render(Report(title="t", sections=[Plots(title="p", plots=[plot])])))
    assert page.all("img")[0]["src"].startswith("data:image/svg+xml;base64,")
    assert page.all("svg") == []


def test_unknown_pictures_are_refused():
    with pytest.raises(ValueError, match="neither"):
        data_uri(b"GIF89a")


def test_attributes_are_quoted_and_renamed():
    assert tag("a", "x", klass='"', data_tip="<") == '<a class="&quot;" data-tip="&lt;">x</a>'
    assert escape("\x00a\ud800\ufffe") == "\ufffda\ufffd\ufffd"
