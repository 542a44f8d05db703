"""What a path on the command line stands for: files, and the names that they ask for."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sam_crack.data.formats.images import IMAGE_SUFFIXES
from sam_crack.errors import BadInput
from sam_crack.infer.video import VIDEO_SUFFIXES

LIST_SUFFIX, STDIN = ".txt", Path("-")
RUN, LOG = "run.json", "frames.jsonl"  # a folder that holds both is what a run has written
LARGEST_LIST_BYTES = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Found:
    """One thing that was asked for."""

    path: Path
    """A file, or what should have been one."""
    name: str
    """Relative path that its outputs are called after."""
    reason: str = ""
    """Why there is nothing to read; empty for a file."""
    real: Path = Path()
    """Where the file lies, links followed; as `find_files` returns it."""


def read_stdin() -> bytes:
    """Return what stands on stdin, as far as a list may go."""
    return sys.stdin.buffer.read(LARGEST_LIST_BYTES + 1)


def find_files(
    paths: Iterable[Path], *, exclude: Path | None = None, stdin: bytes = b""
) -> list[Found]:
    """Find files in the order given, each once; folders and patterns are sorted.

    Args:
        paths: Images, videos, folders with all below them, patterns such as `drive/*.jpg`, `.txt`
            lists of these, and `-` for such a list on stdin. In a folder, the outputs of earlier
            runs are passed over.
        exclude: Nothing below this folder is read: it is to be written to.
        stdin: The list that `-` stands for.
    """
    outside = exclude.resolve() if exclude else None
    seen: set[Path] = set()
    kept, passed_over = [], False
    for found in _all(paths, stdin):
        if found.reason:
            kept.append(found)
            continue
        real = found.path.resolve()
        if outside and outside in real.parents:
            passed_over = True
            continue
        if real in seen:
            continue
        seen.add(real)
        kept.append(replace(found, real=real))
    if passed_over and not seen:
        raise BadInput(
            f"the frames lie inside --out ({exclude})",
            "frames elsewhere: what is in that folder is taken for outputs",
            "choose another --out",
        )
    return kept


def _all(paths: Iterable[Path], stdin: bytes) -> Iterator[Found]:
    for path in paths:
        if path == STDIN:
            yield from _listed(stdin, path, Path())
        elif path.suffix.lower() == LIST_SUFFIX and path.is_file():
            with path.open("rb") as file:
                yield from _listed(file.read(LARGEST_LIST_BYTES + 1), path, path.parent)
        else:
            yield from _files_of(path, path.name)


def _listed(content: bytes, source: Path, base: Path) -> Iterator[Found]:
    """Yield what a list names, one path a line; its own words become the names."""
    entries = entries_of(content)
    if entries is None:
        reason = f"{source}: not a list: a path a line, UTF-8, at most {LARGEST_LIST_BYTES:,} bytes"
        yield Found(path=source, name=str(source), reason=reason)
        return
    if not entries:
        yield Found(path=source, name=str(source), reason=f"{source}: no path in this list")
    for entry in entries:
        path = base / entry
        if path.suffix.lower() == LIST_SUFFIX:
            reason = f"{source}: {entry}: a list in a list"
            yield Found(path=path, name=entry, reason=reason)
        else:
            yield from _files_of(path, path.name if Path(entry).is_absolute() else entry)


def entries_of(content: bytes) -> list[str] | None:
    """Return the paths that a list names, without the quotes around them; None for no list."""
    try:
        lines = [line.strip() for line in content.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        return None
    if len(content) > LARGEST_LIST_BYTES or any("\0" in line for line in lines):
        return None
    return [_unquoted(line) for line in lines if line and not line.startswith("#")]


def _unquoted(line: str) -> str:
    quoted = len(line) > 2 and line[0] == line[-1] and line[0] in "\"'"
    return line[1:-1] if quoted else line


def _files_of(path: Path, name: str) -> Iterator[Found]:
    """Yield the files that one path stands for, or why there are none."""
    try:
        found = _below(path) if path.is_dir() else _matching(path, name)
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be read
        yield Found(path=path, name=str(path), reason=f"{path}: {error}")
        return
    if not found:
        what = "no images or videos in this folder" if path.is_dir() else "no such file"
        yield Found(path=path, name=str(path), reason=f"{path}: {what}")
    for file, asked in found:
        gone = file.is_symlink() and not file.exists()
        what = "a link to a file that is gone" if gone else "not a file of pictures"
        reason = "" if file.is_file() else f"{file}: {what}"
        yield Found(path=file, name=asked, reason=reason)


def _below(folder: Path) -> list[tuple[Path, str]]:
    """All images and videos below a folder, but hidden ones and those that a run has written.

    Links to what is gone are among them, to be listed as such.
    """
    runs = {log.parent for log in folder.rglob(LOG) if (log.parent / RUN).is_file()} - {folder}
    return [
        (file, file.relative_to(folder).as_posix())
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and runs.isdisjoint(file.parents)
        and (file.is_file() or (file.is_symlink() and not file.exists()))
    ]


def _matching(path: Path, name: str) -> list[tuple[Path, str]]:
    """One file, or those that fit a pattern."""
    if path.exists():
        return [(path, name)]
    matches = map(Path, sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207 - absolute
    return [(match, match.name) for match in matches if match.is_file()]


def first_reason(found: Iterable[Found]) -> BadInput:
    """Compose the error about nothing to read at all."""
    return BadInput(
        next((one.reason for one in found), "no path given"),
        "images, videos, folders of these, .txt lists, or patterns in quotes",
        "check the path",
    )
