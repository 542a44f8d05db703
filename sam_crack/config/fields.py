"""What a config field can carry in its type besides it: `Annotated[int, Range(1, 256)]`."""

from __future__ import annotations

from dataclasses import dataclass

from sam_crack.errors import UsageError


@dataclass(frozen=True)
class Range:
    """An inclusive interval; `None` leaves that side open."""

    low: float | None = None
    high: float | None = None

    def __contains__(self, value: float) -> bool:
        """Whether the value lies in the interval; NaN never does."""
        low_ok = self.low is None or value >= self.low
        high_ok = self.high is None or value <= self.high
        return low_ok and high_ok and value == value  # noqa: PLR0124 - NaN test

    def __str__(self) -> str:
        """Say the interval as help and errors do."""
        if self.high is None:
            return f"at least {self.low:.12g}" if self.low is not None else "any number"
        return (
            f"at most {self.high:.12g}"
            if self.low is None
            else f"{self.low:.12g} to {self.high:.12g}"
        )


def need_span(name: str, span: tuple[float, float], *, within: tuple[float, float]) -> None:
    """Refuse two numbers that are no smallest and largest one within bounds."""
    low, high = span
    if not within[0] <= low <= high <= within[1]:
        raise UsageError(
            f"{name}: {low:g},{high:g}",
            f"smallest before largest, {within[0]:g} to {within[1]:g}",
            "write 1,1 for none, or for example 0.25,2",
        )


LOWEST_SCALE, HIGHEST_SCALE = 0.05, 8.0
"""No frame is resized by less or more."""


def need_patches(name: str, size: tuple[int, int]) -> None:
    """Refuse a height and width that the patch grid cannot tile."""
    if any(side < 32 or side % 16 for side in size):
        near = tuple(max(32, round(side / 16) * 16) for side in size)
        raise UsageError(
            f"{name}: {list(size)}",
            "both sides must be multiples of 16, at least 32",
            f"use {near[0]},{near[1]}",
        )


@dataclass(frozen=True)
class Positional:
    """Marks an option with a default that is given by its place all the same: `verify [NAME]`."""
