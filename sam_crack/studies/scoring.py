"""A model's frames counted, kept and read again: what every table of scores is computed from."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import numpy as np
from accelerate.utils import gather_object
from numpy.typing import NDArray

from sam_crack import durable
from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput
from sam_crack.infer.gate import count_gate, gate_scores
from sam_crack.infer.scaled import Looker
from sam_crack.measure import bootstrap
from sam_crack.measure.bootstrap import Interval
from sam_crack.measure.metrics import Empty
from sam_crack.measure.tally import Sums, add_up
from sam_crack.studies.evaluation.tasks import FOREGROUND, Ruler, Task
from sam_crack.studies.same_frames import Basis, check_same, hash_truth
from sam_crack.train.session import join_processes

COUNTS = "counts.npz"
DAMAGED = (OSError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a file of arrays may end with that is cut off or changed."""
SEED = 20240501
"""Of the resamples: the same for every evaluation, so that tables agree to the last digit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredFrame:
    """One frame: which it was, and what adds up."""

    index: int
    """Place in the data set."""
    id: str
    group: str
    size: tuple[int, int]
    truth: str
    """Fingerprint of what is true and what is ignored."""
    sums: Sums


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """All frames of a split as one model sees them."""

    frames: tuple[ScoredFrame, ...]
    empty: Empty
    model: Mapping[str, Any]
    """What the scores belong to: threshold, hashes, window."""
    ruler: Ruler = FOREGROUND
    """What was counted."""

    @property
    def fingerprint(self) -> str:
        """Hash of which frames were scored, and against what; the same for every model."""
        lines = (f"{frame.id}\t{frame.truth}\n" for frame in self.frames)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def basis(self) -> Basis:
        """What the scores rest on, which another model must share."""
        truths = tuple((frame.id, frame.truth) for frame in self.frames)
        groups = tuple(frame.group for frame in self.frames)
        return Basis(ruler=self.ruler, empty=self.empty, truths=truths, groups=groups)

    @property
    def groups(self) -> list[str]:
        """Group of each frame; one that belongs to none is its own."""
        return [frame.group or f"frame {frame.id}" for frame in self.frames]

    def total(self) -> Sums:
        """Sum over all frames, in their order."""
        return add_up(frame.sums for frame in self.frames)

    def scores(self) -> dict[str, float | None]:
        """Return every score by name."""
        return self.ruler.scores(self.total(), empty=self.empty)

    def gate(self) -> dict[str, float | None]:
        """What looking at a part of the frame missed and kept; nothing where all was looked at."""
        counted = [frame.sums["gate"] for frame in self.frames if "gate" in frame.sums]
        return gate_scores(np.sum(counted, axis=0)) if counted else {}

    def resampled(self, resamples: int) -> dict[str, NDArray[np.float64]]:
        """Return every score of every bootstrap resample of whole groups."""
        names, summed = bootstrap.by_group([frame.sums for frame in self.frames], self.groups)
        draws = bootstrap.draw(len(names), resamples=resamples, seed=SEED)
        if len(names) < 2:
            return {}
        score_all = partial(self.ruler.scores, empty=self.empty)
        return bootstrap.resample(summed, draws, score_all)


def score_frames(
    predictor: Looker,
    samples: Sequence[Sample],
    indices: Sequence[int],
    *,
    empty: Empty,
    model: Mapping[str, Any],
    console: Console,
    ruler: Ruler = FOREGROUND,
) -> Scored:
    """Score frames with the predictor's own threshold; processes share them out.

    Every process returns the same: each frame is counted whole by one of them, and sums run over
    frames in their order, however many processes there were.
    """
    processes = join_processes()
    mine = indices[processes.process_index :: processes.num_processes]
    found = []
    for index in console.progress(mine, "evaluate", unit="frame"):
        sample = samples[index]
        said = predictor.frame(sample.image)
        sums = ruler.count(said, sample, threshold=predictor.threshold, empty=empty)
        if model.get("road", "all") != "all":
            gated = count_gate(said.gate, sample.mask > 0, sample.ignore)
            sums = {**sums, "gate": gated.astype(np.float64)}
        found.append(_scored_frame(sums, sample, index, ruler))
    if processes.num_processes > 1:
        found = gather_object(found)
    ordered = sorted(found, key=lambda frame: frame.index)
    return Scored(frames=tuple(ordered), empty=empty, model=model, ruler=ruler)


def _scored_frame(sums: Sums, sample: Sample, index: int, ruler: Ruler) -> ScoredFrame:
    """Keep what was counted beside what it was counted in."""
    return ScoredFrame(
        index=index,
        id=sample.id,
        group=sample.group,
        size=(sample.mask.shape[0], sample.mask.shape[1]),
        truth=hash_truth(sample, ruler),
        sums=sums,
    )


def intervals(scored: Scored, *, resamples: int) -> dict[str, Interval | None]:
    """Return the 95 % interval of every score; None where there is none."""
    values = scored.resampled(resamples) if resamples else {}
    return {name: bootstrap.interval(one) for name, one in values.items()}


def differences(
    scored: Scored, baseline: Scored, *, resamples: int
) -> dict[str, tuple[float | None, Interval | None]]:
    """Return by how much every score exceeds the baseline's on the same frames, with interval.

    Both are resampled by the same draws, so what makes a group hard for both cancels out.
    """
    check_same(scored.basis, baseline.basis)
    ours, theirs = scored.scores(), baseline.scores()
    values = [one.resampled(resamples) if resamples else {} for one in (scored, baseline)]
    found: dict[str, tuple[float | None, Interval | None]] = {}
    for name, value in ours.items():
        other = theirs[name]
        gap = None if value is None or other is None else value - other
        both = [one.get(name) for one in values]
        within = (
            None if both[0] is None or both[1] is None else bootstrap.interval(both[0] - both[1])
        )
        found[name] = (gap, within)
    return found


def save_scored(scored: Scored, folder: Path) -> None:
    """Write the counts of every frame, from which every score can be computed again."""
    frames = scored.frames
    facts = {"empty": scored.empty, "model": scored.model, "ruler": scored.ruler.facts()}
    columns: dict[str, Any] = {
        name: np.array([getattr(frame, name) for frame in frames])
        for name in ("index", "id", "group", "truth", "size")
    }
    for name in frames[0].sums:
        columns[f"sums/{name}"] = np.stack([frame.sums[name] for frame in frames])
    stream = BytesIO()
    np.savez_compressed(stream, facts=np.array(json.dumps(facts)), **columns)
    durable.write_bytes(folder / COUNTS, stream.getvalue())


def load_scored(folder: Path) -> Scored:
    """Read what `save_scored` wrote."""
    path = folder / COUNTS
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            table = {name: file[name] for name in file.files}
        facts = json.loads(str(table["facts"]))
        names = [name for name in table if name.startswith("sums/")]
        frames = [
            ScoredFrame(
                index=int(table["index"][row]),
                id=str(table["id"][row]),
                group=str(table["group"][row]),
                size=(int(table["size"][row][0]), int(table["size"][row][1])),
                truth=str(table["truth"][row]),
                sums={name.removeprefix("sums/"): table[name][row] for name in names},
            )
            for row in range(len(table["index"]))
        ]
        if facts["empty"] not in get_args(Empty) or not frames:
            raise ValueError(f"policy {facts['empty']!r}, {len(frames)} frames")
        told = facts.get("ruler", FOREGROUND.facts())  # older ones know of nothing else
        if told["task"] not in get_args(Task):
            raise ValueError(f"task {told['task']!r}")
        ruler = Ruler(
            task=told["task"], classes=tuple(told["classes"]), tissues=tuple(told["tissues"])
        )
        return Scored(frames=tuple(frames), empty=facts["empty"], model=facts["model"], ruler=ruler)
    except (*DAMAGED, ValueError, KeyError, TypeError, IndexError) as error:
        raise BadInput(
            f"{path}: not the counts of an evaluation ({error})",
            "the folder that `sam-crack evaluate` wrote",
            "evaluate that model again",
        ) from error
