"""Sums over the demo's held-back frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from sam_crack.measure.metrics import Counts
from sam_crack.studies.demo.truth import FrameResult


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over the held-back frames."""

    counts: Counts
    true_m: float
    found_m: float
    num_true: int
    num_found: int
    num_false: int
    seconds_per_frame: float


def totals(results: Sequence[FrameResult]) -> Totals:
    """Add up what was true, found and imagined."""
    cracks = [crack for result in results for crack in result.true_cracks]
    found = [crack for crack in cracks if crack.measured_length_mm is not None]
    return Totals(
        counts=reduce(add, (result.counts for result in results), Counts()),
        true_m=sum(crack.length_mm for crack in cracks) / 1000,
        found_m=sum(crack.measured_length_mm or 0.0 for crack in cracks) / 1000,
        num_true=len(cracks),
        num_found=len(found),
        num_false=sum(len(result.false_cracks) for result in results),
        seconds_per_frame=sum(result.seconds for result in results) / len(results),
    )
