"""Options of the verbs that judge models; apart from their rooms, which import torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from sam_crack.config.fields import Range


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """`sam-crack evaluate`."""

    run: Path
    """Checkpoint folder, or a run folder with one in it. Example: runs/train/dnit-1."""
    data: str = "folder"
    """Data set; `sam-crack data list` names them. Example: dnit."""
    root: Path | None = None
    """Folder in which the data set lies as published. Example: data/dnit."""
    split: str = "test"
    """Frames that are scored: train, val or test; none takes every frame. Example: test."""
    lists: Path | None = None
    """Folder of train.txt, val.txt and test.txt, as `data split` writes it, where the model was
    trained with data.lists: says which frames the split has. Example: splits/dnit."""
    classes: tuple[str, ...] = ()
    """Classes taken as foreground; empty takes those that the model was trained on."""
    task: Literal["auto", "foreground", "classes", "instances"] = "auto"
    """What is scored: foreground takes all classes as one, classes tells them apart, instances
    scores separate objects. auto takes instances where the data set consists of objects, and
    classes where the model tells several apart. Example: foreground."""
    out: Path | None = None
    """Folder for tables, curves and the page; empty makes runs/evaluate/NAME-N."""
    baseline: Path | None = None
    """Another checkpoint, scored on the same frames, or the folder of its evaluation: gives paired
    differences. Example: runs/train/unet-1."""
    limit: Annotated[int, Range(1)] | None = None
    """At most so many frames, evenly spaced; empty takes all. Example: 20."""
    empty: Literal["skip", "one", "zero"] = "skip"
    """What a frame scores without foreground in truth and prediction: skip leaves it out of the
    mean, one rewards the silence, zero punishes it."""
    resamples: Annotated[int, Range(0, 100_000)] = 1000
    """Bootstrap resamples of whole groups behind the 95 % intervals; 0 gives none."""
    overlap: Annotated[float, Range(0, 0.75)] = 0.125
    """Smallest share of a window that its neighbour sees too. Example: 0.25."""
    batch_size: Annotated[int, Range(1, 4096)] = 4
    """Windows per forward pass. Example: 8."""
    road: str = "all"
    """Where to look: `all`; `band:TOP,BOTTOM` as shares of the height; `mask:FILE`, an image bright
    on the road or a .json polygon of [y, x] shares; `prior:FILE`, heat_SPLIT.npy of `data stats`;
    `auto`, which base SAM finds ahead in each frame. It fades out over 3 % of the height.
    Example: band:0.4,1."""
    scale: str = "own"
    """Resize frames before they are looked at: by `own`, the factor that the checkpoint carries
    from its validation; by another factor, by `camera` or `camera:strips`, by
    `calibrate:FOLDER` or by `auto`, as in predict; for each model by itself. Example: auto."""
    camera: Path | None = None
    """camera.json of the frames, for --scale camera; empty takes the one in the root."""
    device: str = "auto"
    """Where to compute: auto takes a GPU if there is one; else cpu, cuda or cuda:1."""
    overwrite: bool = False
    """Replace an evaluation that lies in the folder."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """`sam-crack compare`."""

    config: Path
    """YAML with `base`, `rows`, `evaluate` and `baseline`. Example: configs/compare/dnit.yaml."""
    root: Path | None = None
    """Folder of the data set; empty takes the one in the file. Example: data/dnit."""
    roots: dict[str, Path] = field(default_factory=dict)
    """Folders of data sets by name, where rows learn from or are scored on several.
    Example: uav=data/uav,paveseg=data/paveseg."""
    out: Path | None = None
    """Folder of the comparison, finished rows in it are kept; empty takes runs/compare/NAME."""
    rows: tuple[str, ...] = ()
    """Only these rows are trained; empty trains all. Example: lora,unet."""
    device: str = "auto"
    """Where rows are evaluated: auto takes a GPU if there is one; else cpu, cuda or cuda:1."""
    dry_run: bool = False
    """Check the file and list the rows, finished or not, and stop there."""


@dataclass(frozen=True, kw_only=True)
class TransferOptions:
    """`sam-crack transfer`."""

    config: Path
    """YAML of a comparison with `curves`, `images` and `forget`.
    Example: configs/transfer/kumar.yaml."""
    root: Path | None = None
    """Folder of the data set; empty takes the one in the file. Example: data/kumar."""
    roots: dict[str, Path] = field(default_factory=dict)
    """Folders of data sets by name, where rows are scored on several. Example: consep=data/c."""
    out: Path | None = None
    """Folder of the transfer, finished rows in it are kept; empty takes runs/transfer/NAME."""
    rows: tuple[str, ...] = ()
    """Only these rows are trained; empty trains all. Example: sam-all,unet-all."""
    device: str = "auto"
    """Where rows are evaluated: auto takes a GPU if there is one; else cpu, cuda or cuda:1."""
    dry_run: bool = False
    """Check the file and list the rows with their images, and stop there."""
