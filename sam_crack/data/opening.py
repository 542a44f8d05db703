"""Open what a root holds: a data set as published, or a store prepared from one."""

from __future__ import annotations

from pathlib import Path

from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.data.store import Store, is_store, open_store


def open_samples(
    name: str,
    root: Path,
    *,
    split: str | None = None,
    classes: tuple[str, ...] = (),
    lists: Path | None = None,
) -> Dataset | Store:
    """Open a data set, or the store that `sam-crack data prepare` made of it with its splits."""
    if is_store(root):
        return open_store(root, split=split, classes=classes)
    return open_dataset(name, root, split=split, classes=classes, lists=lists)
