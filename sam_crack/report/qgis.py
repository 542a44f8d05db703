"""A style file beside the map: QGIS finds it by its name and colours cracks by severity."""

from __future__ import annotations

from sam_crack.report.markup import escape

SEVERITY_COLOURS = {
    "low": ("#2f7fc1", 0.5),
    "medium": ("#c77800", 0.8),
    "high": ("#c1272d", 1.1),
    "unknown": ("#7b8794", 0.5),
}
"""Severity to colour, the same as on the page, and line width in millimetres."""


def crack_style() -> str:
    """Return the QML of a line layer whose field `severity` decides about colour and width."""
    categories, symbols = [], []
    for number, (name, (colour, width)) in enumerate(SEVERITY_COLOURS.items()):
        categories.append(
            f'   <category render="true" symbol="{number}" value="{name}" label="{name}"/>'
        )
        symbols.append(_symbol(number, colour, width))
    label = escape("round(\"length_m\", 1) || ' m'")
    return "\n".join(
        [
            "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>",
            '<qgis version="3.22" styleCategories="Symbology|Labeling|MapTips">',
            ' <renderer-v2 type="categorizedSymbol" attr="severity" symbollevels="0">',
            "  <categories>",
            *categories,
            "  </categories>",
            "  <symbols>",
            *symbols,
            "  </symbols>",
            " </renderer-v2>",
            f" <mapTip>&lt;b&gt;[% &quot;kind&quot; %]&lt;/b&gt; [% {label} %]</mapTip>",
            " <layerGeometryType>1</layerGeometryType>",
            "</qgis>",
            "",
        ]
    )


def _symbol(number: int, colour: str, width_mm: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    options = {
        "line_color": f"{red},{green},{blue},255",
        "line_width": f"{width_mm}",
        "line_width_unit": "MM",
        "capstyle": "round",
        "joinstyle": "round",
    }
    lines = [
        f'     <Option type="QString" name="{name}" value="{value}"/>'
        for name, value in options.items()
    ]
    return "\n".join(
        [
            f'   <symbol type="line" name="{number}" alpha="1" clip_to_extent="1">',
            '    <layer class="SimpleLine" enabled="1" locked="0" pass="0">',
            '     <Option type="Map">',
            *lines,
            "     </Option>",
            "    </layer>",
            "   </symbol>",
        ]
    )
