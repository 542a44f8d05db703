"""The frames that are scored: which split, of which classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sam_crack.config.study_verbs import EvaluateOptions
from sam_crack.console import Console
from sam_crack.data.dataset import Dataset, UnknownClass, UnknownSplit, open_dataset
from sam_crack.data.opening import open_samples
from sam_crack.data.sets.layout import SPLIT_STAMP
from sam_crack.data.store import Store, is_store
from sam_crack.errors import BadInput, UsageError


def open_split(options: EvaluateOptions, learnt: tuple[str, ...]) -> Dataset | Store:
    """Open the frames that are scored; by default with the classes the model was trained on."""
    if options.root is None:
        raise UsageError(
            "--root is missing",
            "the folder in which the data set lies as published",
            f"add --root FOLDER for {options.data}",
        )
    split = None if options.split == "none" else options.split
    asked = options.classes or learnt
    try:
        if options.lists is not None:
            _need_lists_that_decide(options.lists, options.root, split, options.data, asked)
        return open_samples(
            options.data, options.root, split=split, classes=asked, lists=options.lists
        )
    except UnknownSplit as error:
        accepted = f"{error.accepted}; none takes every frame"
        raise UsageError(f"--split {options.split}", accepted, error.todo) from error
    except UnknownClass as error:
        if options.classes:
            raise UsageError(f"--classes: {error.given}", error.accepted, error.todo) from error
        raise UsageError(
            f"{error.given}, which the model was trained on",
            error.accepted,
            "say with --classes which of these it is to find",
        ) from error


def _need_lists_that_decide(
    lists: Path, root: Path, split: str | None, name: str, classes: tuple[str, ...]
) -> None:
    """Refuse lists that would be left aside without a word."""
    if split is None or is_store(root):
        raise UsageError(
            f"--lists {lists} beside " + (f"{root}" if split else "--split none"),
            "a split of a data set as published: a prepared store has its own, none takes all",
            "leave --lists out",
        )
    if not (lists / f"{split}.txt").is_file():
        raise BadInput(
            f"--lists {lists}: no {split}.txt in it",
            "train.txt, val.txt and test.txt, one frame a line",
            f"make them: sam-crack data split {name} {root} --out {lists}",
        )
    if (lists / SPLIT_STAMP).is_file():
        return
    published = open_dataset(name, root, classes=classes, lists=root / ".no-lists")
    if any(record.split for record in published.records):
        raise UsageError(
            f"--lists {lists}: without {SPLIT_STAMP}, {name}'s published splits win over them",
            "lists that `sam-crack data split` made for this set",
            "leave --lists out for the published splits",
        )


def chosen_frames(number: int, limit: int | None) -> list[int]:
    """Return the places of the frames that are scored: all, or evenly spaced ones."""
    if limit is None or limit >= number:
        return list(range(number))
    return sorted({int(place) for place in np.linspace(0, number - 1, limit).round()})


def warn_of_unlearnt(samples: Dataset | Store, learnt: Sequence[str], console: Console) -> None:
    """Say which classes are scored that the model was never taught."""
    new = [each.name for each in samples.classes if each.name not in learnt]
    if new and learnt:
        console.warn(
            f"the model learnt {', '.join(learnt)}, not {', '.join(new)}: what it finds is scored "
            "as if that were asked of it"
        )
