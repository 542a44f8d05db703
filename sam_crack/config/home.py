"""The folder for everything that outlives a run: base weights, converted files, logs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def home() -> Path:
    """Return SAM_CRACK_HOME, or the user's cache folder."""
    if given := os.environ.get("SAM_CRACK_HOME"):
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "sam-crack"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "sam-crack" / "Cache"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG rule: a relative path there is to be ignored.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "sam-crack"
