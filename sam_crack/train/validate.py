"""One validation: sliding windows over whole frames, and the threshold that suits them best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from accelerate import Accelerator

from sam_crack.config.schema import InferConfig
from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput
from sam_crack.infer.predict import Predictor
from sam_crack.measure.metrics import (
    ThresholdCounts,
    count_levels,
    f1,
    iou,
    precision,
    recall,
    to_level,
)
from sam_crack.model.segmenter import Segmenter


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
    def from_facts(cls, facts: Any) -> Validation | None:  # noqa: ANN401 - straight from JSON
        """The inverse of `facts`; None stays None."""
        return cls(**facts) if isinstance(facts, Mapping) else None


class Validator:
    """Scores a model on whole frames; processes share the frames out and add their counts."""

    def __init__(
        self,
        segmenter: Segmenter,
        samples: Sequence[Sample],
        *,
        config: InferConfig,
        accelerator: Accelerator,
        console: Console,
    ) -> None:
        """Refuse an empty split: a threshold chosen on nothing is no choice."""
        if len(samples) == 0:
            raise BadInput(
                "the validation split holds no samples",
                "at least one image with its mask",
                "name another split with --data.val",
            )
        self.segmenter, self.samples = segmenter, samples
        self.accelerator, self.console = accelerator, console
        self.predictor = Predictor(
            segmenter,
            window=segmenter.config.window,
            stride=segmenter.stride,
            overlap=config.overlap,
            batch_size=config.batch_size,
            road=config.road,
            device=accelerator.device,
        )

    def __call__(self, step: int) -> Validation:
        """Score the model as it is now."""
        self.segmenter.eval()
        mine = range(
            self.accelerator.process_index, len(self.samples), self.accelerator.num_processes
        )
        total = ThresholdCounts.zero()
        for index in self.console.progress(mine, "validate", unit="frame"):
            sample = self.samples[index]
            prob = self.predictor.frame(sample.image).prob
            total += count_levels(prob, sample.mask, sample.ignore)
        return choose(self._add_up(total), step)

    def _add_up(self, counts: ThresholdCounts) -> ThresholdCounts:
        """Sum integer histograms over processes."""
        if self.accelerator.num_processes == 1:
            return counts
        both = torch.from_numpy(counts.positives), torch.from_numpy(counts.negatives)
        stacked = torch.stack(both).to(self.accelerator.device)
        summed = self.accelerator.reduce(stacked, reduction="sum").cpu().numpy()
        return ThresholdCounts(summed[0], summed[1])


def choose(counts: ThresholdCounts, step: int) -> Validation:
    """Take the threshold with the highest pooled F1, and score there."""
    threshold, _ = counts.best()
    there = counts.at(to_level(threshold))
    scores = (score(there, empty="zero") or 0.0 for score in (iou, f1, precision, recall))
    names = ("iou", "f1", "precision", "recall")
    return Validation(step=step, threshold=threshold, **dict(zip(names, scores, strict=True)))
