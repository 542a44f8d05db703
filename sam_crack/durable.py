"""Files that are either whole or not there: written aside, synced, then renamed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ASIDE = re.compile(r"\.(?P<name>.+)\.(?P<kind>tmp|old)-\d+")


def sync(path: Path) -> None:
    """Ask the system to put a file or a folder entry on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step; a reader never sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o644)
        aside.replace(path)
    except BaseException as error:
        aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a full disk names no file
            error.filename = str(path)
        raise
    sync(path.parent)


def write_text(path: Path, content: str) -> None:
    """Replace `path` by UTF-8 text in one step."""
    write_bytes(path, content.encode())


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Yield a folder to fill that becomes `final` only if the block ends well.

    An existing `final` is replaced; it stays whole until the new one is complete.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    aside = final.with_name(f".{final.name}.tmp-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        for path in sorted(aside.rglob("*")):
            sync(path)
        sync(aside)
        old = final.with_name(f".{final.name}.old-{os.getpid()}")
        if final.exists():
            final.rename(old)
        aside.rename(final)
        sync(final.parent)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(aside)
        raise


def clear_leftovers(folder: Path) -> None:
    """Remove what a kill left of folders being written; nobody else may be writing there.

    Killed between the two renames, the folder of before is the whole one, and takes its place.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _ASIDE.fullmatch(path.name)
        if match is None or not path.is_dir():
            continue
        final = path.with_name(match["name"])
        if match["kind"] == "old" and not final.exists():
            path.rename(final)
        else:
            shutil.rmtree(path, ignore_errors=True)


def sha256(path: Path) -> str:
    """Hash a file without holding it in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
