"""One validation: sliding windows over whole frames, and the threshold that suits them best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.data.rims import RIM_PX, need_instances, rims
from sam_crack.data.sample import Sample
from sam_crack.data.spread import spread
from sam_crack.errors import BadInput
from sam_crack.infer.assemble import assemble
from sam_crack.infer.gate import count_gate, gate_scores, say_gate
from sam_crack.infer.prediction import Gated, Prediction
from sam_crack.infer.road import parse_road
from sam_crack.infer.scaled import by_factor
from sam_crack.measure.confusion import IGNORED, count_classes, miou
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

from .stopping import Stopped, StopSignal

HALF = to_level(0.5)
SHOWN = 4
"""Frames of which is kept what was said, to be looked at."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Scores on the validation split at the threshold chosen there; pooled over its pixels."""

    step: int
    threshold: float
    iou: float
    f1: float
    precision: float
    recall: float
    share: float = 0.0
    """Share of all pixels that are foreground at the threshold."""
    highest: float = 1.0
    """Highest probability given to any pixel."""
    miou: float | None = None
    """Mean IoU over the foreground classes that occur; None where there is only one."""
    rim_f1: float | None = None
    """F1 of the borders between instances at probability 0.5, where the head has a channel."""
    gate_missed: float | None = None
    """Share of the true foreground where `infer.road` counts less than half; None without one."""
    gate_share: float | None = None
    """Share of all pixels where it counts half or more; None where all is looked at."""
    scale: float = 1.0
    """Factor by which frames were resized, the best of `infer.scale`."""

    @property
    def score(self) -> float:
        """The number by which one validation is better than another."""
        return self.f1 if self.miou is None else self.miou

    def line(self) -> str:
        """What a person is told of it."""
        mean = "" if self.miou is None else f"mean IoU {self.miou:.3f}, "
        scale = "" if self.scale == 1 else f", frames resized by {self.scale:g}"
        return (
            f"validation at step {self.step:,}: {mean}IoU {self.iou:.3f}, F1 {self.f1:.3f} at "
            f"threshold {self.threshold:.3f}{scale}"
        )

    def facts(self) -> dict[str, float]:
        """Plain values for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_facts(cls, facts: Any) -> Validation | None:  # noqa: ANN401 - straight from JSON
        """The inverse of `facts`; None stays None."""
        return cls(**facts) if isinstance(facts, Mapping) else None


@dataclass(kw_only=True)
class Tally:
    """What is counted of the frames that were looked at in one scale."""

    pixels: ThresholdCounts
    """Pixels by their probability of being foreground."""
    borders: ThresholdCounts
    """The same of the borders between instances."""
    table: NDArray[np.int64]
    """True by predicted class, background first."""

    @classmethod
    def empty(cls, classes: int) -> Tally:
        """Return one in which nothing is counted yet."""
        return cls(
            pixels=ThresholdCounts.zero(),
            borders=ThresholdCounts.zero(),
            table=np.zeros((classes, classes), np.int64),
        )

    def add(
        self, said: Prediction, sample: Sample, ignore: NDArray[np.bool_] | None, *, factor: float
    ) -> None:
        """Count one frame that was looked at resized by a factor."""
        self.pixels += count_levels(said.prob, sample.mask, ignore)
        if said.classes is not None:
            truth = sample.mask if ignore is None else np.where(ignore, IGNORED, sample.mask)
            self.table += count_classes(said.classes, truth, num_classes=len(self.table))
        if said.rim is not None:
            width = max(1, round(RIM_PX / factor))  # as wide as it was taught, at native size
            instances = need_instances(sample.instances, sample.id)
            truth = rims(instances, ignore=ignore, width_px=width)
            self.borders += count_levels(said.rim, truth.view(np.uint8), ignore)


class Validator:
    """Scores a model on whole frames; processes share the frames out and add their counts."""

    def __init__(
        self,
        segmenter: Segmenter,
        samples: Sequence[Sample],
        *,
        config: RunConfig,
        accelerator: Accelerator,
        console: Console,
        stop: StopSignal | None = None,
    ) -> None:
        """Refuse an empty split: a threshold chosen on nothing is no choice."""
        if len(samples) == 0:
            raise BadInput(
                "the validation split holds no samples",
                "at least one image with its mask",
                "name another split with --data.val",
            )
        self.segmenter, self.samples = segmenter, samples
        self.stop = stop or StopSignal(console)
        self.region_only = config.data.region_only
        mine = range(accelerator.process_index, len(samples), accelerator.num_processes)
        self.shown: dict[int, Prediction | None] = dict.fromkeys(
            mine[place] for place in spread(len(mine), SHOWN)
        )
        """What was last said about a few frames, by their numbers, to be looked at."""
        self.accelerator, self.console = accelerator, console
        parse_road(config.infer.road, alone=True)  # processes share frames out
        self.predictor = assemble(
            segmenter, config.infer, device=accelerator.device, warn=console.warn
        )
        self.lookers = {factor: by_factor(self.predictor, factor) for factor in config.infer.scale}

    def __call__(self, step: int) -> Validation:
        """Score the model as it is now.

        Raises:
            Stopped: The run was asked to stop before the last frame.
        """
        self.segmenter.eval()
        mine = range(
            self.accelerator.process_index, len(self.samples), self.accelerator.num_processes
        )
        several = self.segmenter.config.head.num_classes + 1
        tallies = {factor: Tally.empty(several) for factor in self.lookers}
        kept: dict[float, dict[int, Prediction]] = {factor: {} for factor in self.lookers}
        gated = np.zeros(4, np.int64)
        for index in self.console.progress(mine, "validate", unit="frame"):
            if self.stop.asked:
                break
            sample = self.samples[index]
            ignore = sample.uncounted(within_region=self.region_only)
            gate = self.predictor.gate(sample.image)
            if self.predictor.road != "all":
                gated += count_gate(gate, sample.mask > 0, ignore)
            for factor, looker in self.lookers.items():
                said = looker.frame(Gated(sample.image, gate))
                tallies[factor].add(said, sample, ignore, factor=factor)
                if index in self.shown:
                    kept[factor][index] = said
        if self.stop.agreed(self.accelerator):
            raise Stopped
        found = [
            replace(self._score(tally, step), scale=factor) for factor, tally in tallies.items()
        ]
        best = max(found, key=lambda one: (one.score, -abs(np.log(one.scale))))
        self.shown |= kept[best.scale]
        if self.predictor.road == "all":
            return best
        scores = gate_scores(self._sum(gated))
        self.console.say(say_gate(self.predictor.road, scores))
        return replace(best, gate_missed=scores["gate_missed"], gate_share=scores["gate_share"])

    def _score(self, tally: Tally, step: int) -> Validation:
        """Add up what all processes counted, and choose the threshold."""
        found = choose(self._add_up(tally.pixels), step)
        if len(tally.table) > 2:
            mean = miou(self._sum(tally.table), absent="skip", background=False) or 0
            found = replace(found, miou=mean)
        if self.predictor.rim:
            found = replace(found, rim_f1=f1(self._add_up(tally.borders).at(HALF), empty="zero"))
        return found

    def _add_up(self, counts: ThresholdCounts) -> ThresholdCounts:
        return ThresholdCounts(self._sum(counts.positives), self._sum(counts.negatives))

    def _sum(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum integer counts over processes."""
        if self.accelerator.num_processes == 1:
            return counts
        mine = torch.from_numpy(counts).to(self.accelerator.device)
        summed: NDArray[np.int64] = self.accelerator.reduce(mine, reduction="sum").cpu().numpy()
        return summed


def choose(counts: ThresholdCounts, step: int) -> Validation:
    """Take the threshold with the highest pooled F1, and score there."""
    threshold, _ = counts.best()
    there = counts.at(to_level(threshold))
    scores = (score(there, empty="zero") or 0.0 for score in (iou, f1, precision, recall))
    names = ("iou", "f1", "precision", "recall")
    levels = counts.positives + counts.negatives
    return Validation(
        step=step,
        threshold=threshold,
        share=(there.tp + there.fp) / max(1, int(levels.sum())),
        highest=int(np.flatnonzero(levels).max(initial=0)) / 255,
        **dict(zip(names, scores, strict=True)),
    )
