"""Two ways of doing one thing, timed in turns, A B A B, so that a drifting machine cancels out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How many times as long the other way takes."""

    median: float
    low: float
    high: float
    seconds: tuple[float, float]
    """Median seconds of ours and of the other."""

    def __str__(self) -> str:
        ours, other = self.seconds
        return (
            f"{self.median:.2f}x ({self.low:.2f} to {self.high:.2f}; {ours:.3f} s, {other:.3f} s)"
        )


def paired(ours: Callable[[], object], other: Callable[[], object], *, rounds: int = 5) -> Ratio:
    """Run both once unseen, then in turns; process time, so that other programs count less."""
    ours(), other()
    pairs = [(_seconds(ours), _seconds(other)) for _ in range(rounds)]
    ratios = [slow / fast for fast, slow in pairs]
    medians = tuple(statistics.median(column) for column in zip(*pairs, strict=True))
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), (medians[0], medians[1]))


def _seconds(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start
