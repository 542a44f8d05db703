"""What a training run is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator

from sam_crack.config.schema import RunConfig
from sam_crack.console import Console
from sam_crack.data.crops import CropDrawer
from sam_crack.model.segmenter import Segmenter

from .stopping import StopSignal
from .trackers import Tracker
from .validate import Validation


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a training run is made of; `fit` sets it in motion."""

    config: RunConfig
    segmenter: Segmenter
    drawer: CropDrawer
    folder: Path
    accelerator: Accelerator
    console: Console
    validate: Callable[[int], Validation]
    """Scores the model at a step; raises Stopped where it was asked to stop before the end."""
    save_best: Callable[[Validation], None]
    tracker: Tracker
    stop: StopSignal
    mirror: Segmenter | None = None
    """Where weights are put together for validation, if no process holds all of them."""
    show: Callable[[Validation], None] = lambda found: None
    """Told about each validation, on the process that writes."""
    data_hash: str = ""
    """What the samples are; a run goes on only with the same ones."""
    allow_changes: bool = False
    """Whether a run may go on with another configuration or other data."""
    begun_from: Mapping[str, str] | None = None
    """The trained weights that it began from; a saved state says so too."""
    taken_up: Callable[[], None] = lambda: None
    """Told once a run that goes on stands where it stopped, on the process that writes."""
