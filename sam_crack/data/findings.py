"""What a check found, and how bad it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from sam_crack.data.dataset import Dataset
from sam_crack.data.duplicates import NEAR_LIKENESS, Pair, same_values
from sam_crack.data.examine import FrameFacts
from sam_crack.data.sets.folder import MixedMasks, find_mixture

Severity = Literal["error", "warning", "note"]
_SEVERITY: dict[str, Severity] = {
    "unreadable picture": "error",
    "unreadable mask": "error",
    "sizes differ": "error",
    "no end marker": "warning",
    "all ignored": "warning",
    "full mask": "warning",
    "lossy mask": "warning",
    "empty mask": "note",
    "EXIF orientation": "note",
}


@dataclass(frozen=True)
class Finding:
    """One thing that a check found."""

    severity: Severity
    """error: do not train on it; warning: look at it; note: know it."""
    kind: str
    text: str

    def strictly(self) -> Finding:
        """Return the finding as a strict check takes it: all but notes are errors."""
        serious = self.severity == "warning" or self.kind == "count"
        return replace(self, severity="error") if serious else self

    def plain(self) -> dict[str, str]:
        """Return the finding as JSON values."""
        return {"severity": self.severity, "kind": self.kind, "text": self.text}


def judge_frames(dataset: Dataset, facts: Sequence[FrameFacts]) -> Iterator[Finding]:
    """Judge what is wrong with single frames, and with all of them together."""
    for each in facts:
        for kind, text in each.problems:
            yield Finding(_SEVERITY[kind], kind, text)
    splits = defaultdict[str, list[FrameFacts]](list)
    for record, each in zip(dataset.records, facts, strict=True):
        splits[record.split].append(each)
    for split, members in splits.items():
        bare = [each for each in members if not each.annotated]
        # A split without any annotation is a published test set; a gap in one is a missing file.
        if len(bare) == len(members):
            yield Finding("note", "no annotation", f"none of the {len(bare)} frames of {split!r}")
        else:
            for each in bare:
                yield Finding("error", "no annotation", f"{each.id}: no mask was found for it")
    read = [each for each in facts if each.areas]
    if read and not any(any(each.areas[1:]) for each in read):
        yield Finding(
            "error",
            "no foreground",
            f"all {len(read)} masks are empty: check classes and encoding",
        )


def judge_encoding(
    dataset: Dataset,
    facts: Sequence[FrameFacts],
    mixture: MixedMasks | None,
    classes: Sequence[str],
) -> Iterator[Finding]:
    """Judge whether all masks mean the same by their numbers, and the right way round.

    Args:
        dataset: The set that was read.
        facts: What was found in each frame.
        mixture: What opening the set refused, if it did.
        classes: The classes as asked for; values that they state are classes.
    """
    values = [name.partition("=")[2] for name in classes]
    stated = frozenset(int(value) for value in values if value.isdecimal())
    found = find_mixture([each.seen for each in facts if each.seen], stated) or mixture
    if found:
        yield Finding("error", "mixed encodings", str(found))
    if not dataset.spec.pairs_by_name or (len(dataset.classes) > 1 and not found):
        return
    shares = dict[str, float]()
    for record, each in zip(dataset.records, facts, strict=True):
        counted = each.size[0] * each.size[1] - each.ignored_px
        name = str(next(iter(record.masks.values()), record.id))
        if found and each.seen:
            shares[name] = each.seen.share
        elif each.areas and counted:
            shares[name] = sum(each.areas[1:]) / counted
    # Empty and full masks have findings of their own.
    yield from _judge_polarity({name: share for name, share in shares.items() if 0 < share < 1})


def _judge_polarity(shares: dict[str, float]) -> Iterator[Finding]:
    """Judge by shares of foreground whether masks, or all of them, are inverted."""
    if not shares:
        return
    middle = median(shares.values())
    high = {name: share for name, share in shares.items() if share > 0.5}
    low = {name: share for name, share in shares.items() if share < 0.5}
    apart = high and low and median(low.values()) < 0.25 and median(high.values()) > 0.75
    odd = dict[str, float]()
    if middle < 0.25 or (apart and len(high) <= len(low)):
        odd, mostly = high, "foreground"
    elif middle > 0.75 or apart:
        odd, mostly = low, "background"
    for name, share in odd.items():
        text = f"{name}: {share:.1%} foreground, the median of the set {middle:.1%}"
        yield Finding(
            "warning",
            "inverted mask?",
            f"{text}; mostly {mostly}, out of line with the rest: inverted?",
        )
    if middle > 0.5:
        text = f"half of the {len(shares)} masks are more than {middle:.0%} foreground"
        todo = "the encoding may be inverted; if black is the class, open it with --classes crack=0"
        yield Finding("warning", "mostly foreground", f"{text}: {todo}")


def judge_counts(dataset: Dataset, *, split: str = "") -> Iterator[Finding]:
    """Compare the number of frames with the published one: a subset is legal, so it is a note."""
    found = Counter(record.split for record in dataset.records)
    for name, number in dataset.spec.splits.items():
        if split and name != split:
            continue
        here = len(dataset) if name == "all" else found[name]
        if here != number:
            yield Finding("note", "count", f"{name}: {here} found, {number} published")
    unlisted = found[""] if len(found) > 1 else 0
    if unlisted:
        yield Finding("warning", "unlisted", f"{unlisted} frames are in no split")


def judge_groups(dataset: Dataset) -> Iterator[Finding]:
    """Find groups, such as road sections or patients, that lie in more than one split."""
    splits = defaultdict[str, Counter[str]](Counter)
    for record in dataset.records:
        if record.group and record.split:
            splits[record.group][record.split] += 1
    what = dataset.spec.grouped_by or "group"
    for group, counts in sorted(splits.items()):
        if len(counts) > 1:
            shares = ", ".join(f"{number} in {split}" for split, number in sorted(counts.items()))
            yield Finding("error", f"{what} in two splits", f"{group}: {shares}")


def judge_pairs(
    dataset: Dataset, facts: Sequence[FrameFacts], pairs: Sequence[Pair]
) -> Iterator[Finding]:
    """Judge equal and nearly equal pictures: across splits they are leaks."""
    records = dataset.records
    equal = set[tuple[int, int]]()
    for places in same_values(each.pixels for each in facts):
        names = ", ".join(records[place].id for place in places[:4])
        splits = {records[place].split for place in places}
        masks = {facts[place].labels for place in places if facts[place].labels}
        equal |= {(a, b) for a in places for b in places}
        if len(masks) > 1:
            yield Finding("error", "one picture, two masks", names)
        if len(splits) > 1:
            text = f"{names} in {', '.join(sorted(filter(None, splits)))}"
            yield Finding("error", "same picture in two splits", text)
        else:
            yield Finding("warning", "same picture twice", names)
    for first, second, value in pairs:
        if value < NEAR_LIKENESS or (first, second) in equal:
            continue
        one, other = records[first], records[second]
        text = f"{one.id} and {other.id}: likeness {value:.3f}"
        if one.split != other.split:
            places_in = f"{one.split or 'no split'}, {other.split or 'no split'}"
            yield Finding("error", "nearly the same picture in two splits", f"{text} ({places_in})")
        else:
            yield Finding("warning", "nearly the same picture", text)
