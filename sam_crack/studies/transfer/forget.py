"""What tuning costs a SAM that is asked by points: its own decoder with adapters on and off."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sam_crack.console import Console
from sam_crack.data.sample import Sample
from sam_crack.errors import BadInput
from sam_crack.measure import bootstrap
from sam_crack.measure.instances import inmost
from sam_crack.measure.metrics import count, iou
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.model.segmenter import Segmenter
from sam_crack.studies.evaluation.tasks import true_objects
from sam_crack.studies.scoring import SEED

SMALLEST_PX = 64
"""Smaller objects are left out: one point says nothing about them."""
BATCH = 4
RULE = (
    f"one point for each true object of at least {SMALLEST_PX} px, its pixel farthest from the "
    "border, in a window of the rows' size around it; of SAM's three masks the one that SAM scores "
    "best; IoU with the object inside the window"
)
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One object, and how well SAM cuts it out."""

    id: str
    group: str
    number: int
    base: float
    """IoU with the adapters off: SAM as published."""
    tuned: float
    """IoU with the adapters on."""


@torch.inference_mode()
def ask(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    *,
    objects: int,
    window: tuple[int, int],
    console: Console,
) -> list[Asked]:
    """Ask base and tuned SAM for the same objects, at most so many, drawn evenly by name."""
    found: list[Asked] = []
    chosen = choose_objects(samples, objects)
    for index in console.progress(sorted(chosen), "prompt", unit="frame"):
        sample = samples[index]
        labels = objects_in(sample)
        for first in range(0, len(chosen[index]), BATCH):
            numbers = chosen[index][first : first + BATCH]
            cuts = [_cut(sample.image, labels == n, window) for n in numbers]
            tuned = _answers(segmenter, cuts)
            with segmenter.adapters_disabled():
                base = _answers(segmenter, cuts)
            found += [
                Asked(id=sample.id, group=sample.group, number=number, base=before, tuned=after)
                for number, before, after in zip(numbers, base, tuned, strict=True)
            ]
    return found


def objects_in(sample: Sample) -> NDArray[np.int32]:
    """Return numbered objects, or connected parts where nobody numbered them."""
    if sample.instances is not None:
        return true_objects(sample)
    counted = sample.mask > 0 if sample.ignore is None else (sample.mask > 0) & ~sample.ignore
    return np.asarray(cv2.connectedComponents(counted.astype(np.uint8))[1], np.int32)


def choose_objects(samples: Sequence[Sample], at_most: int) -> dict[int, list[int]]:
    """Return place of a frame to numbers of its objects; whom a hash of their names draws."""
    known: list[tuple[str, int, int]] = []
    for index, sample in enumerate(samples):
        areas = np.bincount(objects_in(sample).ravel())
        for number in np.flatnonzero(areas >= SMALLEST_PX).tolist():
            if number:
                name = hashlib.sha256(f"{sample.id}/{number}".encode()).hexdigest()
                known.append((name, index, number))
    if not known:
        raise BadInput(
            f"no object of {SMALLEST_PX} px or more in {len(samples)} frames",
            "frames with objects to point at",
            "leave `forget` out, or score another split",
        )
    chosen: dict[int, list[int]] = {}
    for _, index, number in sorted(known)[:at_most]:
        chosen.setdefault(index, []).append(number)
    return {index: sorted(numbers) for index, numbers in chosen.items()}


def _cut(image: Image, mask: Mask, window: tuple[int, int]) -> tuple[Image, Mask, tuple[int, int]]:
    """Cut a window around the object's inmost pixel; a smaller frame is filled up at its edge."""
    below, right = (max(0, side - have) for side, have in zip(window, mask.shape, strict=True))
    if below or right:
        kept = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
        image, mask = np.asarray(kept, np.uint8), np.pad(mask, ((0, below), (0, right)))
    y, x = inmost(mask)
    top, left = (
        min(max(0, place - side // 2), whole - side)
        for place, side, whole in zip((y, x), window, mask.shape, strict=True)
    )
    part = (slice(top, top + window[0]), slice(left, left + window[1]))
    return image[part], mask[part], (y - top, x - left)


def _answers(
    segmenter: Segmenter, cuts: Sequence[tuple[Image, Mask, tuple[int, int]]]
) -> list[float]:
    """Return the IoU of the mask that SAM itself scores best, for each object."""
    device = next(segmenter.parameters()).device
    pixels = torch.from_numpy(np.stack([image for image, _, _ in cuts])).permute(0, 3, 1, 2)
    points = torch.tensor([[point] for _, _, point in cuts], dtype=torch.float32)
    labels = torch.ones(points.shape[:2])
    logits, scores = segmenter.prompt(
        pixels.to(device), points=points.to(device), labels=labels.to(device)
    )
    best = logits[torch.arange(len(cuts)), scores.argmax(1)][:, None]
    masks = F.interpolate(best, pixels.shape[2:], mode="bilinear")[:, 0] > 0
    found = []
    for mask, (_, truth, _) in zip(masks.cpu().numpy(), cuts, strict=True):
        found.append(iou(count(mask, truth), empty="zero") or 0.0)
    return found


def told(asked: Sequence[Asked], *, resamples: int) -> dict[str, Any]:
    """Return the medians before and after, their difference object by object, and intervals."""
    table = np.array([[one.base, one.tuned, one.tuned - one.base] for one in asked])
    groups = [one.group or one.id for one in asked]
    several = len(set(groups)) > 1 and resamples > 0
    drawn = bootstrap.medians(table, groups, resamples=resamples, seed=SEED) if several else None
    found: dict[str, Any] = {"objects": len(asked), "groups": len(set(groups))}
    for place, name in enumerate(("base", "tuned", "difference")):
        within = None if drawn is None else bootstrap.interval(drawn[:, place])
        found[name] = {
            "median": float(np.median(table[:, place])),
            "low": within.low if within else None,
            "high": within.high if within else None,
        }
    return found


def forgetting(
    folder: Path,
    samples: Sequence[Sample],
    *,
    objects: int,
    window: tuple[int, int],
    resamples: int,
    device: torch.device | str,
    console: Console,
) -> dict[str, Any]:
    """Load a checkpoint and say what its adapters cost SAM's own decoder on true objects."""
    segmenter, meta = load_checkpoint(folder, device=device)
    asked = ask(segmenter, samples, objects=objects, window=window, console=console)
    facts = told(asked, resamples=resamples) | {
        "window": list(window),
        "steps": meta.steps,
        "classes": list(meta.classes),
        "base_sha256": meta.base_sha256,
        "each": [asdict(one) for one in asked],
    }
    return facts
