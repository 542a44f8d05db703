"""What validations say about a run: which one is best, when to end, and what looks wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .validate import Validation

EDGE = 2 / 255
"""A threshold this near to 0 or 1 separates nothing."""
FAINT = 0.1
"""A model whose highest probability is below this has gone silent."""
LONELY = 20
"""Batches in a row without foreground after which it is said."""


class Watch:
    """Remembers the best validation; a pure function of the validations it was shown."""

    def __init__(self, patience: int) -> None:
        """Wait for so many validations without a better score; 0 waits for ever."""
        self.patience = patience
        self.best: Validation | None = None
        self.stale = 0
        self.at_edge = 0
        self.alone = 0
        self.owed = False
        """Whether the validation of the last step was stopped, and is to be repeated."""

    def improved(self, found: Validation) -> bool:
        """Take in a validation, and say whether it is the best so far."""
        self.owed = False
        self.at_edge = self.at_edge + 1 if not EDGE < found.threshold < 1 - EDGE else 0
        if self.best is None:
            self.best = found
            return True
        if found.score > self.best.score:
            self.best, self.stale = found, 0
            return True
        self.stale += 1
        return False

    def forget_best(self) -> None:
        """The weights of the best are lost: the next validation takes its place, and is owed."""
        self.best, self.owed = None, True

    @property
    def lost_patience(self) -> bool:
        """Whether the score has not risen for too long."""
        return 0 < self.patience <= self.stale

    def facts(self) -> dict[str, object]:
        """Plain values for JSON."""
        best = self.best.facts() if self.best else None
        return {
            "best": best,
            "stale": self.stale,
            "at_edge": self.at_edge,
            "alone": self.alone,
            "owed": self.owed,
        }

    def load(self, facts: Mapping[str, Any]) -> None:
        """Go on with saved facts."""
        self.best = Validation.from_facts(facts.get("best"))
        self.stale, self.at_edge, self.alone = (
            int(facts.get(name, 0)) for name in ("stale", "at_edge", "alone")
        )
        self.owed = bool(facts.get("owed", False))

    def batch(self, foreground: float) -> str | None:
        """Take in a step's share of foreground, and say when there was none for long."""
        self.alone = 0 if foreground > 0 else self.alone + 1
        if self.alone != LONELY:
            return None
        return (
            f"{LONELY} steps in a row without one pixel of foreground, from which a model learns "
            "to say nothing; raise data.foreground_share, or look with `sam-crack data sheet`"
        )

    def doubts(self, found: Validation) -> list[str]:
        """Say in words what is wrong with a validation that was just taken in."""
        where = f"validation at step {found.step}"
        if found.score == 0:
            missed = "of foreground was found at any threshold"
            if found.miou is not None:
                missed = "was given its class"
            return [
                f"{where}: not one pixel {missed}; look at the page of samples, raise "
                "data.foreground_share or lower train.lr"
            ]
        doubts = []
        if found.highest < FAINT:
            doubts.append(
                f"{where}: no pixel is given more than {found.highest:.0%}: the model says nothing "
                "everywhere; add dice or tversky to train.losses, or raise data.foreground_share"
            )
        if found.miou is None and found.share > 1 - FAINT:
            doubts.append(
                f"{where}: {found.share:.0%} of all pixels are taken for foreground at the best "
                "threshold; the model tells nothing apart yet"
            )
        if found.miou is None and self.at_edge >= 2:
            doubts.append(
                f"{where}: the threshold has been at its edge, {found.threshold:.3f}, for "
                f"{self.at_edge} validations; it will not carry over to other frames"
            )
        return doubts
