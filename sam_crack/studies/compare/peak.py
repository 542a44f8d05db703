"""The largest memory that a training took, over all the starts it needed."""

from __future__ import annotations

import ctypes
import gc
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch

from sam_crack import durable

T = TypeVar("T")


def watched(work: Callable[[], T], states: Path, note: Path) -> tuple[T, float | None]:
    """Work, and return the largest memory over all starts of it; None if one left no word.

    Args:
        work: what is to be watched.
        states: folder that holds something if the work was begun before.
        note: where the largest memory so far is kept.
    """
    resumed = any(states.glob("*"))
    before = json.loads(note.read_text("utf-8")) if resumed and note.exists() else None
    durable.write_text(note, json.dumps(None))  # until it ends, nothing is known of this start
    _reset_peak()
    try:
        done = work()
    finally:
        now = _peak_mb()
        unknown = now is None or (resumed and before is None)
        peak = None if unknown else max(now or 0.0, before or 0.0)
        durable.write_text(note, json.dumps(peak))
    return done, peak


def _reset_peak() -> None:
    """Begin to watch memory anew, so that one row does not pay for the one before it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    else:
        with suppress(OSError, AttributeError):  # glibc keeps what was freed until it is asked
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        with suppress(OSError):  # Linux alone can forget a peak
            Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float | None:
    """Largest memory since the reset: of the GPU, else of this process; None if not known."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    with suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text()
        return round(int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6, 1)
    return None
