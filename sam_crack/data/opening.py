"""Open what a root holds: a data set as published, or a store prepared from one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sam_crack.config.schema import DataConfig
from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.data.mixture import Mixture, Part
from sam_crack.data.store import Store, is_store, open_store
from sam_crack.errors import BadInput, UsageError


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


def open_splits(
    data: DataConfig, *, seed: int
) -> tuple[Dataset | Store | Mixture, Dataset | Store]:
    """Open what is learnt from and what is validated on; they share no sample."""
    if data.root is None:
        raise UsageError(
            "data.root is not set",
            "the folder in which the data set lies as published",
            "add --data.root FOLDER",
        )

    def opened(split: str) -> Dataset | Store:
        assert data.root is not None
        return open_samples(
            data.name, data.root, split=split, classes=data.classes, lists=data.lists
        )

    train = opened(data.train)
    train, val = (
        (train, opened(data.val))
        if data.hold_out is None
        else hold_out(train, data.hold_out, seed=seed)
    )
    shared = {record.id for record in train.records} & {record.id for record in val.records}
    if shared:
        raise BadInput(
            f"{len(shared)} samples are in both {data.train} and {data.val}, first {min(shared)}",
            "splits that share nothing",
            "see `sam-crack data split`, or set data.hold_out",
        )
    train = draw(train, data.limit, seed=seed)
    return (_mixed(train, val, data) if data.also else train), val


def _mixed(first: Dataset | Store, val: Dataset | Store, data: DataConfig) -> Mixture:
    """Put the sets that are learnt from besides behind the first; none holds what is validated."""
    roots = [root.resolve() for root in (data.root, *data.also.values()) if root is not None]
    if len(set(roots)) < len(roots):
        raise UsageError(
            f"data.root and data.also name {next(r for r in roots if roots.count(r) > 1)} twice",
            "a folder of its own for each set",
            "leave one of them out",
        )
    validated = {record.id for record in val.records}
    parts = [Part(name=data.name, samples=first)]
    names = [each.name for each in first.classes]
    for name, root in data.also.items():
        samples = open_samples(name, root, split=data.train, classes=data.classes)
        found = [each.name for each in samples.classes]
        if found != names:
            raise BadInput(
                f"{root}: {name} has the classes {', '.join(found)}",
                f"those of {data.name}: {', '.join(names)}",
                "name the classes that both have with --data.classes",
            )
        shared = validated & {record.id for record in samples.records}
        if name == data.name and shared:
            raise BadInput(
                f"{root}: {len(shared)} samples are validated on, first {min(shared)}",
                f"frames of {name} that play no part in validation",
                "leave this copy out of data.also",
            )
        parts.append(Part(name=name, samples=samples, scale=data.also_scale.get(name, 1.0)))
    return Mixture(parts=tuple(parts))


def hold_out(
    samples: Dataset | Store, number: int, *, seed: int
) -> tuple[Dataset | Store, Dataset | Store]:
    """Part samples into a rest and whole groups of at least so many frames in all."""
    sizes: dict[str, int] = {}
    names = [record.group or record.id for record in samples.records]
    for name in names:
        sizes[name] = sizes.get(name, 0) + 1
    held: set[str] = set()
    for name in sorted(sizes, key=lambda name: _place(seed, "hold out", name)):
        if sum(sizes[one] for one in held) >= number:
            break
        held.add(name)
    if len(held) == len(sizes):
        raise BadInput(
            f"data.hold_out: {number} of {len(names)} frames in {len(sizes)} groups",
            "some whole groups must be left to learn from",
            "hold out fewer frames",
        )
    kept = [place for place, name in enumerate(names) if name not in held]
    away = [place for place, name in enumerate(names) if name in held]
    return take(samples, kept), take(samples, away)


def draw(samples: Dataset | Store, limit: int | None, *, seed: int) -> Dataset | Store:
    """Return at most so many samples; of two draws with one seed the larger holds the smaller."""
    if limit is None or limit >= len(samples):
        return samples
    places = sorted(
        range(len(samples)), key=lambda place: _place(seed, "draw", samples.records[place].id)
    )
    return take(samples, sorted(places[:limit]))


def _place(seed: int, what: str, name: str) -> str:
    """Where a name comes in an order that depends on nothing but the seed."""
    return hashlib.sha256(f"{seed}/{what}/{name}".encode()).hexdigest()


def take(samples: Dataset | Store, places: Iterable[int]) -> Dataset | Store:
    """Return the samples at these places."""
    if isinstance(samples, Store):
        return replace(samples, entries=tuple(samples.entries[place] for place in places))
    return replace(samples, records=tuple(samples.records[place] for place in places))


def contents(samples: Dataset | Store) -> list[object]:
    """Say what each frame holds, as far as it is known without reading it: a JSON-able list."""
    if isinstance(samples, Store):
        return [each["sha256"] for each in samples.entries]
    return [
        [
            _size(path)
            for path in (record.image, *(record.masks[role] for role in sorted(record.masks)))
        ]
        for record in samples.records
    ]


def _size(path: Path) -> int | None:
    """Return the bytes of a file; one that is missing is named by who reads it."""
    try:
        return path.stat().st_size
    except OSError:
        return None
