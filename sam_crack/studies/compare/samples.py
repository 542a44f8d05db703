"""Which frames a comparison learns from and is scored on: found, hashed, and kept apart."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam_crack import durable
from sam_crack.config.schema import DataConfig, RunConfig
from sam_crack.console import counted
from sam_crack.data.dataset import Dataset, UnknownSplit
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
_TAB = "\t"


@dataclass(frozen=True, kw_only=True)
class _Frames:
    """Frames of one split."""

    told: tuple[str, ...]
    """What they are known by: their ids, in sets of one's own with the sizes of their files."""
    images: tuple[Path, ...]
    """Where their pictures lie."""
    classes: tuple[str, ...]


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
            asked: which frames, and how.
            configs: the trainings that are scored, one for each seed.
            place: what errors name.
        """
        data = configs[0].data
        name = asked.data or data.name
        self.named.add(name)
        root = asked.root
        if root is None or name not in OWN_SETS:  # several of one's own may share a name
            own = root or (data.root if name == data.name else None)
            root = self.roots.of(name, own, place)
        asked = dataclasses.replace(asked, root=root)
        learnt = self._learnt(data, configs[0].seed)["train"].classes
        key = (name, root, asked.split, asked.classes, lists_of(asked, data), data.classes, learnt)
        if key not in self._known:
            try:
                samples = open_scored(asked, data, learnt)
            except UnknownSplit as error:
                given = f"{place}: evaluate: {error.given}"
                raise UsageError(given, error.accepted, error.todo) from error
            self._known[key] = {asked.split: _frames(name, samples)}
        frames = self._known[key][asked.split]
        for config in configs:
            for part, met in self._met(config, name).items():
                both = [
                    one
                    for one, image in zip(frames.told, frames.images, strict=True)
                    if one in met and (name not in OWN_SETS or _is_same(image, met[one]))
                ]
                if both:
                    first = min(both).partition(_TAB)[0]
                    raise BadInput(
                        f"{place}: {counted(len(both), 'frame')} of {name} {asked.split} "
                        f"{'is' if len(both) == 1 else 'are'} {part}, first {first}",
                        "frames that had no say in training, in thresholds or in what is kept",
                        "score another split, or set data.hold_out",
                    )
        return Scoring(evaluate=asked, sha256=_hash({f"{name} {asked.split}": frames}))

    def _met(self, config: RunConfig, name: str) -> dict[str, dict[str, Path]]:
        """Return the frames of a data set that a training sees, by what it does with them."""
        data, learnt = config.data, self._learnt(config.data, config.seed)
        train, val = (
            dict(zip(learnt[part].told, learnt[part].images, strict=True))
            for part in ("train", "val")
        )
        begin = f"{name}/"  # as the ids of a further set do
        further = {
            one.removeprefix(begin): image for one, image in train.items() if one.startswith(begin)
        }
        if name != data.name:
            train, val = {}, {}
        return {
            "learnt from": train | further if name in data.also else train,
            "validated on": val,
        }

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
        learnt: names of the classes that the row learns.
    """
    assert asked.root is not None  # placed when the row was read
    return open_samples(
        asked.data or data.name,
        asked.root,
        split=None if asked.split == "none" else asked.split,
        classes=classes_of(asked, data) or learnt,
        lists=lists_of(asked, data),
    )


def classes_of(asked: EvaluateConfig, data: DataConfig) -> tuple[str, ...]:
    """Return the classes that the file names, with how masks hold them; empty where it does not."""
    return asked.classes or (data.classes if asked.data in ("", data.name) else ())


def lists_of(asked: EvaluateConfig, data: DataConfig) -> Path | None:
    """Return the split lists of the set that is learnt from, where it is the one scored."""
    if asked.data not in ("", data.name):
        return None
    roots = {root.resolve() for root in (asked.root, data.root) if root is not None}
    return None if data.name in OWN_SETS and len(roots) > 1 else data.lists


def _frames(name: str, samples: Dataset | Store | Mixture) -> _Frames:
    """Say which frames these are."""
    parts = [(name, samples)]
    if isinstance(samples, Mixture):
        parts = [(part.name, part.samples) for part in samples.parts]
    held: list[object] = []
    for called, part in parts:
        assert not isinstance(part, Mixture)
        held += contents(part) if called in OWN_SETS else [None] * len(part)
    told = tuple(
        record.id if sizes is None else f"{record.id}{_TAB}{json.dumps(sizes)}"
        for record, sizes in zip(samples.records, held, strict=True)
    )
    return _Frames(
        told=told,
        images=tuple(record.image for record in samples.records),
        classes=tuple(each.name for each in samples.classes),
    )


def _is_same(one: Path, other: Path) -> bool:
    """Whether two pictures of one name and size are one; those in stores are known by a hash."""
    if one == other or not (one.is_file() and other.is_file()):
        return True
    return durable.sha256(one) == durable.sha256(other)


def _hash(splits: Mapping[str, _Frames]) -> str:
    """Hash of what is known of frames, by split; their order on disk has no part in it."""
    lines = (
        f"{split}{_TAB}{one}\n" for split in sorted(splits) for one in sorted(splits[split].told)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def init_of(raw: object, place: str) -> tuple[Path | None, str]:
    """Find the checkpoint that a row starts from, and the hash of its weights."""
    if raw is None:
        return None, ""
    folder = find_checkpoint(Path(str(raw)).expanduser())
    if not (folder / DESCRIPTION).is_file():
        raise BadInput(f"{place}: init {raw}", "a checkpoint, or `practice`", "check the path")
    return folder, weights_hash(read_description(folder))
