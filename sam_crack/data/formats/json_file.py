"""JSON files from outside: bounded in size, and one list of how damaged ones fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MALFORMED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
)


def load_json(path: Path, *, max_bytes: int) -> Any:  # noqa: ANN401 - the caller checks it
    """Parse a file; fails with one of `MALFORMED`, which the caller turns into its own error."""
    size = path.stat().st_size
    if size > max_bytes or not path.is_file():
        raise ValueError(f"not a file of at most {max_bytes >> 20} MB")
    return json.loads(path.read_bytes())
