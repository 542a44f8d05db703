"""Images and masks of anyone's: pairs, splits and encoding are found out and said back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from sam_crack.data.formats.encoding import BLACK_WHITE
from sam_crack.data.sets.guess import guess_encoding, stated_encoding
from sam_crack.data.sets.pairing import NothingPairs, find_rules, scan_pairs
from sam_crack.data.sets.spec import DatasetSpec, Record, encoded


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
    guess = stated_encoding(stated, classes) if stated else guess_encoding(masks, classes)
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
