"""Read MATLAB files in a process of its own, because scipy's reader crashes on damaged ones.

Run as a script: one JSON-quoted path per line on stdin; for each, eight bytes of length and an
answer on stdout: `Z` and an .npz of the numeric arrays, or `E` and a sentence.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any, BinaryIO

import numpy as np
import scipy.io

try:
    import resource
except ImportError:  # Windows has no such limits; the time limit of the parent remains
    resource = None  # type: ignore[assignment]

_MEMORY_BYTES = 1 << 30
_MAX_DEPTH = 4
_MAX_ARRAYS = 64


def flatten(
    value: object, name: str, found: dict[str, np.ndarray[Any, Any]], depth: int = 0
) -> None:
    """Collect numeric arrays; a struct's fields become `struct.field`."""
    if not isinstance(value, np.ndarray) or depth > _MAX_DEPTH or len(found) >= _MAX_ARRAYS:
        return
    if value.dtype.names and value.size == 1:
        for field in value.dtype.names:
            flatten(value[field].item(), f"{name}.{field}", found, depth + 1)
    elif value.dtype.kind in "buif" and value.ndim <= 3:
        found[name] = value


def answer(path: str) -> bytes:
    """Load one file and pack its numeric arrays."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, value in scipy.io.loadmat(path).items():
        if not name.startswith("__"):
            flatten(value, name, found)
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **{f"a:{k}": v for k, v in found.items()})
    return b"Z" + packed.getvalue()


def serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answer until stdin ends."""
    stdout.write(b"ready")
    stdout.flush()
    for line in stdin:
        try:
            content = answer(json.loads(line))
        except Exception as error:  # the parent turns the sentence into its own error
            content = b"E" + f"{type(error).__name__}: {error}".encode(errors="replace")[:500]
        stdout.write(len(content).to_bytes(8, "little") + content)
        stdout.flush()


def main() -> None:
    """Limit memory, keep stdout for answers alone, and serve."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
