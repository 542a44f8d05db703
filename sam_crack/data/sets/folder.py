"""Images and masks of anyone's: pairs, splits and encoding are found out and said back."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sam_crack.data.formats.encoding import BLACK_WHITE
from sam_crack.data.formats.images import IMAGE_SUFFIXES
from sam_crack.data.sets.guess import guess_encoding, stated_encoding
from sam_crack.data.sets.layout import list_files, pairs
from sam_crack.data.sets.spec import DatasetSpec, Record, encoded
from sam_crack.errors import BadInput

_MASK_WORD = re.compile(
    r"mask|label|lab$|gt$|^gt|truth|annot|^ann|segment|seg$|target", re.IGNORECASE
)
_SPLIT_WORDS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_MAX_DEPTH = 4
_MAX_FOLDERS = 5000


@dataclass(frozen=True, kw_only=True)
class PairRule:
    """How a picture's file leads to its mask's."""

    images: Path
    """Folder of pictures."""
    masks: Path
    """Folder of masks; the same where both lie together."""
    prefix: str
    """What a mask's name has in front of the picture's."""
    suffix: str
    """What a mask's name has after the picture's."""

    def mask_stem(self, stem: str) -> str:
        """Return the mask's name for a picture's, both without file suffix."""
        return f"{self.prefix}{stem}{self.suffix}"

    def say(self, root: Path) -> str:
        """Describe the rule relative to a root."""
        images, masks = self.images.relative_to(root), self.masks.relative_to(root)
        return f"{images}/NAME.* with {masks}/{self.mask_stem('NAME')}.*"


def find_rules(root: Path) -> list[PairRule]:
    """Find every folder of pictures whose names lead to masks in it or in a folder beside it."""
    stems = {folder: [path.stem for path in files] for folder, files in _picture_folders(root)}
    rules = []
    for folder, names in stems.items():
        partners = [other for other in stems if _beside(folder, other, root)]
        best: tuple[int, PairRule] | None = None
        for masks in partners:
            hits, prefix, suffix = _affix(names, stems[masks], same=folder == masks)
            rule = PairRule(images=folder, masks=masks, prefix=prefix, suffix=suffix)
            if hits and (best is None or hits > best[0]):
                best = hits, rule
        if best:
            rules.append(best[1])
    return rules


def _picture_folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Walk a few levels down and yield the folders that hold pictures."""
    queue, seen = [(root, 0)], 0
    while queue and seen < _MAX_FOLDERS:
        folder, depth = queue.pop(0)
        seen += 1
        files = list_files(folder, IMAGE_SUFFIXES, root=root)
        if files:
            yield folder, files
        if depth < _MAX_DEPTH:
            with os.scandir(folder) as entries:
                names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
            queue += [(folder / name, depth + 1) for name in names if not name.startswith(".")]


def _beside(images: Path, masks: Path, root: Path) -> bool:
    """Whether a folder can hold another's masks: its path differs in one mask-like word."""
    if images == masks:
        return True
    ours, theirs = images.relative_to(root).parts, masks.relative_to(root).parts
    if not ours:
        return len(theirs) == 1 and bool(_MASK_WORD.search(theirs[0]))
    if len(ours) != len(theirs):
        return False
    differ = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    return len(differ) == 1 and bool(
        _MASK_WORD.search(differ[0][1]) and not _MASK_WORD.search(differ[0][0])
    )


def _affix(images: Sequence[str], masks: Sequence[str], *, same: bool) -> tuple[int, str, str]:
    """Find what is added to a picture's name to get its mask's: how many it fits, and what."""
    known = set(masks)
    if not same:
        hits = sum(stem in known for stem in images)
        if hits:
            return hits, "", ""
    tried: Counter[tuple[str, str]] = Counter()
    for stem in images[:: max(1, len(images) // 40)]:
        for other in masks:
            before, found, after = other.partition(stem)
            if found and (before or after) and (not same or _MASK_WORD.search(before + after)):
                tried[before, after] += 1
    if not tried:
        return 0, "", ""
    (prefix, suffix), _ = max(tried.items(), key=lambda item: (item[1], -len("".join(item[0]))))
    return sum(f"{prefix}{stem}{suffix}" in known for stem in images), prefix, suffix


def _split_of(folder: Path, root: Path) -> str:
    """Return the split that a folder's path names, if it names one."""
    for part in folder.relative_to(root).parts:
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in _SPLIT_WORDS:
                return _SPLIT_WORDS[word]
    return ""


def _scan(root: Path, *, rules: Sequence[PairRule]) -> Iterator[Record]:
    """Yield the records of every rule; pictures that are masks themselves are left out."""
    for rule in rules:
        masks = {path.stem: path for path in list_files(rule.masks, root=root)}
        images = list_files(rule.images, root=root)
        if rule.images == rule.masks:
            targets = {rule.mask_stem(stem) for stem in masks}
            images = [path for path in images if path.stem not in targets]
        where = rule.images.relative_to(root).as_posix() if len(rules) > 1 else ""
        yield from pairs(
            images,
            masks,
            rule.mask_stem,
            split=_split_of(rule.images, root),
            prefix=f"{where}/" if where and where != "." else "",
        )


def _adapt(root: Path, classes: tuple[str, ...]) -> DatasetSpec:
    """Look at the root: which pictures have which masks, and what the masks hold."""
    rules = find_rules(root)
    masks = [record.masks["mask"] for record in _scan(root, rules=rules) if "mask" in record.masks]
    if not masks:
        raise BadInput(
            f"{root}: no picture whose name leads to a mask",
            f"one of: {FOLDER_SPEC.layout}",
            "put the masks in a folder called masks beside the one called images",
        )
    stated = {each.split("=", 1)[0]: each.split("=", 1)[1] for each in classes if "=" in each}
    guess = stated_encoding(stated, classes) if stated else guess_encoding(masks, classes)
    return replace(
        FOLDER_SPEC,
        classes=guess.classes,
        scan=partial(_scan, rules=tuple(rules)),
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
    url="your own disk",
    licence="your own",
    citation="",
    classes=(),
    splits={},
    layout="images/ and masks/; {train,val,test}/{images,masks}; {images,masks}/{train,val,test}; "
    "or NAME.jpg beside NAME_mask.png; optionally train.txt, val.txt, test.txt",
    scan=_never,
    read=partial(encoded, encoding=BLACK_WHITE),
    adapt=_adapt,
)
FOLDER = (FOLDER_SPEC,)
