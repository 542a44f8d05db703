"""Aperio outlines, and XML made to do harm."""

from pathlib import Path

import numpy as np
import pytest

from sam_crack.data.formats.aperio import draw_regions, read_regions
from sam_crack.errors import BadInput

REGION = "<Region><Attributes/><Vertices>{}</Vertices></Region>"
SQUARE = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in ((2, 1), (6, 1), (6, 4), (2, 4)))


def document(regions: str, name: str = "", attribute: str = "") -> str:
    title = f'<Attributes><Attribute Name="{attribute}"/></Attributes>' if attribute else ""
    layer = f'<Annotation Name="{name}">{title}<Regions>{regions}</Regions></Annotation>'
    return f"<Annotations>{layer}</Annotations>"


def read(tmp_path: Path, content: str | bytes):
    path = tmp_path / "a.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_regions(path)


@pytest.mark.parametrize(
    ("name", "attribute", "label"),
    [
        ("", "Epithelial", "Epithelial"),
        ("Tumour", "Description", "Tumour"),
        ("", "Description", ""),
    ],
)
def test_the_class_is_where_the_tool_put_it(name: str, attribute: str, label: str, tmp_path: Path):
    [region] = read(tmp_path, document(REGION.format(SQUARE), name, attribute))
    assert region.label == label


def test_later_regions_lie_on_top(tmp_path: Path):
    regions = read(tmp_path, document(REGION.format(SQUARE) * 2))
    drawn = draw_regions(regions, (8, 9))
    assert set(np.unique(drawn)) == {0, 2}
    assert (drawn == 2).sum() == 12


def test_regions_with_fewer_than_three_vertices_are_no_area(tmp_path: Path):
    line = '<Vertex X="1" Y="1"/><Vertex X="5" Y="5"/>'
    assert read(tmp_path, document(REGION.format(line))) == []


LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
HOSTILE = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><Annotations>&l9;</Annotations>',
    "external": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><Annotations>&x;</Annotations>',
    "doctype late": "<!--" + " " * 9000 + "--><!DOCTYPE a><Annotations/>",
    "utf-16": '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><Annotations/>'.encode("utf-16"),
    "unknown entity": "<Annotations>&x;</Annotations>",
    "another root": "<html/>",
    "nothing": "",
    "cut": document(REGION.format(SQUARE))[:-9],
    "nan": document(REGION.format('<Vertex X="nan" Y="1"/>')),
    "far": document(REGION.format('<Vertex X="1e300" Y="1"/>')),
    "no number": document(REGION.format('<Vertex X="" Y="1"/>')),
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?><Annotations/>',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_xml_is_refused(kind: str, tmp_path: Path):
    with pytest.raises(BadInput):
        read(tmp_path, HOSTILE[kind])


def test_deep_nesting_does_not_end_the_process(tmp_path: Path):
    depth = 200_000
    with pytest.raises(BadInput):
        read(tmp_path, "<Annotations>" + "<a>" * depth)
    assert read(tmp_path, "<Annotations>" + "<a>" * depth + "</a>" * depth + "</Annotations>") == []


@pytest.mark.realdata
def test_the_monusac_excerpt(data_root: Path):
    regions = read_regions(data_root / "monusac" / "format_excerpt.xml")
    assert [(each.label, each.outline_yx.shape) for each in regions] == [("Neutrophil", (10, 2))]
    # The excerpt is shortened, so its stated area of 264.5 holds only roughly.
    drawn = draw_regions(regions, (300, 500))
    assert drawn.sum() == pytest.approx(264.5, rel=0.1)
    assert drawn[172, 442] == 1
