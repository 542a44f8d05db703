"""sam_crack teaches Segment Anything a domain: cracks on roads first.

The public names arrive on first use, so that importing the package imports nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam_crack.config.load import load_config as load_config
    from sam_crack.config.schema import RunConfig as RunConfig
    from sam_crack.console import Console as Console
    from sam_crack.data.dataset import open_dataset as open_dataset
    from sam_crack.errors import SamCrackError as SamCrackError
    from sam_crack.infer.predict import Predictor as Predictor
    from sam_crack.infer.stitch import Stitcher as Stitcher
    from sam_crack.infer.windows import plan_windows as plan_windows
    from sam_crack.measure.camera import Camera as Camera
    from sam_crack.measure.cracks import measure_cracks as measure_cracks
    from sam_crack.model.checkpoint import load_checkpoint as load_checkpoint
    from sam_crack.model.segmenter import Segmenter as Segmenter
    from sam_crack.model.segmenter import build_segmenter as build_segmenter

__version__ = "0.1.0"

_ROOMS = {
    "Camera": "measure.camera",
    "Console": "console",
    "Predictor": "infer.predict",
    "RunConfig": "config.schema",
    "SamCrackError": "errors",
    "Segmenter": "model.segmenter",
    "Stitcher": "infer.stitch",
    "build_segmenter": "model.segmenter",
    "load_checkpoint": "model.checkpoint",
    "load_config": "config.load",
    "measure_cracks": "measure.cracks",
    "open_dataset": "data.dataset",
    "plan_windows": "infer.windows",
}
__all__ = [
    "Camera",
    "Console",
    "Predictor",
    "RunConfig",
    "SamCrackError",
    "Segmenter",
    "Stitcher",
    "__version__",
    "build_segmenter",
    "load_checkpoint",
    "load_config",
    "measure_cracks",
    "open_dataset",
    "plan_windows",
]


def __getattr__(name: str) -> object:
    """Import the room of a public name when it is first asked for."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
