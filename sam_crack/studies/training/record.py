"""What a training run leaves to be looked at: pages of samples, curves, a summary and a card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sam_crack import durable
from sam_crack.config.load import config_hash
from sam_crack.config.runs import installed_versions
from sam_crack.config.schema import RunConfig
from sam_crack.data.dataset import Dataset
from sam_crack.data.mixture import Mixture
from sam_crack.data.mosaic import png
from sam_crack.data.opening import contents
from sam_crack.data.sets.catalogue import DATASETS
from sam_crack.data.sets.spec import ClassSpec
from sam_crack.data.store import Store
from sam_crack.measure.metrics import to_level
from sam_crack.report.model_card import model_card
from sam_crack.report.panels import Panel, sample_page
from sam_crack.report.plots import loss_curve
from sam_crack.studies.training.start import BegunFrom
from sam_crack.train.loop import FitResult
from sam_crack.train.session import Session
from sam_crack.train.validate import Validation

SAMPLES = "samples"
"""Folder of the pages, inside the run folder."""
CURVES = "curves.png"
"""Loss and validation score, where steps are recorded."""


def data_hash(train: Dataset | Store | Mixture, val: Dataset | Store) -> str:
    """Return a sha256 over what is learnt and validated: class names, and frames in their order.

    Pixels are not read: that would take longer than many a run. A frame is its id with the sizes
    of its files, or with the hash that its store has of it.
    """
    names = [each.name for each in train.classes]
    sets = [part.samples for part in train.parts] if isinstance(train, Mixture) else [train]
    ids = [[record.id for record in split.records] for split in (train, val)]
    told = [names, *ids, *(contents(each) for each in (*sets, val))]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def show_samples(session: Session, classes: Sequence[ClassSpec], found: Validation) -> None:
    """Draw the frames that the validation kept, and hand the page to the tracker too."""
    run, validator = session.run, session.validator
    try:
        panels = []
        for index, said in validator.shown.items():
            sample = validator.samples[index]
            assert said is not None  # looked at by the validation that is shown
            panels.append(
                Panel(
                    id=sample.id,
                    image=sample.image,
                    truth=sample.mask,
                    prob=said.prob,
                    classes=said.classes,
                    rim=said.rim,
                    ignore=sample.uncounted(within_region=run.config.data.region_only),
                )
            )
        mean = "" if found.miou is None else f"mean IoU {found.miou:.3f}, "
        title = f"{run.config.name}: step {found.step}, {mean}F1 {found.f1:.3f}"
        colours = {each.name: each.colour for each in classes}
        page = sample_page(panels, level=to_level(found.threshold), title=title, colours=colours)
        durable.write_bytes(run.folder / SAMPLES / f"step-{found.step:08d}.png", png(page))
    except Exception as error:  # training outlives a page that cannot be drawn
        run.console.warn(f"the page of samples could not be drawn: {error}")
        return
    run.tracker.page(found.step, page)


def write_record(
    config: RunConfig,
    session: Session,
    train: Dataset | Store | Mixture,
    val: Dataset | Store,
    *,
    result: FitResult,
) -> dict[str, object]:
    """Leave `summary.json`, `curves.png` and `CARD.md` in the run folder; return the summary."""
    folder = session.run.folder
    shown = [row["foreground"] for row in result.history if "foreground" in row]
    summary: dict[str, object] = {
        "steps": result.step,
        "best": result.best.facts() if result.best else None,
        "skipped_steps": sum("skipped" in row for row in result.history),
        "steps_without_foreground": shown.count(0.0),
    }
    if summary["skipped_steps"]:
        session.run.console.warn(
            f"{summary['skipped_steps']} of {result.step} steps were skipped: loss or gradients "
            "were not finite; metrics.jsonl names the samples"
        )
    if shown.count(0.0):
        session.run.console.say(f"{shown.count(0.0)} of {len(shown)} steps saw no foreground")
    durable.write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    if any(row.get("loss") is not None for row in result.history):
        curve = loss_curve(result.history, score=_score(config))
        durable.write_bytes(folder / CURVES, curve)
    facts = _card_facts(config, session, train, val, result)
    durable.write_text(folder / "CARD.md", model_card(facts))
    return summary


def _score(config: RunConfig) -> str:
    return "miou" if config.model.head.num_classes > 1 else "f1"


def _card_facts(
    config: RunConfig,
    session: Session,
    train: Dataset | Store | Mixture,
    val: Dataset | Store,
    result: FitResult,
) -> dict[str, Any]:
    settings, folder = config.train, session.run.folder
    spec = DATASETS[val.name if isinstance(val, Store) else config.data.name]
    crops = settings.batch_size * settings.accumulate * session.run.accelerator.num_processes
    figures = {CURVES: "loss and validation score"} if (folder / CURVES).exists() else {}
    pages = sorted(path.name for path in (folder / SAMPLES).glob("*.png"))
    if pages:
        figures[f"{SAMPLES}/{pages[-1]}"] = "validation frames after the last validation"
    return {
        "name": config.name,
        "classes": [each.name for each in train.classes],
        "data": {
            "name": spec.name,
            "title": spec.title,
            "licence": spec.licence,
            "url": spec.url,
            "citation": spec.citation,
            "train": len(train),
            "val": len(val),
            "also": _further(train),
        },
        "model": [
            f"base {config.model.backbone.name}, sha256 of its tensors "
            f"{session.segmenter.base_sha256[:16]}",
            *session.segmenter.summary(),
        ],
        "settings": {
            "crops per step": crops,
            "crop size": " x ".join(map(str, config.crop)),
            "resized by": " to ".join(f"{factor:g}" for factor in config.data.scale),
            "loss": " + ".join(f"{weight:g} {name}" for name, weight in settings.losses.items()),
            "rates": f"adapters {settings.lr:g}, head {settings.head_lr:g}, {settings.schedule}",
            "seed": config.seed,
            "steps skipped": sum("skipped" in row for row in result.history),
            **_begun_from(session.run.begun_from),
        },
        "best": result.best.facts() if result.best else None,
        "steps": result.step,
        "hashes": {"config": config_hash(config), "data": session.run.data_hash},
        "versions": installed_versions(),
        "figures": figures,
    }


def _begun_from(start: BegunFrom | None) -> dict[str, str]:
    if start is None:
        return {}
    weights = start["weights_sha256"][:16]
    return {"begun from": f"{start['checkpoint']}, sha256 of its weights {weights}"}


def _further(train: Dataset | Store | Mixture) -> list[str]:
    """Name the sets that were learnt from beside the first, with the terms of each."""
    said = []
    for part in train.parts[1:] if isinstance(train, Mixture) else ():
        spec = DATASETS[part.samples.name if isinstance(part.samples, Store) else part.name]
        said.append(
            f"{len(part.samples):,} frames of {spec.name} ({spec.licence}; {spec.url}), "
            f"resized by {part.scale:g} first"
        )
    return said
