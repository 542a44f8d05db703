"""The run's own record: one JSON line per step, whatever tracker is used besides."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from sam_crack import durable
from sam_crack.console import Console, counted
from sam_crack.train.validate import Validation

Row = dict[str, object]
METRICS = "metrics.jsonl"
"""The record, in the run folder."""


class Log:
    """Appends to `metrics.jsonl`; a resumed run first drops the lines it will write again."""

    def __init__(
        self, folder: Path, *, keep_through: int, console: Console, write: bool = True
    ) -> None:
        """Keep the lines up to a step, and continue after them; one process writes for all."""
        self.path, self.write = folder / METRICS, write
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        rows = [_row(line) for line in lines]
        self.rows = [row for row in rows if row and int(str(row["step"])) <= keep_through]
        if write:
            # The last line may be cut short by a kill; others are damaged.
            odd = [line for line, row in zip(lines, rows, strict=True) if row is None]
            if any(line.endswith(b"\n") for line in odd):
                console.warn(f"{self.path}: {counted(len(odd), 'line')} cannot be read, left out")
            kept = "".join(json.dumps(row) + "\n" for row in self.rows)
            durable.write_text(self.path, kept)

    def step(self, step: int, values: Mapping[str, float]) -> None:
        """Record one optimiser step: loss, rate, share of foreground seen, seconds."""
        rounded = {name: round(values[name], 6) for name in ("foreground", "seconds")}
        row = {**values, **rounded}
        # JSON knows neither NaN nor infinity; the row of the skipped step says which it was.
        finite = {name: value if math.isfinite(value) else None for name, value in row.items()}
        self._write({"step": step, **finite})

    def validation(self, found: Validation) -> None:
        """Record one validation."""
        self._write({"step": found.step, "validation": found.facts()})

    def skipped(self, step: int, why: str, ids: Sequence[str]) -> None:
        """Record a step that was not taken, and the samples in it."""
        self._write({"step": step, "skipped": why, "samples": list(ids)})

    def _write(self, row: Row) -> None:
        self.rows.append(row)
        if not self.write:
            return
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def set_aside(folder: Path) -> Path | None:
    """Keep a record whose run begins anew; return where, or None where there is nothing to keep."""
    path = folder / METRICS
    if not path.is_file() or not path.stat().st_size:
        return None
    number = 1
    while (aside := path.with_name(f"{path.stem}.before-{number}{path.suffix}")).exists():
        number += 1
    return path.rename(aside)


def _row(line: bytes) -> Row | None:
    """Read a line; one that is no row of a record is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and type(row.get("step")) is int else None
