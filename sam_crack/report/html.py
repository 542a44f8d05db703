"""One self-contained page: no network, no foreign code, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import assert_never

from sam_crack.durable import write_text
from sam_crack.report.markup import data_uri, escape, tag
from sam_crack.report.page import (
    Cell,
    Column,
    Command,
    Fact,
    Gallery,
    Notes,
    Picture,
    Plots,
    Report,
    RoadMap,
    Section,
    Table,
)
from sam_crack.report.roadmap import draw_map, is_number, legend, severity_of

WIDE_PX, NARROW_PX = 1080, 350
"""The map is drawn twice, so that its letters and symbols fit a desktop and a phone."""


def write_report(path: Path, report: Report) -> None:
    """Write the report as one HTML file that opens anywhere, offline."""
    write_text(path, render(report))


def render(report: Report) -> str:
    """Return the whole page."""
    style, script = _asset("style.css"), _asset("script.js")
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{_fingerprint(style)}'; script-src 'sha256-{_fingerprint(script)}'"
    )
    head = (
        '<meta charset="utf-8">'
        # Whatever slips through: the browser runs this script, this style, and nothing else.
        + tag("meta", http_equiv="Content-Security-Policy", content=policy)
        + tag("meta", name="viewport", content="width=device-width, initial-scale=1")
        + tag("meta", name="referrer", content="no-referrer")
        + tag("title", escape(report.title))
        + f"<style>{style}</style>"
    )
    sections = [(f"s{number}", one) for number, one in enumerate(report.sections, start=1)]
    body = _header(report, sections)
    body += tag("main", "".join(_section(key, one) for key, one in sections))
    body += tag("footer", escape(report.footer)) if report.footer else ""
    body += f"<script>{script}</script>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _asset(name: str) -> str:
    return files("sam_crack.report").joinpath(name).read_text(encoding="utf-8")


def _fingerprint(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _header(report: Report, sections: Sequence[tuple[str, Section]]) -> str:
    links = "".join(tag("a", escape(one.title), href=f"#{key}") for key, one in sections)
    inner = tag("h1", escape(report.title))
    inner += tag("p", escape(report.subtitle), klass="subtitle") if report.subtitle else ""
    inner += tag("nav", links, aria_label="Contents") if len(sections) > 1 else ""
    inner += tag("dl", "".join(map(_fact, report.facts)), klass="facts") if report.facts else ""
    return tag("header", inner)


def _fact(fact: Fact) -> str:
    note = tag("dd", escape(fact.note), klass="note") if fact.note else ""
    return tag("div", tag("dt", escape(fact.label)) + tag("dd", escape(fact.value)) + note)


def _section(key: str, section: Section) -> str:
    """Render one section by what it is."""
    note = "" if isinstance(section, Notes) else section.note
    match section:
        case Gallery():
            inner = _gallery(key, section)
        case Table():
            inner = _table(section)
        case Plots():
            inner = _plots(section)
        case RoadMap():
            inner = _map(section)
        case Notes():
            inner = tag("ul", "".join(tag("li", escape(item)) for item in section.items))
        case Command():
            lines = tag("code", escape("\n".join(section.lines)))
            button = tag("button", "Copy", type="button", klass="copy", hidden="")
            inner = tag("div", tag("pre", lines) + button, klass="command")
        case _:
            assert_never(section)
    lead = tag("p", escape(note), klass="lead") if note else ""
    kind = type(section).__name__.lower()
    return tag("section", tag("h2", escape(section.title)) + lead + inner, id=key, klass=kind)


def _gallery(key: str, gallery: Gallery) -> str:
    names = [f"{key}p{number}" for number in range(1, len(gallery.pictures) + 1)]
    small, large = [], []
    for number, (name, picture) in enumerate(zip(names, gallery.pictures, strict=True)):
        image = tag("img", src=data_uri(picture.thumbnail), alt=picture.title)
        caption = tag("b", escape(picture.title)) + escape(picture.caption)
        figure = tag("a", image, href=f"#{name}") + tag("figcaption", caption)
        small.append(tag("figure", figure))
        around = (names[number - 1], names[(number + 1) % len(names)])
        large.append(_full_size(name, picture, back=key, around=around))
    return _key(gallery) + tag("div", "".join(small), klass="grid") + "".join(large)


def _key(gallery: Gallery) -> str:
    items = []
    for name, colour in gallery.key:
        fill = "#" + "".join(f"{part:02x}" for part in colour)
        square = tag("rect", width="12", height="12", x="3", y="3", rx="3", fill=fill)
        swatch = tag("svg", square, viewBox="0 0 18 18", klass="key", aria_hidden="true")
        items.append(tag("li", swatch + escape(name)))
    return tag("ul", "".join(items), klass="legend") if items else ""


def _full_size(name: str, picture: Picture, *, back: str, around: tuple[str, str]) -> str:
    """Render the overlay that a link opens: it needs no script."""
    image = tag("img", src=data_uri(picture.image), alt=picture.title, loading="lazy")
    text = tag("p", tag("b", escape(picture.title)) + escape(picture.caption))
    controls = (
        tag("a", "&#8249;", href=f"#{around[0]}", klass="before", aria_label="Previous picture")
        + tag("a", "&#8250;", href=f"#{around[1]}", klass="after", aria_label="Next picture")
        + tag("a", "&#215;", href=f"#{back}", klass="close", aria_label="Close")
    )
    outside = tag("a", "", href=f"#{back}", klass="outside", tabindex="-1", aria_hidden="true")
    return tag(
        "div",
        outside + image + text + controls,
        id=name,
        klass="full",
        role="dialog",
        aria_label=picture.title,
    )


def _plots(plots: Plots) -> str:
    figures = [
        tag(
            "figure",
            tag("img", src=data_uri(plot.image), alt=plot.alt)
            + (tag("figcaption", escape(plot.caption)) if plot.caption else ""),
        )
        for plot in plots.plots
    ]
    return tag("div", "".join(figures), klass="pair")


def _map(road: RoadMap) -> str:
    wide = draw_map(road, width_px=WIDE_PX, max_height_px=620)
    narrow = draw_map(road, width_px=NARROW_PX, max_height_px=460)
    maps = tag("div", wide, klass="wide") + tag("div", narrow, klass="narrow")
    return tag("div", maps, klass="map") + legend(road)


def _table(table: Table) -> str:
    kinds = [_is_numeric(column) for column in zip(*table.rows, strict=True)]
    numeric = kinds or [False] * len(table.columns)
    header = "".join(map(_heading, table.columns, numeric))
    rows = []
    for row in table.rows:
        cells = zip(row, table.columns, numeric, strict=True)
        rows.append(tag("tr", "".join(_cell(*one) for one in cells)))
    body = tag("thead", tag("tr", header)) + tag("tbody", "".join(rows))
    return tag(
        "div",
        tag("table", body),
        klass="scroll wraps" if table.wraps else "scroll",
        tabindex="0",
        role="region",
        aria_label=table.title,
    )


def _is_numeric(cells: Sequence[Cell]) -> bool:
    return any(map(is_number, cells)) and not any(isinstance(cell, str) for cell in cells)


def _heading(column: Column, numeric: bool) -> str:
    unit = tag("span", escape(column.unit), klass="unit") if column.unit else ""
    # Not a <button>: browsers leave those out of the heads they repeat on printed pages.
    button = tag("span", escape(column.name) + unit, role="button", tabindex="0")
    return tag("th", button, scope="col", klass="number" if numeric else "word")


def _cell(cell: Cell, column: Column, numeric: bool) -> str:
    klass = "number" if numeric else "word"
    if cell is None or (isinstance(cell, float) and not is_number(cell)):
        return tag("td", "&#8211;", klass=klass, title="no value")
    if isinstance(cell, bool):
        return tag("td", "yes" if cell else "no", klass=klass)
    if isinstance(cell, str):
        if severity_of(cell) != "unknown":
            return tag("td", tag("span", escape(cell), klass=f"badge {cell}"), klass=klass)
        return tag("td", escape(cell), klass=klass)
    # z: what rounds to nothing carries no minus sign.
    text = f"{cell:z,.{column.digits}f}" if isinstance(cell, float) else f"{cell:,}"
    return tag("td", escape(text.replace("-", "\u2212")), klass=klass, data_value=repr(cell))
