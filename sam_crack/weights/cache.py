"""The folder that keeps base weights between runs: its place, its lock, its proof of checking."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sam_crack.config.home import home
from sam_crack.console import Console
from sam_crack.durable import write_text
from sam_crack.errors import BadInput

MARGIN = 64 << 20
"""Bytes that stay free on the disk."""


def weights_folder() -> Path:
    """Return where base weights lie."""
    return home() / "weights"


def not_writable(folder: Path, error: OSError) -> BadInput:
    """Compose what to say when the cache cannot be written."""
    return BadInput(
        f"{folder} cannot be written: {error.strerror or error}",
        "base weights are kept in a folder that this user may write",
        "set the environment variable SAM_CRACK_HOME to such a folder",
    )


def writable(folder: Path) -> Path:
    """Create the folder, and prove that it takes files."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise not_writable(folder, error) from error
    return folder


def need_space(folder: Path, num_bytes: int) -> None:
    """Raise unless the disk takes `num_bytes` more."""
    free = shutil.disk_usage(folder).free
    if free < num_bytes + MARGIN:
        raise BadInput(
            f"{folder} has {megabytes(free)} free",
            f"{megabytes(num_bytes + MARGIN)} are needed",
            "free some space, or set SAM_CRACK_HOME to a folder on another disk",
        )


def megabytes(num_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.0f} MB"


def _try_lock(file: IO[bytes]) -> bool:
    """Take the lock if nobody has it; the system frees it when the process ends, however."""
    if sys.platform == "win32":
        import msvcrt

        with suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return True
        return False
    import fcntl

    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@contextmanager
def only_one(path: Path, console: Console) -> Iterator[Path]:
    """Let one process at a time fetch `path`; yield the name for its unfinished bytes."""
    part = path.with_name(f"{path.name}.part")
    with path.with_name(f".{path.name}.lock").open("ab") as file:
        try:
            if not _try_lock(file):
                console.say(f"Another process is fetching {path.name}; waiting for it.")
                while not _try_lock(file):
                    time.sleep(0.2)
        except OSError:  # a network disk without locks: a name of one's own, without resuming
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
        yield part


def _stamp(path: Path) -> Path:
    return path.with_name(f".{path.name}.checked")


def remember_checked(path: Path, sha256: str) -> None:
    """Note that this very file was hashed and found right."""
    stat = path.stat()
    note = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}
    with suppress(OSError):  # a read-only cache is checked anew each time
        write_text(_stamp(path), json.dumps(note))


def was_checked(path: Path, sha256: str) -> bool:
    """Whether the file was once found right and has neither size nor time changed since."""
    try:
        note = json.loads(_stamp(path).read_text())
        stat = path.stat()
    except (OSError, ValueError):
        return False
    return bool(note == {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256})
