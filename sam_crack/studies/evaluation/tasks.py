"""What is counted in a frame, and which scores follow: foreground, classes, or separate objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.dataset import Dataset, find_spec
from sam_crack.data.sample import Sample
from sam_crack.data.sets.pannuke import tissue_of
from sam_crack.data.store import Store
from sam_crack.errors import UsageError
from sam_crack.infer.prediction import Prediction
from sam_crack.measure import class_tally, object_tally
from sam_crack.measure.calibration import FLOOR
from sam_crack.measure.instances import Objects, split_by_shape, split_instances, vote_types
from sam_crack.measure.metrics import Empty, to_level
from sam_crack.measure.panoptic import MATCH_IOU, count_overlaps
from sam_crack.measure.tally import PER_IMAGE, Sums, all_scores, count_frame, sums_of

Task = Literal["foreground", "classes", "instances"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Ruler:
    """A task, and what has to be known to score it; two evaluations compare if theirs agree."""

    task: Task = "foreground"
    classes: tuple[str, ...] = ()
    """Foreground classes in the order of the mask; of objects, empty where types are not told."""
    tissues: tuple[str, ...] = ("",)
    """Tissues over which PanNuke's scores are averaged, in order."""

    def facts(self) -> dict[str, Any]:
        """Return what JSON holds of it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @property
    def per_image(self) -> tuple[str, ...]:
        """Scores that each frame has."""
        match self.task:
            case "foreground":
                return tuple(PER_IMAGE)
            case "classes":
                return class_tally.per_image_names(self.classes)
            case "instances":
                return (*object_tally.PER_IMAGE, *PER_IMAGE)
            case _:
                assert_never(self.task)

    @property
    def headlines(self) -> tuple[str, ...]:
        """Scores that come first, the one that counts most before all others."""
        match self.task:
            case "foreground":
                return ("iou_pooled", "f1_pooled", "cldice_pooled", "bf1@2px_pooled", ECE)
            case "classes":
                return ("miou_pooled", "miou_bg_pooled", "miou_per_image")
            case "instances":
                several = ("mpq_pooled",) if len(self.classes) > 1 else ()
                own = ("aji_per_image", "pq_per_image", *several, "dq_per_image", "sq_per_image")
                tissues = ("bpq@pannuke", "mpq@pannuke")[: 1 + len(several)]
                return (*(tissues if len(self.tissues) > 1 else ()), *own, "f1_per_image")
            case _:
                assert_never(self.task)

    @property
    def ranked_by(self) -> str:
        """Score of a frame by which the best and the worst are shown."""
        return {"foreground": "iou", "classes": "miou", "instances": "pq"}[self.task]

    def count(self, said: Prediction, sample: Sample, *, threshold: float, empty: Empty) -> Sums:
        """Count one frame."""
        if self.task == "classes":
            return class_tally.count_class_frame(
                _classes_of(said),
                sample.mask,
                classes=self.classes,
                empty=empty,
                ignore=sample.ignore,
            )
        truth = sample.mask > 0
        frame = count_frame(said.prob, truth, threshold=threshold, ignore=sample.ignore)
        sums = dict(sums_of(frame, empty=empty))
        if self.task == "instances":
            found, there = objects_found(said, sample, threshold=threshold), true_objects(sample)
            kept = {number: kind for number, kind in sample.types.items() if kind}
            several = len(self.classes) > 1
            sums |= object_tally.count_object_frame(
                found,
                there,
                types=(vote_types(found, _classes_of(said)) if several else {}, kept),
                num_classes=max(1, len(self.classes)),
                tissue=(self.tissues.index(tissue_of(sample.id)), len(self.tissues)),
                empty=empty,
            )
        return sums

    def scores(self, sums: Sums, *, empty: Empty) -> dict[str, float | None]:
        """Return every score of summed frames, the task's own first."""
        match self.task:
            case "foreground":
                return all_scores(sums, empty=empty)
            case "classes":
                return class_tally.class_scores(sums, classes=self.classes, empty=empty)
            case "instances":
                own = object_tally.object_scores(sums, classes=self.classes, empty=empty)
                return own | all_scores(sums, empty=empty)
            case _:
                assert_never(self.task)

    def truth_of(self, sample: Sample) -> bytes:
        """Return what is true of a frame under this task, as bytes for a fingerprint."""
        truth = sample.mask > 0
        told = f"{truth.shape}".encode() + np.packbits(truth).tobytes()
        if self.task == "foreground":
            return told
        told += b"classes" + np.ascontiguousarray(sample.mask).tobytes()
        return told + (true_objects(sample).tobytes() if self.task == "instances" else b"")

    def shown(self, said: Prediction, sample: Sample, *, threshold: float) -> tuple[Mask, Mask]:
        """Return what was found and what was there, for a picture: both is right, one is wrong."""
        match self.task:
            case "foreground":
                return said.prob >= to_level(threshold), sample.mask > 0
            case "classes":
                return _classes_shown(_classes_of(said), sample)
            case "instances":
                return _objects_shown(objects_found(said, sample, threshold=threshold), sample)
            case _:
                assert_never(self.task)

    def rules(self) -> list[str]:
        """Say in words what the scores of this task rest on."""
        match self.task:
            case "foreground":
                return []
            case "classes":
                return [
                    "each pixel is of the most probable class; no threshold is involved",
                    "a class that is in neither truth nor prediction scores by the rule for empty "
                    "masks; miou_bg counts the background as a class, as VOC does, miou does not",
                ]
            case "instances":
                return [
                    "objects are parted by a watershed, along predicted borders where the model "
                    "was taught them, else by shape alone",
                    f"matched at IoU above {MATCH_IOU:g}; pooled scores add objects of all frames",
                    "bpq@pannuke and mpq@pannuke: per patch, then tissue, then over tissues; a "
                    "patch without a true object of a class is left out, so false ones there are "
                    "free, as PanNuke's authors do it",
                ]
            case _:
                assert_never(self.task)


ECE = f"ece@{FLOOR}"
FOREGROUND = Ruler()


def choose_ruler(
    asked: Task | Literal["auto"], samples: Dataset | Store, learnt: Sequence[str]
) -> Ruler:
    """Return the ruler for these samples and a model of these classes.

    `auto` scores objects where the data set consists of them, classes where the model tells
    several apart, and else foreground.
    """
    names = tuple(each.name for each in samples.classes)
    several = len(names) > 1 and tuple(learnt) == names
    spec = samples.spec if isinstance(samples, Dataset) else find_spec(samples.name)
    task = asked
    if task == "auto":
        task = "instances" if spec.has_objects else "classes" if several else "foreground"
    if task == "classes" and not several:
        raise UsageError(
            f"--task classes with {', '.join(names)}",
            f"at least two classes, those that the model tells apart: {', '.join(learnt)}",
            "score the foreground, or leave --classes out",
        )
    if task == "instances" and samples[0].instances is None:
        raise UsageError(
            f"--task instances with {spec.name}",
            "a data set in which objects are numbered",
            "score the foreground" + (" or classes" if several else ""),
        )
    if task != "instances":
        return Ruler(task=task, classes=names if task == "classes" else ())
    tissues = tuple(sorted({tissue_of(record.id) for record in samples.records}))
    return Ruler(task=task, classes=names if several else (), tissues=tissues)


def objects_found(said: Prediction, sample: Sample, *, threshold: float) -> Objects:
    """Part the predicted foreground into objects; ignored ones are left out."""
    if said.rim is not None:
        found = split_instances(said.prob, said.rim, threshold=threshold)
    else:
        found = split_by_shape(said.prob >= to_level(threshold))
    return object_tally.drop_ignored(found, sample.ignore)


def true_objects(sample: Sample) -> Objects:
    """Return the objects of the asked classes; ignored ones are left out."""
    assert sample.instances is not None  # choose_ruler has seen to it
    there = np.where(sample.mask > 0, sample.instances, 0).astype(np.int32)
    return object_tally.drop_ignored(there, sample.ignore)


def _classes_of(said: Prediction) -> NDArray[np.uint8]:
    assert said.classes is not None  # a model of several classes always tells
    return said.classes


def _classes_shown(found: NDArray[np.uint8], sample: Sample) -> tuple[Mask, Mask]:
    """Right is the right class; a wrong one on foreground is missed, on background false."""
    counted = np.ones(found.shape, np.bool_) if sample.ignore is None else ~sample.ignore
    right = (found == sample.mask) & (found > 0)
    false = (found > 0) & (sample.mask == 0)
    return (right | false) & counted, (sample.mask > 0) & counted


def _objects_shown(found: Objects, sample: Sample) -> tuple[Mask, Mask]:
    """Right is an object that is matched; others are missed or false as a whole."""
    there = true_objects(sample)
    overlaps = count_overlaps(found, there)
    ours = np.unique(np.append(found, 0))[1:]
    theirs = np.unique(np.append(there, 0))[1:]
    matched = overlaps.pairs[overlaps.iou > MATCH_IOU]
    hit = np.isin(found, ours[matched[:, 1]])
    missed = (there > 0) & ~np.isin(there, theirs[matched[:, 0]])
    return hit | ((found > 0) & ~missed), hit | missed
