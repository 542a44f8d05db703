"""The log of a prediction run: one line of JSON per finished frame, so that it can go on."""

from __future__ import annotations

import heapq
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sam_crack.errors import IntegrityError
from sam_crack.infer.rows import aside


class FrameLog:
    """Appends records; a frame is done when its whole line is in the file."""

    def __init__(self, path: Path, *, before: Path | None = None) -> None:
        """Open or create; what a killed run left half written at the end is cut off.

        Args:
            path: The log.
            before: An earlier, whole log; its frames are done, too, but not given as records.
        """
        self.path = path
        self._before: frozenset[str] = frozenset()
        if before is not None and before.exists():
            with FrameLog(before) as other:
                self._before = frozenset(other._places)
        self._places: dict[str, tuple[str, int, int]] = {}
        path.touch()
        self._scan()
        self._file = path.open("ab")

    def __contains__(self, name: object) -> bool:
        return name in self._places or name in self._before

    def __len__(self) -> int:
        return len(self._places)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add the record of one frame; it needs `name`, `source_name` and `index`."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        place = self._file.tell()
        self._file.write(line)
        self._file.flush()
        self._note(record, place)

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
            for source, index, place in self._places.values()
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

    def _note(self, record: Mapping[str, Any], place: int) -> None:
        source = sys.intern(record["source_name"])  # one text for all frames of a video
        self._places[record["name"]] = (source, record["index"], place)

    def _scan(self) -> None:
        place = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    self._note(json.loads(line), place)
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    raise IntegrityError(
                        f"{self.path}: line {number} is damaged",
                        "one JSON record per line, as it was written",
                        "remove this line to predict its frame again",
                    ) from error
                place += len(line)
        os.truncate(self.path, place)


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
