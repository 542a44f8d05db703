"""Steps that are not taken because a loss or a gradient is not finite."""

from __future__ import annotations

from accelerate.utils import gather_object

from sam_crack.errors import BadInput

from .run import Run


class BadSteps:
    """Counts them, says so, and says when they are too many."""

    def __init__(self, run: Run) -> None:
        """Nothing was skipped yet."""
        self.run = run
        self.total = 0
        self.standing = 0
        """Skipped, and not made up for by a good step."""
        self.ids: list[str] = []
        """Samples of the last one, of all processes."""

    @property
    def too_many(self) -> bool:
        """Whether the run should end."""
        return self.standing >= self.run.config.train.bad_steps

    def made_up(self) -> None:
        """Take in a good step."""
        self.standing = max(0, self.standing - 1)

    def after(
        self, step: int, *, loss: float, norm: float, ids: list[str]
    ) -> tuple[str, list[str]]:
        """Take in a bad step, on every process; return why it is one, and its samples."""
        self.total += 1
        self.standing += 1
        self.ids = list(dict.fromkeys(gather_object(ids)))
        why = f"loss {loss}, gradient norm {norm}"
        if self.total in (1, 10, 100, 1000):
            times = "" if self.total == 1 else f", {self.total} steps so far"
            self.run.console.warn(
                f"step {step} was skipped{times}: {why}; samples {', '.join(self.ids[:8])}"
            )
        return why, self.ids

    def diverged(self, step: int) -> BadInput:
        """Compose the error that ends a run."""
        return BadInput(
            f"loss or gradients were not finite in {self.total} steps up to step {step}",
            f"last samples: {', '.join(self.ids)}; all are in metrics.jsonl",
            "look at these images and masks, or lower train.lr",
        )
