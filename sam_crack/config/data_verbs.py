"""Options of the verbs that look at data sets; kept apart so that `--help` imports nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from sam_crack.config.fields import Range


@dataclass(frozen=True, kw_only=True)
class DataCheckOptions:
    """`sam-crack data check`."""

    name: str
    """Data set; `sam-crack data list` names them, `folder` is anyone's. Example: dnit."""
    root: Path
    """Folder in which it lies as published. Example: data/dnit."""
    split: str = ""
    """Split to look at; empty looks at every frame. Example: train."""
    classes: tuple[str, ...] = ()
    """Foreground classes in order; empty takes all. For `folder` NAME=VALUE. Example: crack=255."""
    lists: Path | None = None
    """Folder of train.txt, val.txt and test.txt; empty looks in the root. Example: splits/dnit."""
    out: Path | None = None
    """Folder for manifest.json, check.json and pictures; empty takes runs/check/NAME.
    Example: checks/dnit."""
    against: Path | None = None
    """Manifest of an earlier check: files that changed or went since are errors.
    Example: checks/dnit/manifest.json."""
    strict: bool = False
    """Warnings and counts that differ from the published ones are errors too."""
    workers: Annotated[int, Range(0, 256)] | None = None
    """Processes; empty takes one per core, 0 works in this one. Example: 4."""


@dataclass(frozen=True, kw_only=True)
class DataStatsOptions:
    """`sam-crack data stats`."""

    name: str
    """Data set; `sam-crack data list` names them, `folder` is anyone's. Example: dnit."""
    root: Path
    """Folder in which it lies as published. Example: data/dnit."""
    out: Path | None = None
    """Folder for figures, CARD.md and croissant.json; empty takes runs/stats/NAME.
    Example: cards/dnit."""
    classes: tuple[str, ...] = ()
    """Foreground classes in order; empty takes all. For `folder` NAME=VALUE. Example: crack=255."""
    lists: Path | None = None
    """Folder of train.txt, val.txt and test.txt; empty looks in the root. Example: splits/dnit."""
    lines: tuple[str, ...] = ()
    """Classes measured as lines; empty takes those with crack in their name. Example: crack."""
    compare: tuple[str, ...] = ()
    """Further sets as NAME=ROOT, or NAME=stats.json of an earlier run. Example: cfd=data/cfd."""
    samples: Annotated[int, Range(0, 100)] = 12
    """Frames on the poster, spread over the set by how much of the class they show. Example: 24."""
    workers: Annotated[int, Range(0, 256)] | None = None
    """Processes; empty takes one per core, 0 works in this one. Example: 4."""


@dataclass(frozen=True, kw_only=True)
class DataSplitOptions:
    """`sam-crack data split`."""

    name: str
    """Data set; `sam-crack data list` names them, `folder` is anyone's. Example: dnit."""
    root: Path
    """Folder in which it lies as published. Example: data/dnit."""
    out: Path | None = None
    """Folder for train.txt, val.txt, test.txt and split.json; empty takes splits/NAME.
    Example: splits/dnit."""
    train: Annotated[float, Range(0, 1)] = 0.7
    """Share of the frames to learn from. Example: 0.8."""
    val: Annotated[float, Range(0, 1)] = 0.1
    """Share of the frames to choose threshold and checkpoint on. Example: 0.05."""
    test: Annotated[float, Range(0, 1)] = 0.2
    """Share of the frames to report on. Example: 0.15."""
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    """Which of the possible splits; the same number gives the same split. Example: 7."""
    pictures: bool = True
    """Look at every picture, and keep nearly equal ones in one split."""
    overwrite: bool = False
    """Replace a split that differs."""
    workers: Annotated[int, Range(0, 256)] | None = None
    """Processes; empty takes one per core, 0 works in this one. Example: 4."""


@dataclass(frozen=True, kw_only=True)
class DataPrepareOptions:
    """`sam-crack data prepare`."""

    name: str
    """Data set; `sam-crack data list` names them, `folder` is anyone's. Example: dnit."""
    root: Path
    """Folder in which it lies as published. Example: data/dnit."""
    out: Path | None = None
    """Folder of the store; one begun earlier is continued; empty takes stores/NAME.
    Example: stores/dnit."""
    split: str = ""
    """Split to prepare; empty prepares every frame. Example: train."""
    classes: tuple[str, ...] = ()
    """Foreground classes in order; empty takes all. For `folder` NAME=VALUE. Example: crack=255."""
    lists: Path | None = None
    """Folder of train.txt, val.txt and test.txt; empty looks in the root. Example: splits/dnit."""
    verify: bool = False
    """Compare every frame that is there already with its hash before going on."""
    dry_run: bool = False
    """Say how large the store would be, and stop."""
    workers: Annotated[int, Range(0, 256)] | None = None
    """Processes; empty takes one per core, 0 works in this one. Example: 4."""


@dataclass(frozen=True, kw_only=True)
class DataSheetOptions:
    """`sam-crack data sheet`."""

    name: str
    """Data set; `sam-crack data list` names them, `folder` is anyone's. Example: dnit."""
    root: Path
    """Folder in which it lies as published, or a store made by `data prepare`.
    Example: stores/dnit."""
    out: Path = Path("sheet.png")
    """Picture to write. Example: sheets/dnit.png."""
    split: str = ""
    """Split the crops are drawn from; empty takes the configuration's. Example: val."""
    crops: Annotated[int, Range(1, 200)] = 24
    """Crops on the sheet. Example: 48."""
    start: Annotated[int, Range(0)] = 0
    """Number of the first crop: training takes them from 0 on. Example: 100."""
