"""What two evaluations must share before their scores are compared: frames, truth, task, policy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput
from sam_crack.measure.metrics import Empty
from sam_crack.studies.evaluation.tasks import Ruler

AGAIN = "name the baseline's checkpoint instead, which is then scored on these frames"


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What the scores of an evaluation rest on."""

    ruler: Ruler
    empty: Empty
    truths: tuple[tuple[str, str], ...]
    """Id and fingerprint of the truth of each frame, in order; no fingerprint is not compared."""
    groups: tuple[str, ...]
    """What each frame is drawn together with."""


def read_basis(samples: Iterable[Sample], *, ruler: Ruler, empty: Empty) -> Basis:
    """Return what scores of these frames will rest on; all of them are read for it."""
    told = [(sample.id, hash_truth(sample, ruler), sample.group) for sample in samples]
    truths = tuple((name, truth) for name, truth, _ in told)
    return Basis(ruler=ruler, empty=empty, truths=truths, groups=tuple(one[2] for one in told))


def hash_truth(sample: Sample, ruler: Ruler) -> str:
    """Return the fingerprint of what is true and what is ignored in a frame."""
    hashed = hashlib.sha256(ruler.truth_of(sample))
    hashed.update(b"" if sample.ignore is None else np.packbits(sample.ignore).tobytes())
    return hashed.hexdigest()


def check_same(ours: Basis, baseline: Basis) -> None:
    """Refuse to compare scores of other frames, truth or tasks, or under another policy."""
    if ours.ruler != baseline.ruler:
        tasks = [f"{one.ruler.task} {', '.join(one.ruler.classes)}" for one in (baseline, ours)]
        raise BadInput(
            f"the baseline was scored by {tasks[0].strip()}, this by {tasks[1].strip()}",
            "one task and the same classes",
            "set --task for both, or name the baseline's checkpoint",
        )
    if ours.empty != baseline.empty:
        raise BadInput(
            f"the baseline was scored by the policy {baseline.empty} for empty masks, this by "
            f"{ours.empty}",
            "one policy for both",
            f"add --empty {baseline.empty}, or name the baseline's checkpoint",
        )
    ids, others = ([name for name, _ in one.truths] for one in (ours, baseline))
    if ids != others:
        raise BadInput(
            f"the baseline was scored on {len(others)} frames; {len(set(ids) & set(others))} of "
            f"its ids are among these {len(ids)}",
            "the same frames",
            AGAIN,
        )
    moved = [
        name
        for (name, truth), (_, other) in zip(ours.truths, baseline.truths, strict=True)
        if truth and truth != other
    ]
    if moved:
        raise BadInput(
            f"the baseline was scored against another truth in {len(moved)} of {len(ids)} frames, "
            f"first {moved[0]}",
            "the same classes and annotations",
            AGAIN,
        )
    if ours.groups != baseline.groups:
        raise BadInput(
            "the baseline was scored with its frames in other groups, which intervals are drawn by",
            "the same groups: a data set whole, or alike in part",
            AGAIN,
        )
