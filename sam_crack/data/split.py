"""`sam-crack data split`: train, val and test that share no road, patient, photo or picture."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sam_crack import durable
from sam_crack.config.data_verbs import DataSplitOptions
from sam_crack.console import Console
from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.data.duplicates import NEAR_LIKENESS, Fingerprint, find_alike, fingerprint
from sam_crack.data.sets.layout import SPLIT_STAMP, SPLITS
from sam_crack.data.survey import survey
from sam_crack.errors import BadInput, UsageError

FORMAT = "sam_crack split 1"


def run_data_split(options: DataSplitOptions, console: Console) -> dict[str, object]:
    """Deal whole groups out to the splits, and write the lists with a hash."""
    shares = _checked_shares(options)
    out = options.out or Path("splits") / options.name
    # Lists beside the data are an earlier split; only what the layout itself says is published.
    dataset = open_dataset(options.name, options.root, lists=options.root / ".no-lists")
    dealing, held = _hold_back(dataset, options, console)
    if held:
        shares = {split: share for split, share in shares.items() if split != "test"}
        shares = {split: share / sum(shares.values()) for split, share in shares.items()}
    groups = find_groups(dealing, options, console)
    dealt = deal_out(groups, shares, seed=options.seed)
    if held:
        dealt["test"] = held
    result = _describe(dataset, dealt, groups, options)
    _write(out, dealt, result, overwrite=options.overwrite)
    rows = [
        (
            split,
            len(ids),
            f"{len(ids) / len(dataset):.1%}",
            f"{shares[split] * len(dealing) / len(dataset):.1%}"
            if split in shares
            else "published",
        )
        for split, ids in dealt.items()
    ]
    console.table(("split", "frames", "share", "asked"), rows)
    what = dataset.spec.grouped_by or "group"
    console.say(f"{len(groups)} units that stay together ({what}, or nearly equal pictures)")
    console.say(f"{out}: {', '.join(f'{s}.txt' for s in dealt)}, split.json")
    console.say(f"check and prepare with --lists {out}, train with --data.lists {out}")
    return result


def _hold_back(
    dataset: Dataset, options: DataSplitOptions, console: Console
) -> tuple[Dataset, list[str]]:
    """Return what is to be dealt out, and the ids of a published test split, which stays.

    A set that comes with train and test only gets its val out of train; one that comes with all
    three, or in folds, is refused: figures on another split compare with nobody's.
    """
    published = sorted({record.split for record in dataset.records if record.split})
    if not published:
        return dataset, []
    if published != ["test", "train"]:
        raise UsageError(
            f"{options.name} comes split into {', '.join(published)}",
            "a set without a published split, or with train and test only",
            "use the published split as it is",
        )
    console.say(f"{options.name} comes split into train and test: val is taken out of train")
    train = tuple(record for record in dataset.records if record.split == "train")
    held = sorted(record.id for record in dataset.records if record.split == "test")
    return replace(dataset, records=train), held


def _checked_shares(options: DataSplitOptions) -> dict[str, float]:
    """Return the shares that are not zero; they must add up."""
    shares = {"train": options.train, "val": options.val, "test": options.test}
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError(
            f"shares {options.train:g} + {options.val:g} + {options.test:g} = "
            f"{sum(shares.values()):g}",
            "shares that add up to 1",
            "for example --train 0.7 --val 0.1 --test 0.2",
        )
    return {split: share for split, share in shares.items() if share}


def find_groups(
    dataset: Dataset, options: DataSplitOptions, console: Console
) -> dict[str, list[str]]:
    """Return what must stay together: unit name to ids, both sorted."""
    ids = [record.id for record in dataset.records]
    joined = Union(ids)
    first_of: dict[str, str] = {}
    for record in dataset.records:
        if record.group:
            joined.join(record.id, first_of.setdefault(record.group, record.id))
    if options.pictures:
        looks = survey(dataset, look_at, num_workers=options.workers)
        prints = list(console.progress(looks, "comparing", total=len(dataset), unit="frame"))
        for first, second, _ in find_alike(prints, at_least=NEAR_LIKENESS):
            joined.join(ids[first], ids[second])
    return joined.groups()


def look_at(dataset: Dataset, index: int) -> Fingerprint | None:
    """Reduce one picture to its fingerprint."""
    return fingerprint(dataset.read_image(index))


class Union:
    """Sets that are merged as their members are found to belong together."""

    def __init__(self, names: Sequence[str]) -> None:
        """Begin with every name alone."""
        self._parent = {name: name for name in names}

    def _root(self, name: str) -> str:
        while self._parent[name] != name:
            self._parent[name] = name = self._parent[self._parent[name]]
        return name

    def join(self, first: str, second: str) -> None:
        """Merge the sets of two names."""
        low, high = sorted((self._root(first), self._root(second)))
        self._parent[high] = low

    def groups(self) -> dict[str, list[str]]:
        """Return the sets: their first member to all members, sorted."""
        found = defaultdict[str, list[str]](list)
        for name in sorted(self._parent):
            found[self._root(name)].append(name)
        return dict(found)


def deal_out(
    groups: Mapping[str, Sequence[str]], shares: Mapping[str, float], *, seed: int
) -> dict[str, list[str]]:
    """Give whole groups to splits so that their sizes come near the shares.

    Groups come in an order that the seed and their names decide, large ones first, and each goes
    to the split that lacks most. The result does not depend on the order of files on the disk.
    """
    if len(groups) < len(shares):
        raise BadInput(
            f"{len(groups)} groups for {len(shares)} splits",
            "a group for each split: a group in two splits would leak",
            "give a share of 0 to one split, or collect more roads",
        )
    total = sum(map(len, groups.values()))

    def turn(name: str) -> tuple[int, str]:
        dice = hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()
        return -len(groups[name]).bit_length(), dice

    dealt: dict[str, list[str]] = {split: [] for split in shares}
    order = sorted(groups, key=turn)
    for place, name in enumerate(order):
        empty = [split for split, ids in dealt.items() if not ids]
        # The last groups go where there are none, so that no split stays empty.
        choice = empty if len(order) - place <= len(empty) else list(shares)
        lacking = max(choice, key=lambda split: shares[split] * total - len(dealt[split]))
        dealt[lacking] += groups[name]
    return {split: sorted(ids) for split, ids in dealt.items()}


def split_hash(dealt: Mapping[str, Sequence[str]]) -> str:
    """Hash which frame is where, in a fixed order."""
    lines = sorted(f"{split}\t{name}" for split, ids in dealt.items() for name in ids)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _describe(
    dataset: Dataset,
    dealt: Mapping[str, Sequence[str]],
    groups: Mapping[str, Sequence[str]],
    options: DataSplitOptions,
) -> dict[str, object]:
    """Make sure that nothing leaks, and return what split.json holds."""
    where = {name: split for split, ids in dealt.items() for name in ids}
    assert len(where) == sum(map(len, dealt.values())) == len(dataset)
    assert all(len({where[name] for name in ids}) == 1 for ids in groups.values())
    by_split = defaultdict[str, set[str]](set)
    for record in dataset.records:
        by_split[where[record.id]].add(record.group)
    return {
        "format": FORMAT,
        "dataset": dataset.spec.name,
        "seed": options.seed,
        "shares": {"train": options.train, "val": options.val, "test": options.test},
        "pictures_compared": options.pictures,
        "grouped_by": dataset.spec.grouped_by,
        "frames": {split: len(ids) for split, ids in dealt.items()},
        "groups": {split: sorted(filter(None, by_split[split])) for split in dealt},
        "units": len(groups),
        "sha256": split_hash(dealt),
    }


def _write(
    out: Path,
    dealt: Mapping[str, Sequence[str]],
    result: dict[str, object],
    *,
    overwrite: bool,
) -> None:
    """Write the lists, and split.json last; another split is not replaced unasked."""
    stamp = out / SPLIT_STAMP
    present = [path for s in SPLITS if (path := out / f"{s}.txt").exists()]
    former = None
    if stamp.is_file():
        try:
            former = json.loads(stamp.read_text("utf-8"))["sha256"]
        except (ValueError, KeyError, TypeError):
            former = "damaged"
    if (present or former) and former != result["sha256"] and not overwrite:
        raise UsageError(
            f"{out}: holds another split",
            "a new folder, or the very same split",
            "choose another --out, or add --overwrite",
        )
    stamp.unlink(missing_ok=True)  # while the lists change there is no valid split here
    for path in present:
        if path.stem not in dealt:
            path.unlink()
    for split, ids in dealt.items():
        durable.write_text(out / f"{split}.txt", "".join(f"{name}\n" for name in ids))
    durable.write_text(stamp, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def read_split(folder: Path) -> dict[str, list[str]]:
    """Read a written split, after comparing it with its hash."""
    try:
        expected = json.loads((folder / SPLIT_STAMP).read_text("utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        given, todo = f"{folder}: no split here ({error})", "check the path, or split anew"
        raise BadInput(given, "a folder that `sam-crack data split` wrote", todo) from error
    dealt = {
        split: path.read_text("utf-8").splitlines()
        for split in SPLITS
        if (path := folder / f"{split}.txt").is_file()
    }
    if split_hash(dealt) != expected:
        raise BadInput(
            f"{folder}: the lists are not those that split.json was written for",
            f"lists with sha256 {expected}",
            "make the split again with its seed, or with --overwrite",
        )
    return dealt
