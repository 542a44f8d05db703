"""One validation: sliding windows over whole frames, and the threshold that suits them best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Scores on the validation split at the threshold chosen there; pooled over its pixels."""

    step: int
    threshold: float
    iou: float
    f1: float
    precision: float
    recall: float

    def facts(self) -> dict[str, float]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: object) -> Validation | None:
        """The inverse of `facts`; None stays None."""
        return cls(**cast(Mapping[str, float], facts)) if facts else None  # type: ignore[arg-type]
