"""The scale at which frames are scored: asked for once, found for each model by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sam_crack.config.study_verbs import EvaluateOptions
from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.infer.few_frames import middles
from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Image
from sam_crack.infer.scale import parse_scale
from sam_crack.infer.scale_choice import FEW, Known, choose_scale
from sam_crack.infer.scaled import Looker
from sam_crack.measure.camera_file import load_camera
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.model.trained_scale import read_trained_scale
from sam_crack.train.shown_scale import CAMERA


def at_scale(
    predictor: Predictor,
    model: Mapping[str, Any],
    samples: Sequence[Sample],
    indices: Sequence[int],
    *,
    options: EvaluateOptions,
    console: Console,
) -> tuple[Looker, dict[str, Any]]:
    """Return what looks at the frames in the scale asked for, and the model's facts with it.

    Labels of the frames that are scored have no say in it.
    """

    def few() -> Iterator[tuple[str, Image]]:
        for place in middles(len(indices), FEW):
            sample = samples[indices[place]]
            yield sample.id, sample.image

    known = Known(
        trained=read_trained_scale(model["trained_scale"]), camera=_camera(options), few=few
    )
    looker, facts = choose_scale(parse_scale(options.scale), predictor, known, console=console)
    return looker, {**model, "scale": facts}


def _camera(options: EvaluateOptions) -> RoadCamera | None:
    """Load the camera that was named, or that which lies in the root."""
    if options.camera is not None:
        return load_camera(options.camera)
    beside = (options.root or Path()) / CAMERA
    return load_camera(beside) if options.scale.startswith("camera") and beside.is_file() else None
