"""What a config field can carry in its type besides it: `Annotated[int, Range(1, 256)]`."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True)
class Positional:
    """Marks an option with a default that is given by its place all the same: `verify [NAME]`."""
