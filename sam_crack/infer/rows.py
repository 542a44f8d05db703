"""Tables of any length as CSV and JSON lines: streamed, and whole or not there."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sam_crack import durable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under a header; text that a spreadsheet would run as a formula is quoted."""
    with aside(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            table.writerow([_cell(row.get(column)) for column in columns])


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line."""
    with aside(path) as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":"), allow_nan=False) + "\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with aside(path) as file:
        for line in lines:
            file.write(line + "\n")


def _cell(value: object) -> object:
    """Put an apostrophe before what begins like a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


@contextmanager
def aside(path: Path) -> Iterator[IO[str]]:
    """Yield a file to write that replaces `path` only if the block ends well."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        durable.sync(part)
        part.replace(path)
        durable.sync(path.parent)
    finally:
        part.unlink(missing_ok=True)
