"""What a verb says to the person who runs it: text, warnings, tables and progress."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Console:
    """The four switches every verb shares, and the only way in which code prints."""

    json: bool = False
    quiet: bool = False
    no_progress: bool = False
    offline: bool = False

    def say(self, text: str = "") -> None:
        """Print a line for a person: on stdout, or on stderr when stdout carries JSON."""
        if not self.quiet:
            print(text, file=sys.stderr if self.json else sys.stdout, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning on stderr, whatever the switches say."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print rows in aligned columns; numbers are right-aligned."""
        body = [[str(cell) for cell in row] for row in rows]
        numeric = (
            [
                all(isinstance(cell, (int, float)) for cell in column)
                for column in zip(*rows, strict=True)
            ]
            if isinstance(rows, Sequence) and rows
            else [False] * len(header)
        )
        widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
        for line in ([*header], *body):
            cells = [
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(line, widths, numeric, strict=True)
            ]
            self.say("  ".join(cells).rstrip())

    def progress(
        self, items: Iterable[T], label: str, *, total: int | None = None, unit: str = "it"
    ) -> Iterator[T]:
        """Yield `items` under a bar on stderr, with rate and time left."""
        yield from self.bar(items, label, total=total, unit=unit)

    @property
    def logs(self) -> bool:
        """Whether progress is to be told in lines now and then: there is no terminal for a bar."""
        return not (self.quiet or self.no_progress or _watched())

    def bar(
        self,
        items: Iterable[T],
        label: str,
        *,
        total: int | None = None,
        unit: str = "it",
        scale: bool = False,
    ) -> tqdm[T]:
        """Return a bar to update by hand; off without a terminal, with --quiet or --no-progress."""
        off = self.quiet or self.no_progress or not _watched()
        return tqdm(
            items,
            desc=label,
            total=total,
            unit=unit,
            unit_scale=scale,
            disable=off,
            file=sys.stderr,
            dynamic_ncols=True,
            leave=False,
        )


def _watched() -> bool:
    return sys.stderr.isatty()


def counted(number: int, noun: str) -> str:
    """Write a number of things: `1 frame`, `2,000 frames`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
