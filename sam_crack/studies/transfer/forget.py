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
from sam_crack.infer.scale import resize_image, scaled_size
from sam_crack.measure import bootstrap
from sam_crack.measure.instances import inmost
from sam_crack.measure.metrics import count, iou
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.model.segmenter import Segmenter
from sam_crack.model.vit import PIXEL_MEAN
from sam_crack.studies.evaluation.tasks import true_objects
from sam_crack.studies.scoring import SEED

SMALLEST_PX = 64
"""Smaller objects are left out: one point says nothing about them."""
SIDE = 1024
"""Longest side of a frame as SAM was taught to see it."""
RULE = (
    f"one point for each true object of at least {SMALLEST_PX} px, its pixel farthest from the "
    f"border, in the whole frame with its longest side at {SIDE} px and filled up to a square, as "
    "SAM takes it; IoU of the best of SAM's three masks, and of the one that SAM itself scores best"
)
SCORES = ("base", "tuned", "difference", "chosen_base", "chosen_tuned")
Image = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One object, and how well SAM cuts it out."""

    id: str
    group: str
    number: int
    base: float
    """IoU of the best of three masks with the adapters off: SAM as published."""
    tuned: float
    """The same with the adapters on."""
    chosen_base: float
    """IoU of the mask that SAM itself scores best, adapters off."""
    chosen_tuned: float
    """The same with the adapters on."""


@torch.inference_mode()
def ask(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    *,
    objects: int,
    side: int = SIDE,
    console: Console,
) -> list[Asked]:
    """Ask base and tuned SAM for the same objects, at most so many, drawn evenly by name."""
    found: list[Asked] = []
    chosen = choose_objects(samples, objects)
    for index in console.progress(sorted(chosen), "prompt", unit="frame"):
        sample, numbers = samples[index], chosen[index]
        tuned = answers(segmenter, sample, numbers, side=side)
        with segmenter.adapters_disabled():
            base = answers(segmenter, sample, numbers, side=side)
        found += [
            Asked(
                id=sample.id,
                group=sample.group,
                number=number,
                base=before[0],
                tuned=after[0],
                chosen_base=before[1],
                chosen_tuned=after[1],
            )
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


def answers(
    segmenter: Segmenter, sample: Sample, numbers: Sequence[int], *, side: int
) -> list[tuple[float, float]]:
    """Return for each object the IoU of the best of three masks, and of SAM's own choice.

    The frame is embedded once; every object is one point in it.
    """
    labels = objects_in(sample)
    size = labels.shape
    square, seen = _squared(sample.image, side)
    device = next(segmenter.parameters()).device
    pixels = torch.from_numpy(square).permute(2, 0, 1)[None].to(device)
    embedding = segmenter.encoder(pixels).embedding
    found: list[tuple[float, float]] = []
    for number in numbers:
        truth = labels == number
        point = torch.tensor([[inmost(truth)]], dtype=torch.float32) * (side / max(size))
        logits, scores = segmenter.prompts(
            embedding, points=point.to(device), labels=torch.ones(1, 1, device=device)
        )
        whole = F.interpolate(logits, (side, side), mode="bilinear")[..., : seen[0], : seen[1]]
        masks = (F.interpolate(whole, size, mode="bilinear")[0] > 0).cpu().numpy()
        each = [iou(count(mask, truth, sample.ignore), empty="zero") or 0.0 for mask in masks]
        found.append((max(each), each[int(scores[0].argmax())]))
    return found


def _squared(image: Image, side: int) -> tuple[Image, tuple[int, int]]:
    """Resize a frame to a longest side and fill it up to a square, as SAM is given pictures."""
    height, width = scaled_size(image.shape[:2], side / max(image.shape[:2]))
    square = np.empty((side, side, 3), np.uint8)
    square[:] = np.round(PIXEL_MEAN)
    square[:height, :width] = resize_image(image, (height, width))
    return square, (height, width)


def told(asked: Sequence[Asked], *, resamples: int) -> dict[str, Any]:
    """Return the means before and after, their difference object by object, and intervals."""
    table = np.array(
        [
            (one.base, one.tuned, one.tuned - one.base, one.chosen_base, one.chosen_tuned)
            for one in asked
        ]
    )
    groups = [one.group or one.id for one in asked]
    several = len(set(groups)) > 1 and resamples > 0
    drawn = bootstrap.means(table, groups, resamples=resamples, seed=SEED) if several else None
    found: dict[str, Any] = {"objects": len(asked), "groups": len(set(groups))}
    for place, name in enumerate(SCORES):
        within = None if drawn is None else bootstrap.interval(drawn[:, place])
        found[name] = {
            "mean": float(table[:, place].mean()),
            "low": within.low if within else None,
            "high": within.high if within else None,
        }
    return found


def forgetting(
    folder: Path,
    samples: Sequence[Sample],
    *,
    objects: int,
    side: int = SIDE,
    resamples: int,
    device: torch.device | str,
    console: Console,
) -> dict[str, Any]:
    """Load a checkpoint and say what its adapters cost SAM's own decoder on true objects."""
    segmenter, meta = load_checkpoint(folder, device=device)
    asked = ask(segmenter, samples, objects=objects, side=side, console=console)
    facts = told(asked, resamples=resamples) | {
        "side": side,
        "steps": meta.steps,
        "classes": list(meta.classes),
        "base_sha256": meta.base_sha256,
        "each": [asdict(one) for one in asked],
    }
    return facts
