"""MATLAB files through a child process that may crash, hang or run out of memory alone."""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import os
import select
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack import durable
from sam_crack.config.home import home
from sam_crack.errors import BadInput

Arrays = dict[str, NDArray[Any]]
# Real files take a few hundredths of a second; one that loops must not take five.
_START_S, _READ_S, _READ_BYTES_PER_S = 60.0, 4.0, 4 << 20
_MAX_FILE_BYTES = 256 << 20
_MAX_ANSWER_BYTES = 512 << 20
_SCRIPT = Path(__file__).with_name("mat_worker.py")


def read_mat(path: Path) -> Arrays:
    """Return a file's numeric arrays by name, struct fields as `struct.field`.

    The first read converts to an .npz in the user's cache folder; later reads take that.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "a MATLAB file", "check the path") from error
    if not path.is_file() or about.st_size > _MAX_FILE_BYTES:
        raise _unreadable(path, f"not a file of at most {_MAX_FILE_BYTES >> 20} MB")
    stamp = f"1 {path.resolve()} {about.st_size} {about.st_mtime_ns}"
    cached = cache_folder() / f"{hashlib.sha256(stamp.encode()).hexdigest()}.npz"
    if cached.is_file():
        with suppress(ValueError, OSError, KeyError, zipfile.BadZipFile):
            return _unpack(cached.read_bytes())
    packed = _CHILD.convert(path)
    try:
        arrays = _unpack(packed)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(path, f"its conversion is damaged ({error})") from error
    with suppress(OSError):  # a read-only home costs time, not correctness
        durable.write_bytes(cached, packed)
    return arrays


def mat_array(path: Path, key: str) -> NDArray[Any]:
    """Return one two-dimensional array of a file."""
    arrays = read_mat(path)
    found = arrays.get(key)
    if found is None or found.ndim != 2 or not found.size:
        held = ", ".join(f"{name} {list(each.shape)}" for name, each in arrays.items())
        raise BadInput(
            f"{path}: no matrix {key}; it holds {held or 'no numbers'}",
            f"a MATLAB file with {key}",
            "check that this is the annotation of this data set",
        )
    return found


def cache_folder() -> Path:
    """Return where converted files are kept, beside the base weights."""
    return home() / "mat"


def _unpack(packed: bytes) -> Arrays:
    """Open an .npz of plain numbers."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        return {name.removeprefix("a:"): archive[name] for name in archive.files}


def _unreadable(path: Path, why: str) -> BadInput:
    """Compose the error for a file that gives no arrays."""
    return BadInput(
        f"{path}: {why}",
        "an undamaged MATLAB file, version 4 to 7.2",
        "fetch it again; a version 7.3 file must be saved with -v7",
    )


class _Child:
    """One worker process per process, started when needed and replaced when it dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def convert(self, path: Path) -> bytes:
        """Return the .npz that the worker makes of a file."""
        with self._lock:
            process = self._running()
            assert process.stdin
            try:
                process.stdin.write(json.dumps(str(path.resolve())).encode() + b"\n")
                process.stdin.flush()
                until = time.monotonic() + _READ_S + path.stat().st_size / _READ_BYTES_PER_S
                size = int.from_bytes(self._take(8, until), "little")
                if not 1 <= size <= _MAX_ANSWER_BYTES:
                    raise EOFError("it gives an answer of impossible size")
                content = self._take(size, until)
            except (EOFError, OSError) as error:
                self.stop()
                raise _unreadable(path, f"the reader failed on it: {error}") from error
        if content[:1] == b"Z":
            return content[1:]
        raise _unreadable(path, content[1:].decode(errors="replace"))

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the live worker, starting one if there is none in this process."""
        if self._process and self._owner != os.getpid():
            # Inherited through a fork: it answers the parent, so it is left alone.
            self._process.returncode = 0
            self._process = None
        if self._process and self._process.poll() is not None:
            self.stop()
        if self._process is None:
            quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **quiet},
                bufsize=0,
            )
            self._owner = os.getpid()
            atexit.register(self.stop)
            self._take(5, time.monotonic() + _START_S)
        return self._process

    def _take(self, size: int, until: float) -> bytes:
        """Read exactly `size` bytes before a deadline."""
        assert self._process
        assert self._process.stdout
        parts: list[bytes] = []
        left = size
        while left:
            ready, _, _ = select.select(
                [self._process.stdout], [], [], max(0.0, until - time.monotonic())
            )
            if not ready:
                raise EOFError("no answer in time")
            part = os.read(self._process.stdout.fileno(), min(left, 1 << 20))
            if not part:
                raise EOFError("the child process died, as it does on damaged files")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def stop(self) -> None:
        """End the worker of this process, if there is one."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()


_CHILD = _Child()
