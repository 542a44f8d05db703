"""What scale training shows: noted in the checkpoint, so that frames can be brought to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from sam_crack.config.schema import DataConfig
from sam_crack.data.sample import Sample
from sam_crack.data.spread import spread
from sam_crack.errors import BadInput
from sam_crack.measure.camera_file import load_camera
from sam_crack.measure.road_scale import millimetres_across
from sam_crack.measure.softness import along, dark_lines
from sam_crack.measure.widths import typical_width
from sam_crack.model.trained_scale import TrainedScale

FEWEST_PX = 50
"""Fewer pixels of dark line tell nothing of how soft they are."""
CAMERA = "camera.json"
"""A data set, or each drive in it, says by which camera its frames were taken."""


def shown_scale(
    samples: Sequence[Sample], config: DataConfig, *, at_most: int = 16
) -> TrainedScale:
    """Measure evenly spaced samples, and say how large things are once crops are resized."""
    lowest, highest = config.scale
    # crops are drawn evenly by the logarithm of the factor
    usual = (lowest * highest) ** (config.scale_share / 2)
    seen = [samples[place] for place in spread(len(samples), at_most)]
    width = typical_width(sample.mask for sample in seen)
    soft = _softness(seen)
    gsd = _road_gsd(config, seen[0].mask.shape)
    return TrainedScale(
        lowest=lowest,
        highest=highest,
        width_px=None if width is None else width * usual,
        gsd_mm=None if gsd is None else gsd / usual,
        softness_px=None if soft is None else soft * usual,
    )


def _softness(samples: Sequence[Sample]) -> float | None:
    """Return the typical softness of the labelled lines, every pixel of length counting alike."""
    labelled = [sample for sample in samples if sample.mask.any()]
    found = [along(dark_lines(sample.image), sample.mask > 0) for sample in labelled]
    logs = np.concatenate([np.zeros(0), *found])
    return float(np.exp(logs.mean())) if len(logs) >= FEWEST_PX else None


def _road_gsd(config: DataConfig, size: tuple[int, ...]) -> float | None:
    """Ground sampling distance of the frames, the geometric mean over the cameras that are told."""
    root, found = config.root, []
    paths = [] if root is None else [root / CAMERA, *sorted(root.glob(f"*/{CAMERA}"))]
    for path in paths:
        # A camera of other frames is no reason to stop: training does not depend on it.
        with suppress(BadInput):
            if path.is_file():
                found.append(millimetres_across(load_camera(path).resized((size[0], size[1]))))
    return float(np.exp(np.log(found).mean())) if found else None
