"""NumPy arrays on disk, mapped rather than loaded, and never unpickled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from sam_crack.errors import BadInput

_MAX_HEADER = 10_000


def open_npy(path: Path, *, kinds: str = "buif") -> NDArray[Any]:
    """Map a .npy file read-only, after comparing what its header claims with its size.

    Args:
        path: The file.
        kinds: NumPy kind letters that are acceptable; objects never are.
    """
    try:
        with path.open("rb") as stream:
            version = npy_format.read_magic(stream)
            read_header = {
                (1, 0): npy_format.read_array_header_1_0,
                (2, 0): npy_format.read_array_header_2_0,
            }[version]
            shape, by_column, dtype = read_header(stream, max_header_size=_MAX_HEADER)
            start = stream.tell()
        size = path.stat().st_size
    except Exception as error:  # a damaged header fails in the tokenizer, in ast, or in numpy
        raise _unreadable(path, f"no readable header ({type(error).__name__}: {error})") from error
    if dtype.hasobject or dtype.kind not in kinds or dtype.itemsize == 0:
        raise _unreadable(path, f"elements of type {dtype}")
    # Python integers do not overflow, so that a huge shape cannot come out small.
    wanted = start + math.prod(int(side) for side in shape) * dtype.itemsize
    if any(side <= 0 for side in shape) or wanted != size:
        raise _unreadable(path, f"shape {list(shape)} needs {wanted} bytes, the file has {size}")
    try:
        mapped: NDArray[Any] = np.memmap(
            path,
            dtype=dtype,
            mode="r",
            offset=start,
            shape=tuple(shape),
            order="F" if by_column else "C",
        )
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    return mapped


def _unreadable(path: Path, why: str) -> BadInput:
    """Compose the error for a file that cannot be mapped."""
    return BadInput(
        f"{path}: {why}",
        "an undamaged .npy file of plain numbers",
        "fetch it again; an array of objects must be saved as numbers",
    )
