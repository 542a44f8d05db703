"""Which frames a comparison learns from and is scored on: found, hashed, and kept apart."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam_crack.config.schema import DataConfig, RunConfig
from sam_crack.console import counted
from sam_crack.data.opening import open_samples, open_splits
from sam_crack.errors import BadInput, UsageError
from sam_crack.model.description import (
    DESCRIPTION,
    find_checkpoint,
    read_description,
    weights_hash,
)
from sam_crack.studies.compare.rows import EvaluateConfig


@dataclass(frozen=True)
class Roots:
    """Where data sets lie, as the command line says."""

    base: str
    """Data set of the file's base."""
    root: Path | None
    """Folder of that one."""
    named: Mapping[str, Path]
    """Folders of others, by name."""

    def of(self, name: str, own: Path | None, place: str) -> Path:
        """Return the folder of a data set; the command line wins over the file."""
        asked = self.named.get(name) or (self.root if name == self.base else None) or own
        if asked is None:
            raise UsageError(
                f"{place}: data.root is not set for {name}",
                "the folder in which the data set lies as published",
                f"add --root FOLDER, or --roots {name}=FOLDER",
            )
        return asked


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Frames to be scored, placed and hashed."""

    evaluate: EvaluateConfig
    sha256: str


OWN_SETS = ("folder", "synth")
"""Names under which anything may lie: only the folder tells two of them apart."""


class Checked:
    """Opens every split once, hashes who is in it, and refuses to score what was learnt."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots
        self._known: dict[object, dict[str, list[str]]] = {}

    def placed(self, data: DataConfig, place: str) -> DataConfig:
        """Return the data settings with their folders."""
        also = {name: self.roots.named.get(name, root) for name, root in data.also.items()}
        root = self.roots.of(data.name, data.root, place)
        return dataclasses.replace(data, root=root, also=also)

    def learnt(self, config: RunConfig) -> str:
        """Hash of the frames that are learnt from and validated on."""
        return _hash(self._learnt(config.data, config.seed))

    def scored(self, asked: EvaluateConfig, configs: Sequence[RunConfig], place: str) -> Scoring:
        """Find the frames that are scored; no training of this row may have seen one of them.

        Args:
            asked: which frames, and how.
            configs: the trainings that are scored, one for each seed.
            place: what errors name.
        """
        data = configs[0].data
        same = asked.data in ("", data.name)
        name = asked.data or data.name
        root = self.roots.of(name, asked.root or (data.root if same else None), place)
        lists = data.lists if same else None
        key = (name, root, asked.split, lists)
        if key not in self._known:
            split = None if asked.split == "none" else asked.split
            classes = asked.classes or (data.classes if same else ())
            samples = open_samples(name, root, split=split, classes=classes, lists=lists)
            self._known[key] = {asked.split: [record.id for record in samples.records]}
        found = set(self._known[key][asked.split])
        for config in configs:
            for part, ids in self._met(config, name, root).items():
                if both := found & ids:
                    raise BadInput(
                        f"{place}: {counted(len(both), 'frame')} of {name} {asked.split} "
                        f"{'is' if len(both) == 1 else 'are'} {part}, first {min(both)}",
                        "frames that had no say in training, in thresholds or in what is kept",
                        "score another split, or set data.hold_out",
                    )
        sha256 = _hash({f"{name} {asked.split}": found})
        return Scoring(evaluate=dataclasses.replace(asked, root=root), sha256=sha256)

    def _met(self, config: RunConfig, name: str, root: Path) -> dict[str, set[str]]:
        """Return the frames of a data set that a training sees, by what it does with them."""
        data, learnt = config.data, self._learnt(config.data, config.seed)
        train: set[str] = set()
        val: set[str] = set()
        if name == data.name and _is_same(name, root, data.root):
            train, val = set(learnt["train"]), set(learnt["val"])
        if name in data.also and _is_same(name, root, data.also[name]):
            begin = f"{name}/"  # as the ids of a further set do
            train |= {one.removeprefix(begin) for one in learnt["train"] if one.startswith(begin)}
        return {"learnt from": train, "validated on": val}

    def _learnt(self, data: DataConfig, seed: int) -> dict[str, list[str]]:
        seed = seed if (data.hold_out or data.limit) else 0  # else no draw depends on it
        key = (
            data.name,
            data.root,
            data.lists,
            *data.also.items(),
            data.train,
            data.val,
            data.hold_out,
            data.limit,
            seed,
        )
        if key not in self._known:
            train, val = open_splits(data, seed=seed)
            self._known[key] = {
                part: [record.id for record in samples.records]
                for part, samples in (("train", train), ("val", val))
            }
        return self._known[key]


def _is_same(name: str, one: Path, other: Path | None) -> bool:
    """Whether two folders of a name hold the same set; a published one is the same anywhere."""
    return name not in OWN_SETS or (other is not None and one.resolve() == other.resolve())


def _hash(splits: Mapping[str, Iterable[str]]) -> str:
    """Hash of the names of frames, split by split; the order of files on disk has no part in it."""
    lines = (f"{split}\t{name}\n" for split in sorted(splits) for name in sorted(splits[split]))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def init_of(raw: object, place: str) -> tuple[Path | None, str]:
    """Find the checkpoint that a row starts from, and the hash of its weights."""
    if raw is None:
        return None, ""
    folder = find_checkpoint(Path(str(raw)).expanduser())
    if not (folder / DESCRIPTION).is_file():
        raise BadInput(f"{place}: init {raw}", "a checkpoint, or `practice`", "check the path")
    return folder, weights_hash(read_description(folder))
