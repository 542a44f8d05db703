"""A data card as Markdown, and as Croissant JSON-LD for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sam_crack.report.distributions import compared

Facts = Mapping[str, Any]
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
FRAME_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("id", "sc:Text", "Unique name of the frame."),
    ("split", "sc:Text", "train, val or test; empty where there is none."),
    ("group", "sc:Text", "What must not be split: road section, patient, parent photo."),
    ("image", "sc:Text", "Picture file, from the root of the data set."),
    ("annotation", "sc:Text", "Annotation files, from the root, separated by semicolons."),
    ("height", "sc:Integer", "Height in pixels."),
    ("width", "sc:Integer", "Width in pixels."),
    ("foreground_px", "sc:Integer", "Pixels of any foreground class."),
)
"""Columns of frames.csv: name, type, meaning."""


def data_card(numbers: Facts, about: Facts, others: Sequence[Facts] = ()) -> str:
    """Write the card of a data set.

    Args:
        numbers: stats.json.
        about: url, citation, layout, notes, and `figures`, name to file.
        others: stats.json of sets to compare with.
    """
    figures: Mapping[str, str] = about["figures"]
    parts = [
        f"# {numbers['dataset']}: {numbers['title']}",
        _table(
            ("", ""),
            [
                ("get it", about["url"]),
                ("licence", numbers["licence"]),
                ("cite", about["citation"] or "nothing is stated"),
                ("layout", f"`{about['layout']}`"),
                ("frames", f"{numbers['frames']:,}, of which {numbers['annotated']:,} annotated"),
                ("groups", _groups(numbers)),
            ],
        ),
        "## Splits",
        _table(
            ("split", "frames", "published", "with foreground", "foreground", "lines"),
            [_split_row(name, row, numbers) for name, row in numbers["splits"].items()],
        ),
        "## Resolution",
        _resolution(numbers["resolution"]),
        "## Classes",
        _classes(numbers["classes"]),
    ]
    if numbers["instances"]:
        row = numbers["instances"]
        parts += [
            "## Instances",
            f"{row['number']:,} instances of {row['area_px']['min']:,.0f} / "
            f"{row['area_px']['median']:,.0f} / {row['area_px']['max']:,.0f} pixels "
            "(min / median / max).",
        ]
    if numbers["lines"]:
        parts += ["## Lines", _lines(numbers["lines"]), _figure(figures, "lines.png")]
    parts += ["## Where in the frame", _figure(figures, "heatmaps.png")]
    parts += ["## Samples", _figure(figures, "poster.png")]
    if others:
        rows = [_compared_row(each) for each in (numbers, *others)]
        head = ("set", "frames", "median size", "classes", "foreground", "line width", "licence")
        parts += ["## Beside other sets", _table(head, rows), _figure(figures, "compare.png")]
    if about["notes"]:
        parts += ["## To know", "\n".join(f"* {note}" for note in about["notes"])]
    parts.append(
        "Every figure on this page was counted by `sam-crack data stats` on the files at hand; "
        "`stats.json` holds them all, `frames.csv` a row per frame, and `heat_SPLIT.npy` the maps."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def croissant(numbers: Facts, about: Facts, *, frames_sha256: str) -> dict[str, Any]:
    """Describe a data set as Croissant 1.0: its facts, and the table of its frames."""
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"frames/{name}",
            "name": name,
            "description": meaning,
            "dataType": kind,
            "source": {"fileObject": {"@id": "frames.csv"}, "extract": {"column": name}},
        }
        for name, kind, meaning in FRAME_COLUMNS
    ]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": numbers["dataset"],
        "description": f"{numbers['title']}. {' '.join(about['notes'])}".strip(),
        "license": numbers["licence"],
        "url": about["url"],
        "citeAs": about["citation"],
        "keywords": ["semantic segmentation", *(each["name"] for each in numbers["classes"][:20])],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "frames.csv",
                "name": "frames.csv",
                "description": "A row per frame; paths are those of the published layout.",
                "contentUrl": "frames.csv",
                "encodingFormat": "text/csv",
                "sha256": frames_sha256,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "frames",
                "name": "frames",
                "description": f"{numbers['frames']} frames.",
                "key": {"@id": "frames/id"},
                "field": fields,
            }
        ],
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a Markdown table; what would break a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def _figure(figures: Mapping[str, str], name: str) -> str:
    """Show a figure where it was drawn."""
    return f"![{figures[name]}]({name})" if name in figures else ""


def percent(share: float | None) -> str:
    """Write a share with three digits."""
    return "-" if share is None else f"{100 * share:.3g} %"


def _groups(numbers: Facts) -> str:
    what = numbers["grouped_by"]
    return f"{numbers['groups']:,}, by {what}" if numbers["groups"] else "frames are independent"


def _split_row(name: str, row: Facts, numbers: Facts) -> tuple[object, ...]:
    published = numbers["published"].get(name)
    return (
        name,
        f"{row['frames']:,}",
        f"{published:,}" if published else "-",
        f"{row['with_foreground']:,}",
        percent(row["foreground_share"]),
        f"{row['lines']:,}" if numbers["lines"] else "-",
    )


def _resolution(found: Facts | None) -> str:
    if not found:
        return "No annotated frame could be read."
    named = " / ".join(f"{w} x {h}" for h, w in (found[k] for k in ("min", "median", "max")))
    common = ", ".join(f"{w} x {h} ({number:,})" for h, w, number in found["commonest"])
    return f"{named} pixels, width x height (min / median / max); commonest: {common}."


def _classes(classes: Sequence[Facts]) -> str:
    shown = [row for row in classes if row["frames"] or len(classes) <= 8]
    rows = []
    for row in shown:
        found = row["pixels_per_frame"]
        sizes = [f"{found[key]:,.0f}" for key in ("min", "median", "max")] if found else ["-"] * 3
        share = f"{row['frames']:,} ({percent(row['share_of_frames'])})"
        rows.append((row["name"], share, percent(row["share_of_pixels"]), *sizes))
    head = ("class", "frames", "pixels", "min px", "median px", "max px")
    rest = len(classes) - len(shown)
    return _table(head, rows) + (f"\n\nand {rest} classes that no frame shows." if rest else "")


def _lines(lines: Facts) -> str:
    keys = ("min", "q25", "median", "mean", "q75", "max")
    rows = [
        (name, *(f"{lines[key][part]:.4g}" for part in keys))
        for name, key in (("length, px", "length_px"), ("width, px", "width_px"))
    ]
    return f"{lines['number']:,} lines of 8 px and more.\n\n" + _table(("", *keys), rows)


def _compared_row(numbers: Facts) -> tuple[object, ...]:
    row = compared(numbers)
    share = "-" if row["share"] is None else f"{row['share']:.3g} %"
    width = "-" if row["width"] is None else f"{row['width']:.3g} px"
    return (
        row["name"],
        f"{row['frames']:,}",
        row["size"],
        row["classes"],
        share,
        width,
        row["licence"],
    )
