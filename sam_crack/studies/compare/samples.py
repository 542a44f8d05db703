"""Which frames a comparison learns from and is scored on: found, hashed, and kept apart."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam_crack.config.schema import DataConfig, RunConfig
from sam_crack.console import counted
from sam_crack.data.dataset import Dataset
from sam_crack.data.mixture import Mixture
from sam_crack.data.opening import contents, open_samples, open_splits
from sam_crack.data.store import Store
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
"""Names under which anything may lie: only what lies there tells two of them apart."""


@dataclass(frozen=True, kw_only=True)
class _Frames:
    """Frames of one split."""

    ids: tuple[str, ...]
    told: tuple[str, ...]
    """What they are known by: their ids, in sets of one's own with the sizes of their files."""


class Checked:
    """Opens every split once, hashes who is in it, and refuses to score what was learnt."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots
        self.named: set[str] = set()
        """Data sets that rows named."""
        self._known: dict[object, dict[str, _Frames]] = {}

    def placed(self, data: DataConfig, place: str) -> DataConfig:
        """Return the data settings with their folders."""
        self.named |= {data.name, *data.also}
        also = {name: self.roots.named.get(name, root) for name, root in data.also.items()}
        root = self.roots.of(data.name, data.root, place)
        return dataclasses.replace(data, root=root, also=also)

    def learnt(self, config: RunConfig) -> str:
        """Hash of the frames that are learnt from and validated on."""
        return _hash(self._learnt(config.data, config.seed))

    def scored(self, asked: EvaluateConfig, configs: Sequence[RunConfig], place: str) -> Scoring:
        """Find the frames that are scored; no training of this row may have seen one of them.

        Args:
            asked: which frames, and how; a folder of their own wins over the command line.
            configs: the trainings that are scored, one for each seed.
            place: what errors name.
        """
        data = configs[0].data
        same = asked.data in ("", data.name)
        name = asked.data or data.name
        self.named.add(name)
        root = asked.root or self.roots.of(name, data.root if same else None, place)
        asked = dataclasses.replace(asked, root=root)
        key = (name, root, asked.split, asked.classes, data.lists if same else None, data.classes)
        if key not in self._known:
            samples = open_scored(asked, data)
            self._known[key] = {asked.split: _frames(name, samples)}
        frames = self._known[key][asked.split]
        for config in configs:
            for part, ids in self._met(config, name, root).items():
                if both := ids.intersection(frames.ids):
                    raise BadInput(
                        f"{place}: {counted(len(both), 'frame')} of {name} {asked.split} "
                        f"{'is' if len(both) == 1 else 'are'} {part}, first {min(both)}",
                        "frames that had no say in training, in thresholds or in what is kept",
                        "score another split, or set data.hold_out",
                    )
        return Scoring(evaluate=asked, sha256=_hash({f"{name} {asked.split}": frames}))

    def _met(self, config: RunConfig, name: str, root: Path) -> dict[str, set[str]]:
        """Return the frames of a data set that a training sees, by what it does with them."""
        data, learnt = config.data, self._learnt(config.data, config.seed)
        train: set[str] = set()
        val: set[str] = set()
        if name == data.name and _is_same(name, root, data.root):
            train, val = set(learnt["train"].ids), set(learnt["val"].ids)
        if name in data.also and _is_same(name, root, data.also[name]):
            begin = f"{name}/"  # as the ids of a further set do
            further = (one for one in learnt["train"].ids if one.startswith(begin))
            train |= {one.removeprefix(begin) for one in further}
        return {"learnt from": train, "validated on": val}

    def _learnt(self, data: DataConfig, seed: int) -> dict[str, _Frames]:
        seed = seed if (data.hold_out or data.limit) else 0  # else no draw depends on it
        key = (
            data.name,
            data.root,
            data.lists,
            data.classes,
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
                "train": _frames(data.name, train),
                "val": _frames(data.name, val),
            }
        return self._known[key]


def open_scored(
    asked: EvaluateConfig, data: DataConfig, learnt: tuple[str, ...] = ()
) -> Dataset | Store:
    """Open the split that a row is scored on, whole.

    Args:
        asked: which frames; their folder is known.
        data: what the row learns from, which says what `asked` leaves open.
        learnt: classes of the model, where one is there already.
    """
    assert asked.root is not None  # placed when the row was read
    same = asked.data in ("", data.name)
    return open_samples(
        asked.data or data.name,
        asked.root,
        split=None if asked.split == "none" else asked.split,
        classes=asked.classes or learnt or data.classes,
        lists=data.lists if same else None,
    )


def _frames(name: str, samples: Dataset | Store | Mixture) -> _Frames:
    """Say which frames these are."""
    parts = [(name, samples)]
    if isinstance(samples, Mixture):
        parts = [(part.name, part.samples) for part in samples.parts]
    held: list[object] = []
    for called, part in parts:
        assert not isinstance(part, Mixture)
        held += contents(part) if called in OWN_SETS else [None] * len(part)
    ids = tuple(record.id for record in samples.records)
    told = tuple(
        one if sizes is None else f"{one}\t{json.dumps(sizes)}"
        for one, sizes in zip(ids, held, strict=True)
    )
    return _Frames(ids=ids, told=told)


def _is_same(name: str, one: Path, other: Path | None) -> bool:
    """Whether two folders of a name hold the same set; a published one is the same anywhere."""
    return name not in OWN_SETS or (other is not None and one.resolve() == other.resolve())


def _hash(splits: Mapping[str, _Frames]) -> str:
    """Hash of what is known of frames, by split; their order on disk has no part in it."""
    lines = (f"{split}\t{one}\n" for split in sorted(splits) for one in sorted(splits[split].told))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def init_of(raw: object, place: str) -> tuple[Path | None, str]:
    """Find the checkpoint that a row starts from, and the hash of its weights."""
    if raw is None:
        return None, ""
    folder = find_checkpoint(Path(str(raw)).expanduser())
    if not (folder / DESCRIPTION).is_file():
        raise BadInput(f"{place}: init {raw}", "a checkpoint, or `practice`", "check the path")
    return folder, weights_hash(read_description(folder))
