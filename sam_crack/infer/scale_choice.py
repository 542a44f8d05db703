"""From what the user asked for to a predictor that works at this scale, and why at this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from sam_crack.console import Console
from sam_crack.data.opening import open_samples
from sam_crack.data.sample import Sample
from sam_crack.infer.agreement import agree
from sam_crack.infer.camera_scale import camera_parts, trained_gsd
from sam_crack.infer.few_frames import middles
from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Image
from sam_crack.infer.scale import ScaleChoice
from sam_crack.infer.scale_search import FRAMES, calibrate
from sam_crack.infer.scaled import Looker, Scaled, by_factor
from sam_crack.measure.metrics import to_level
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.model.trained_scale import TrainedScale

FEW = 12
"""Frames from which `auto` finds a scale."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a scale can be found from."""

    trained: TrainedScale | None
    """What the checkpoint says."""
    camera: RoadCamera | None
    """Camera of the frames."""
    few: Callable[[], Iterable[tuple[str, Image]]]
    """A few frames with their names; called only where they are needed."""
    before: Mapping[str, Any] | None = None
    """What a search found when the run that now goes on began."""


def choose_scale(
    choice: ScaleChoice, predictor: Predictor, known: Known, *, console: Console
) -> tuple[Looker, dict[str, object]]:
    """Return what looks at frames in the scale that was asked for, and JSON-able facts about it."""
    match choice.kind:
        case "own":
            return _by_checkpoint(predictor, known, console)
        case "factor":
            asked = f"{choice.factor:g}"
            return by_factor(predictor, choice.factor), {"asked": asked, "factor": choice.factor}
        case "camera" | "strips":
            return _by_camera(choice, predictor, known, console)
        case "calibrate" | "auto" if known.before is not None:
            console.say(f"scale {known.before['factor']:.3g}, as it was found when the run began")
            return by_factor(predictor, known.before["factor"]), dict(known.before)
        case "calibrate":
            assert choice.folder is not None
            return _by_labels(choice.folder, predictor, console)
        case "auto":
            return _by_agreement(predictor, known, console)
        case _:
            assert_never(choice.kind)


def searched_scale(choice: ScaleChoice) -> dict[str, object]:
    """Return what of `scale_settings` is known before a search, which takes long; else nothing."""
    match choice.kind:
        case "auto":
            return {"scale": "auto"}
        case "calibrate":
            return {"scale": f"calibrate:{choice.folder}"}
        case _:
            return {}


def scale_settings(facts: Mapping[str, object]) -> dict[str, object]:
    """Return what a run that is continued must find again; who named a factor does not matter."""
    asked = f"{facts['factor']:g}" if facts["asked"] == "own" else facts["asked"]
    return {"scale": asked, "scale_factor": facts["factor"]}


def _by_checkpoint(
    predictor: Predictor, known: Known, console: Console
) -> tuple[Looker, dict[str, object]]:
    """Resize as the model's validation found best; a checkpoint that knows nothing does not."""
    factor = 1.0 if known.trained is None else known.trained.factor
    facts: dict[str, object] = {"asked": "own", "factor": factor}
    if factor != 1:
        facts["why"] = "chosen on the validation frames of its training, with the threshold"
        console.say(f"scale {factor:.3g}: {facts['why']}")
    return by_factor(predictor, factor), facts


def _by_camera(
    choice: ScaleChoice, predictor: Predictor, known: Known, console: Console
) -> tuple[Looker, dict[str, object]]:
    """Bring the road to the ground resolution of the training."""
    gsd_mm = trained_gsd(known.trained, known.camera)
    assert known.camera is not None  # trained_gsd has seen to it
    strips = choice.kind == "strips"
    factor, parts = camera_parts(known.camera, gsd_mm, strips=strips)
    facts: dict[str, object] = {
        "asked": "camera:strips" if strips else "camera",
        "factor": factor,
        "why": f"the model was trained at {gsd_mm:.3g} mm per pixel across the road, half-way down",
    }
    said = f"scale {factor:.3g}: {facts['why']}"
    if strips:
        rows = parts(known.camera.size)
        facts["strips"] = [{"rows": [one.first, one.last], "factor": one.factor} for one in rows]
        said = f"scale by strips, from far to near {', '.join(f'{one.factor:.3g}' for one in rows)}"
    console.say(said)
    return Scaled(predictor, parts), facts


def _by_labels(
    folder: Path, predictor: Predictor, console: Console
) -> tuple[Looker, dict[str, object]]:
    """Look at labelled frames in all scales."""
    samples = open_samples("folder", folder)
    places = middles(len(samples), FRAMES)
    labelled: Iterable[Sample] = (samples[place] for place in places)
    shown = console.progress(labelled, "calibrate", total=len(places), unit="frame")
    factor, counts = calibrate(predictor.by_itself(), shown)
    level = to_level(predictor.threshold)
    scores = {one: float(each.f1_curve()[level]) for one, each in counts.items()}
    threshold, highest = counts[factor].best()
    why = (
        f"of {len(places)} labelled frames F1 is {scores[factor]:.3f} there and {scores[1.0]:.3f} "
        f"at 1 (threshold {threshold:.2f} would give {highest:.3f})"
    )
    _say(console, factor, why, scores)
    return by_factor(predictor, factor), {
        "asked": f"calibrate:{folder}",
        "factor": factor,
        "why": why,
        "tried": {f"{one:.3g}": round(score, 4) for one, score in scores.items()},
        "best_threshold": threshold,
    }


def _by_agreement(
    predictor: Predictor, known: Known, console: Console
) -> tuple[Looker, dict[str, object]]:
    """Look at a few frames in all scales."""
    names: list[str] = []

    def images() -> Iterator[Image]:
        for name, image in console.progress(known.few(), "scale", total=FEW, unit="frame"):
            names.append(name)
            yield image

    softness_px = None if known.trained is None else known.trained.softness_px
    factor, scores = agree(predictor.by_itself(), images(), softness_px=softness_px)
    why = (
        f"over {len(names)} frames what is found about there is most like what the next scales find"
        + ", and its lines like those of the training" * bool(softness_px)
        if any(scores.values())
        else f"nothing was found on {len(names)} frames in any scale"
    )
    _say(console, factor, why, scores)
    return by_factor(predictor, factor), {
        "asked": "auto",
        "factor": factor,
        "why": why,
        "tried": {f"{one:.3g}": round(score, 4) for one, score in scores.items()},
        "frames": names,
    }


def _say(console: Console, factor: float, why: str, scores: dict[float, float]) -> None:
    console.say(f"scale {factor:.3g}: {why}")
    console.say("  ".join(f"{one:.3g}: {score:.3f}" for one, score in scores.items()))
