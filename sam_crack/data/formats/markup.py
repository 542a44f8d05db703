"""XML files from outside: no document types, no entities, bounded size, read as a stream."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from sam_crack.errors import BadInput

MAX_XML_BYTES = 256 << 20
_HEAD_BYTES = 1 << 20


def stream_elements(
    path: Path, *, max_bytes: int = MAX_XML_BYTES
) -> Iterator[tuple[str, ET.Element]]:
    """Yield ("start" or "end", element); the caller clears what it has used.

    A DOCTYPE is refused before any of it is interpreted: entity bombs and external files both
    need one.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise _unreadable(path, f"{size >> 20} MB of XML, more than {max_bytes >> 20}")
        _refuse_doctype(path)
        yield from ET.iterparse(path, events=("start", "end"))
    except (OSError, ET.ParseError, expat.ExpatError, ValueError, LookupError) as error:
        raise _unreadable(path, str(error)) from error


def _refuse_doctype(path: Path) -> None:
    """Read up to the first element, where alone a DOCTYPE may stand."""
    parser = expat.ParserCreate()
    at_root = False

    def found_doctype(*_: object) -> None:
        raise _unreadable(path, "it declares a DOCTYPE, which can hide entity bombs")

    def found_element(*_: object) -> None:
        nonlocal at_root
        at_root = True

    parser.StartDoctypeDeclHandler = found_doctype
    parser.StartElementHandler = found_element
    with path.open("rb") as stream:
        while not at_root and (part := stream.read(4096)):
            parser.Parse(part)
            if stream.tell() > _HEAD_BYTES and not at_root:
                raise _unreadable(path, "no element in its first megabyte")


def number(element: ET.Element, name: str, path: Path, *, limit: float = 1e6) -> float:
    """Return an attribute as a finite number of at most `limit` in size."""
    text = element.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= limit:
        raise _unreadable(path, f"{element.tag} has {name}={text[:40]!r}")
    return value


def _unreadable(path: Path, why: str) -> BadInput:
    """Compose the error for a file that is not the XML it should be."""
    return BadInput(
        f"{path}: {why}", "an undamaged XML annotation without DOCTYPE", "export or fetch it again"
    )
