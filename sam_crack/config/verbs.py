"""Options of verbs whose rooms import torch; kept apart so that `--help` does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from sam_crack.config.fields import Positional, Range
from sam_crack.config.load import config_hash, dump_config
from sam_crack.config.schema import BackboneName, RunConfig
from sam_crack.config.values import plain
from sam_crack.console import Console


@dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """Which configuration is shown."""

    config: Path
    """YAML file, or the name of one that comes with the package. Example: demo."""


def run_config(
    options: ConfigOptions, console: Console, run_config: RunConfig
) -> dict[str, object]:
    """Print the resolved configuration as YAML; every line of it can stand in a config file."""
    console.say(dump_config(run_config).rstrip())
    return {
        "file": str(options.config),
        "config": plain(run_config),
        "hash": config_hash(run_config),
    }


WeightsName = Literal["mobile_sam", "vit_b", "vit_l", "vit_h", "lite_medsam"]


@dataclass(frozen=True, kw_only=True)
class WeightsListOptions:
    """`sam-crack weights list`."""


@dataclass(frozen=True, kw_only=True)
class WeightsFetchOptions:
    """`sam-crack weights fetch`."""

    name: WeightsName
    """Which base weights. Example: mobile_sam (41 MB)."""


@dataclass(frozen=True, kw_only=True)
class WeightsVerifyOptions:
    """`sam-crack weights verify`."""

    name: Annotated[WeightsName | None, Positional()] = None
    """Which base weights; without a name, all that are here. Example: mobile_sam."""


@dataclass(frozen=True, kw_only=True)
class WeightsPathOptions:
    """`sam-crack weights path`."""

    name: WeightsName
    """Which base weights. Example: mobile_sam."""


@dataclass(frozen=True, kw_only=True)
class MergeOptions:
    """`sam-crack merge`."""

    run: Path
    """Checkpoint folder, or a run folder with one in it. Example: runs/train/dnit-1."""
    out: Path = Path("merged.pth")
    """File to write: .pth is SAM alone, for segment_anything; .safetensors holds the head and its
    threshold too, and `predict` takes it without base weights. Example: road_sam.pth."""
    overwrite: bool = False
    """Replace the file if it exists."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """`sam-crack train`."""

    out: Path | None = None
    """Run folder; empty makes runs/train/NAME-N. Example: runs/train/dnit-1."""
    resume: str | None = None
    """`auto` goes on with the newest run of this name that has a state, else that has begun; a path
    with that run. Example: auto."""
    init: Path | None = None
    """Checkpoint or run folder whose trained weights are the start; a run that goes on knows its
    own. Example: runs/train/synth-1."""
    allow_changes: bool = False
    """With --resume: go on although the configuration or the data are not those of before."""
    dry_run: bool = False
    """Say what would happen, and stop before the first step."""


@dataclass(frozen=True, kw_only=True)
class SynthOptions:
    """`sam-crack data synth`."""

    out: Path = Path("drives/practice")
    """Folder of the drive; a drive begun with the same settings is continued. Example: drives/a."""
    frames: Annotated[int, Range(1, 20_000)] = 60
    """Number of frames. Example: 120."""
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    """Number from which road, cracks, light and traffic are drawn. Example: 7."""
    video: Literal["mpeg4", "mjpeg", "none"] = "mpeg4"
    """Also write the drive as a video: mpeg4 (.mp4), mjpeg (.avi, four times as large and finer) or
    none. Example: none."""
    size: Annotated[tuple[int, int], Range(64, 8192)] = (2160, 3840)
    """Frame height,width in pixels. Example: 1080,1920."""
    spacing: Annotated[float, Range(0.2, 50.0)] = 5.0
    """Metres driven between frames. Example: 2.5."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """`sam-crack demo`."""

    out: Path = Path("runs/demo")
    """Folder for everything the demo makes; a demo that was stopped goes on. Example: runs/mine."""
    steps: Annotated[int, Range(1, 100_000)] = 60
    """Training steps of 4 crops; 60 take two to three minutes on two cores. Example: 200."""
    frames: Annotated[int, Range(2, 100)] = 4
    """Held-back 3840x2160 frames that the tuned model looks at. Example: 8."""
    seed: Annotated[int, Range(0, 2**31 - 100)] = 4
    """Which road is rendered, and how training is shuffled. Example: 7."""
    start: str = "practice"
    """Trained checkpoint to begin with, by name or folder; `base` begins with SAM as published.
    Example: base."""
    size: Annotated[tuple[int, int], Range(64, 8192)] = (2160, 3840)
    """Frame height,width in pixels; smaller ones are for a quick look. Example: 1080,1920."""


@dataclass(frozen=True, kw_only=True)
class DataListOptions:
    """`sam-crack data list`."""

    name: str = ""
    """Data set to say everything about; empty lists all. Example: dnit."""


@dataclass(frozen=True, kw_only=True)
class AdaptersOptions:
    """`sam-crack adapters`."""

    backbone: BackboneName = "mobile_sam"
    """Encoder that the methods are measured on; no weights are needed. Example: vit_b."""
