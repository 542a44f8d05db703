"""Held-back frames of a rendered drive: what the model finds beside what is true."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam_crack.config.schema import InferConfig
from sam_crack.data.dataset import open_dataset
from sam_crack.data.synth.dataset import drive_camera
from sam_crack.data.synth.frame import cracks_near, view_of
from sam_crack.data.synth.truth import REACH_M
from sam_crack.infer.assemble import assemble
from sam_crack.infer.scale_search import calibrate
from sam_crack.infer.scaled import Looker as LooksAtFrames
from sam_crack.infer.scaled import by_factor
from sam_crack.measure.cracks import Crack, measure_cracks
from sam_crack.measure.match import owners, territory
from sam_crack.measure.metrics import Counts, count
from sam_crack.model.checkpoint import load_checkpoint

REACH_PX = 12
"""A measured centre line may lie this far from the true one in a 4K frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueCrack:
    """A crack as it was rendered, and what was measured of it in one frame."""

    id: str
    kind: str
    length_mm: float
    """Of the part in the frame, unhidden and within reach."""
    width_mm: float
    measured_length_mm: float | None
    """Sum over the measured cracks that lie on it; None if it was missed."""
    measured_width_mm: float | None
    """Mean over them, by length."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameResult:
    """One held-back frame."""

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    counts: Counts
    cracks: list[Crack]
    true_cracks: list[TrueCrack]
    false_cracks: list[Crack]
    """Measured cracks that lie on none."""
    seconds: float
    """From pixels to cracks."""


class Looker:
    """Runs a checkpoint over the frames of one drive."""

    def __init__(self, checkpoint: Path, config: InferConfig, drive: Path) -> None:
        segmenter, meta = load_checkpoint(checkpoint)
        self._predictor = assemble(segmenter, config, threshold=meta.threshold)
        self.looker: LooksAtFrames = self._predictor
        self.samples = open_dataset("synth", drive)
        self.camera = drive_camera(drive)
        self.facts: dict[str, Any] = json.loads((drive / "truth.json").read_text("utf-8"))
        self.drive = drive

    def find_scale(self, indices: Iterable[int], factors: tuple[float, ...]) -> float:
        """Look from now on at the scale that finds most of the cracks of these frames."""
        labelled = (self.samples[index] for index in indices)
        factor, _ = calibrate(self._predictor, labelled, factors=factors)
        self.looker = by_factor(self._predictor, factor)
        return factor

    def look(self, index: int) -> FrameResult:
        """Segment, measure and compare one frame."""
        sample = self.samples[index]
        began = time.perf_counter()
        prediction = self.looker.frame(sample.image)
        near = self._near(prediction.mask)
        cracks = measure_cracks(near, prob=prediction.prob, camera=self.camera)
        seconds = time.perf_counter() - began
        true_rows = self.facts["frames"][index]["cracks"]
        owner = owners(cracks, self._territory(index))
        return FrameResult(
            name=sample.id,
            image=sample.image,
            truth=sample.mask,
            mask=prediction.mask,
            counts=count(prediction.mask, sample.mask),
            cracks=cracks,
            true_cracks=[
                _compare(row, [c for c, o in zip(cracks, owner, strict=True) if o == number])
                for number, row in enumerate(true_rows, 1)
            ],
            false_cracks=[c for c, o in zip(cracks, owner, strict=True) if o == 0],
            seconds=seconds,
        )

    def _near(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Leave out what is further ahead than the truth reaches."""
        row = int(np.ceil(self.camera.to_pixels([0.0, REACH_M])[0]))
        near = mask.copy()
        near[: max(0, row)] = False
        return near

    def _territory(self, index: int) -> NDArray[np.int32]:
        """Paint where the true cracks of a frame lie, numbered as in its truth."""
        facts = self.facts
        view = view_of(facts["seed"], index, tuple(facts["size"]), spacing_m=facts["spacing_m"])
        lines = {
            crack.id: [view.project(branch.line) for branch in crack.branches]
            for crack in cracks_near(facts["seed"], view)
        }
        numbered = {
            number: lines[row["id"]]
            for number, row in enumerate(facts["frames"][index]["cracks"], 1)
        }
        reach = max(2, round(REACH_PX * facts["size"][1] / 3840))
        return territory(numbered, tuple(facts["size"]), reach_px=dict.fromkeys(numbered, reach))


def _compare(row: dict[str, Any], cracks: list[Crack]) -> TrueCrack:
    """Add up what was measured of one true crack."""
    measured = [crack.ground for crack in cracks if crack.ground is not None]
    length = sum(ground.length_mm for ground in measured)
    weighted = sum(ground.length_mm * ground.width_mean_mm for ground in measured)
    return TrueCrack(
        id=row["id"],
        kind=row["class"],
        length_mm=row["length_mm"],
        width_mm=row["mean_width_mm"],
        measured_length_mm=length or None,
        measured_width_mm=weighted / length if length else None,
    )
