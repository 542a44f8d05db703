"""Which picture belongs to which mask, where names and folders say so by themselves."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam_crack.data.formats.images import IMAGE_SUFFIXES
from sam_crack.data.sets.layout import list_files, pairs
from sam_crack.data.sets.spec import Record
from sam_crack.errors import BadInput

_MASK_WORD = re.compile(
    r"mask|label|lab$|gt$|^gt|truth|annot|^ann|segment|seg$|target", re.IGNORECASE
)
_SPLIT_WORD = re.compile(r"(train|val|test)(?:ing|id|idation|crop|data|set)?")
_MAX_DEPTH = 4
_MAX_FOLDERS = 5000


class NothingPairs(BadInput):
    """No picture of a folder leads to a mask."""


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
    found: dict[Path, tuple[int, PairRule]] = {}
    for folder, names in stems.items():
        partners = [other for other in stems if _beside(folder, other, root)]
        best: tuple[int, PairRule] | None = None
        for masks in partners:
            hits, prefix, suffix = _affix(names, stems[masks], same=folder == masks)
            rule = PairRule(images=folder, masks=masks, prefix=prefix, suffix=suffix)
            if hits and (best is None or hits > best[0]):
                best = hits, rule
        # A masks folder belongs to the pictures that it fits best, not to strays beside them.
        if best and best[0] > found.get(best[1].masks, (0,))[0]:
            found[best[1].masks] = best
    return sorted((rule for _, rule in found.values()), key=lambda rule: rule.images)


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


def split_of(folder: Path, root: Path) -> str:
    """Return the split that a folder's path names, if it names one."""
    for part in folder.relative_to(root).parts:
        for word in re.split(r"[^a-z]+", part.lower()):
            if named := _SPLIT_WORD.fullmatch(word):
                return named[1]
    return ""


def no_group(stem: str) -> str:
    """Say that frames are independent."""
    return ""


def scan_pairs(
    root: Path,
    *,
    rules: Sequence[PairRule] | None = None,
    group: Callable[[str], str] = no_group,
) -> Iterator[Record]:
    """Yield the records of every rule; pictures that are masks themselves are left out."""
    rules = find_rules(root) if rules is None else rules
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
            group=group,
            split=split_of(rule.images, root),
            prefix=f"{where}/" if where and where != "." else "",
        )
