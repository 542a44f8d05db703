"""The log of a prediction run: one line of JSON per finished frame, so that it can go on."""

from __future__ import annotations

import heapq
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sam_crack.errors import IntegrityError
from sam_crack.infer.rows import aside


@dataclass(eq=False)
class Index:
    """What a log holds: which frames, where their lines are, and the files that they came from."""

    places: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """Frame to the name of its source, its number in that, and the place of its line."""
    sources: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Name of a source to its file, links followed, and the bytes that it then had."""
    end: int = 0
    """Where the last whole line ends."""

    def note(self, record: Mapping[str, Any], place: int) -> None:
        """Add the frame whose line stands at a place."""
        source = sys.intern(record["source_name"])  # one text for all frames of a video
        self.places[record["name"]] = (source, record["index"], place)
        self.sources[source] = (sys.intern(record["source"]), record["source_bytes"])


def read_index(path: Path) -> Index:
    """Read the whole lines of a log, and change nothing; where there is none, it is empty."""
    index = Index()
    if not path.exists():
        return index
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                index.note(json.loads(line), index.end)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise IntegrityError(
                    f"{path}: line {number} is damaged",
                    "one JSON record per line, as it was written",
                    "remove this line to predict its frame again",
                ) from error
            index.end += len(line)
    return index


class FrameLog:
    """Appends records; a frame is done when its whole line is in the file."""

    def __init__(self, path: Path, *, before: Path | None = None) -> None:
        """Open or create; what a killed run left half written at the end is cut off.

        Args:
            path: The log.
            before: An earlier, whole log; its frames are done, too, but not given as records.
        """
        self.path = path
        self._before = Index() if before is None else read_index(before)
        self._index = read_index(path)
        path.touch()
        os.truncate(path, self._index.end)
        self._file = path.open("ab")

    @property
    def sources(self) -> dict[str, tuple[str, int]]:
        """Name of every source to its file and the bytes that it had, as `Index` has them."""
        return self._before.sources | self._index.sources

    def __contains__(self, name: object) -> bool:
        return name in self._index.places or name in self._before.places

    def __len__(self) -> int:
        return len(self._index.places)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add the record of one frame; it needs what `Index` notes."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        place = self._file.tell()
        self._file.write(line)
        self._file.flush()
        self._index.note(record, place)

    def records(self, sources: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield every record in the order of the stream, one in memory at a time."""
        for _, line in self.lines(sources):
            record: dict[str, Any] = json.loads(line)
            yield record

    def lines(self, sources: Sequence[str]) -> Iterator[tuple[tuple[int, str, int], bytes]]:
        """Yield every line with its place in the stream, in that order."""
        order = {name: number for number, name in enumerate(sources)}
        ranked = sorted(
            ((order.get(source, len(order)), source, index), place)
            for source, index, place in self._index.places.values()
        )
        with self.path.open("rb") as file:
            for rank, place in ranked:
                file.seek(place)
                yield rank, file.readline()

    def __enter__(self) -> FrameLog:
        return self

    def __exit__(self, *_: object) -> None:
        """Put everything on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def merge_logs(target: Path, logs: Sequence[Path], sources: Sequence[str]) -> None:
    """Replace `target` by what several logs hold, in the order of the stream, each frame once."""
    with ExitStack() as stack:
        opened = [stack.enter_context(FrameLog(path)) for path in logs]
        before: tuple[int, str, int] | None = None
        with aside(target) as file:
            for rank, line in heapq.merge(*(log.lines(sources) for log in opened)):
                if rank != before:
                    file.write(line.decode())
                before = rank
