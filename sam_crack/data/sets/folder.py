"""Images and masks of anyone's: pairs, splits and encoding are found out and said back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from sam_crack.data.formats.encoding import BLACK_WHITE
from sam_crack.data.formats.images import RawMask, read_raw_mask
from sam_crack.data.sets.guess import Guess, guess_encoding, stated_encoding
from sam_crack.data.sets.pairing import NothingPairs, find_rules, scan_pairs
from sam_crack.data.sets.spec import DatasetSpec, Record, encoded
from sam_crack.errors import BadInput

_MAX_VALUES = 64
_BRIGHT = 100
_FEW = 3
_WHITE = 255


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one mask file holds before its numbers are given a meaning."""

    path: Path
    kind: str
    """bit, index, grey or colour."""
    lossless: bool
    values: frozenset[int]
    """Stored numbers but 0; none where they are colours or too many to be classes."""
    share: float
    """Share of pixels that are not background, 0 to 1."""


class MixedMasks(BadInput):
    """Masks of one folder that mark the same thing with different numbers."""

    def __init__(self, examples: Sequence[tuple[frozenset[int], list[Path]]]) -> None:
        """Name masks of each kind, and the two ways out."""
        self.values = tuple(sorted(frozenset[int]().union(*(values for values, _ in examples))))
        parts = [
            f"{len(paths)} with {', '.join(map(str, (0, *sorted(values)[:8])))} "
            f"(such as {', '.join(path.name for path in sorted(paths)[:3])})"
            for values, paths in examples
        ]
        named = ",".join(f"value_{value}={value}" for value in self.values[:8])
        super().__init__(
            f"{examples[0][1][0].parent}: masks of {len(parts)} encodings, {' and '.join(parts)}, "
            "and none that holds both",
            "one encoding in all masks of a folder",
            "save all masks with the same numbers, such as 0 and 255; or, if the numbers are "
            f"different classes, name each: --classes {named}",
        )


def see(path: Path, raw: RawMask) -> Seen:
    """Note what a mask holds; JPEG and WebP are cut at 127, as they are when read."""
    flat = raw.values.max(axis=2) if raw.kind == "colour" else raw.values
    values = frozenset[int]()
    if raw.kind != "colour":
        found = np.unique(flat)
        values = frozenset(found[found != 0].tolist()) if found.size <= _MAX_VALUES else values
    return Seen(
        path=path,
        kind=raw.kind,
        lossless=raw.lossless,
        values=values if all(0 < value < 1 << 16 for value in values) else frozenset(),
        share=float((flat > (0 if raw.lossless else 127)).mean()),
    )


def find_mixture(seen: Sequence[Seen], stated: frozenset[int] = frozenset()) -> MixedMasks | None:
    """Find masks of several encodings: one bright number is all that some hold, and others never.

    Small numbers that never meet in a mask are classes that never meet; numbers that are all
    stated to be classes are as well. A bright number that meets another is void, or a class.
    """
    if any(each.kind == "colour" for each in seen):
        return None
    told = [each for each in seen if each.lossless and each.values]
    grey = frozenset[int]().union(*(each.values for each in told if each.kind != "bit"))
    if grey & {1, _WHITE}:
        # A 1-bit mask says by its type what its 1 means, beside black and white and beside 0, 1.
        told = [each for each in told if each.kind != "bit"]
    groups: list[tuple[frozenset[int], list[Path]]] = []
    for each in told:
        meet = [group for group in groups if group[0] & each.values]
        groups = [group for group in groups if group not in meet]
        values = each.values.union(*(values for values, _ in meet))
        groups.append((values, [*(path for _, paths in meet for path in paths), each.path]))
    top = max((max(values) for values, _ in groups), default=0)
    if len(groups) < 2 or not (top == _WHITE or (top >= _BRIGHT and len(groups) <= _FEW)):
        return None
    if frozenset({top}) not in [values for values, _ in groups]:
        return None
    if all(values & stated for values, _ in groups):
        return None
    return MixedMasks(sorted(groups, key=lambda group: -len(group[1])))


def _adapt(root: Path, classes: tuple[str, ...]) -> DatasetSpec:
    """Look at the root: which pictures have which masks, and what the masks hold."""
    rules = find_rules(root)
    masks = [
        record.masks["mask"] for record in scan_pairs(root, rules=rules) if "mask" in record.masks
    ]
    if not masks:
        raise NothingPairs(
            f"{root}: no picture whose name leads to a mask", f"one of: {FOLDER_SPEC.layout}"
        )
    stated = {each.split("=", 1)[0]: each.split("=", 1)[1] for each in classes if "=" in each}
    guess = stated_encoding(stated, classes) if stated else _guess(masks, classes)
    return replace(
        FOLDER_SPEC,
        classes=guess.classes,
        scan=partial(scan_pairs, rules=tuple(rules)),
        read=partial(encoded, encoding=guess.encoding),
        notes=(
            *(f"pairs: {rule.say(root)}" for rule in rules[:8]),
            f"encoding: {guess.why}",
            f"flags: --classes {guess.flags}",
        ),
    )


def _guess(masks: Sequence[Path], classes: tuple[str, ...]) -> Guess:
    """Find out the encoding, and refuse where the masks looked at have several."""
    seen: list[Seen] = []

    def read(path: Path) -> RawMask:
        raw = read_raw_mask(path)
        seen.append(see(path, raw))
        return raw

    guess = guess_encoding(masks, classes, read=read)
    if mixture := find_mixture(seen):
        raise mixture
    return guess


def _never(root: Path) -> Iterator[Record]:
    """Stand in for the scan that only a root determines."""
    raise AssertionError(f"folder is adapted to {root} before it is scanned")


FOLDER_SPEC = DatasetSpec(
    name="folder",
    title="images and masks of your own; pairs, splits and encoding are found out and said back",
    url="your own disk: masks go in a folder called masks beside the one called images",
    licence="your own",
    citation="",
    classes=(),
    splits={},
    layout="images/ and masks/; {train,val,test}/{images,masks}; {images,masks}/{train,val,test}; "
    "or NAME.jpg beside NAME_mask.png; optionally train.txt, val.txt, test.txt",
    scan=_never,
    read=partial(encoded, encoding=BLACK_WHITE),
    pairs_by_name=True,
    adapt=_adapt,
)
FOLDER = (FOLDER_SPEC,)
