"""`sam-crack data stats`: a data set's numbers, figures, card and machine-readable description."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sam_crack import durable
from sam_crack.config.data_verbs import DataStatsOptions
from sam_crack.console import Console
from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.data.mosaic import Picture, Tile, mosaic, outlined, png
from sam_crack.data.resample import keep_thin
from sam_crack.data.stats import FrameNumbers, Numbers, collect, line_classes, summarise
from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.rows import write_csv
from sam_crack.report.cards import FRAME_COLUMNS, croissant, data_card, percent
from sam_crack.report.distributions import compare_figure, line_figure
from sam_crack.report.heatmaps import heat_figure

_TILE_WIDTH = 420


def run_data_stats(options: DataStatsOptions, console: Console) -> dict[str, object]:
    """Count everything, draw it, and write the card."""
    dataset = open_dataset(options.name, options.root, classes=options.classes, lists=options.lists)
    others = [_other(text, options, console) for text in options.compare]
    numbers = _count(dataset, options, console)
    if not any(each.areas for each in numbers.frames):
        raise BadInput(
            f"{options.root}: no annotation of {options.name} could be read",
            "at least one frame with its mask",
            f"see what is wrong with `sam-crack data check {options.name} {options.root}`",
        )
    out = options.out or Path("runs/stats") / options.name
    figures = _draw(dataset, numbers, others, out, samples=options.samples)
    spec = dataset.spec
    about = {
        "url": spec.url,
        "citation": spec.citation,
        "layout": spec.layout,
        "notes": list(spec.notes),
        "figures": figures,
    }
    columns = [name for name, _, _ in FRAME_COLUMNS]
    write_csv(out / "frames.csv", columns, frame_rows(dataset, numbers.frames))
    card = croissant(numbers.summary, about, frames_sha256=durable.sha256(out / "frames.csv"))
    for name, content in (("stats.json", numbers.summary), ("croissant.json", card)):
        durable.write_text(out / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    durable.write_text(out / "CARD.md", data_card(numbers.summary, about, others))
    _say(numbers, console)
    console.say(f"{out}: CARD.md, croissant.json, stats.json, frames.csv, {', '.join(figures)}")
    return numbers.summary | {"out": str(out), "figures": list(figures)}


def _count(dataset: Dataset, options: DataStatsOptions, console: Console) -> Numbers:
    """Read every annotation once."""
    lines = line_classes(dataset, options.lines)
    if options.lines and len(lines) < len(options.lines):
        raise UsageError(
            f"lines {', '.join(options.lines)}",
            "classes of " + ", ".join(each.name for each in dataset.classes),
            "choose among those",
        )
    found = collect(dataset, lines=lines, num_workers=options.workers)
    frames = list(console.progress(found, "counting", total=len(dataset), unit="frame"))
    return summarise(dataset, frames)


def _other(text: str, options: DataStatsOptions, console: Console) -> dict[str, Any]:
    """Count a set to compare with, or read what was counted before."""
    name, found, place = text.partition("=")
    path = Path(place)
    if not found or not place:
        raise UsageError(f"compare {text!r}", "NAME=ROOT or NAME=stats.json", "cfd=data/cfd")
    if path.suffix == ".json":
        try:
            numbers = json.loads(path.read_text("utf-8"))
            return {**numbers, "dataset": name, "lines": numbers["lines"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            accepted, todo = "stats.json of `sam-crack data stats`", "count that set again"
            raise BadInput(f"{path}: {error}", accepted, todo) from error
    dataset = open_dataset(name, path)
    lines = line_classes(dataset)
    frames = collect(dataset, lines=lines, num_workers=options.workers)
    return summarise(dataset, list(console.progress(frames, name, total=len(dataset)))).summary


def _draw(
    dataset: Dataset,
    numbers: Numbers,
    others: Sequence[dict[str, Any]],
    out: Path,
    *,
    samples: int,
) -> dict[str, str]:
    """Draw every figure that the numbers allow; return file name to what it shows."""
    name, summary = dataset.spec.name, numbers.summary
    classes = [each.name for each in dataset.classes]
    what = classes[0] if len(classes) == 1 else "foreground"
    figures = {"heatmaps.png": f"where {what} of {name} lies in the frame, per split"}
    counts = {split: row["frames"] for split, row in summary["splits"].items()}
    durable.write_bytes(out / "heatmaps.png", heat_figure(numbers.heat, what=what, counts=counts))
    for split, heat in numbers.heat.items():
        stream = io.BytesIO()
        np.save(stream, heat.astype(np.float32))
        durable.write_bytes(out / f"heat_{split}.npy", stream.getvalue())
        one = heat_figure({split: heat}, what=what, counts=counts)
        durable.write_bytes(out / f"heat_{split}.png", one)
    if summary["lines"]:
        figures["lines.png"] = f"lengths and widths of the lines of {name}"
        durable.write_bytes(out / "lines.png", line_figure(summary["lines"]))
    if samples:
        figures["poster.png"] = f"frames of {name} with outlines of the classes"
        durable.write_bytes(out / "poster.png", png(poster(dataset, numbers.frames, samples)))
    if others:
        figures["compare.png"] = f"{name} beside {', '.join(each['dataset'] for each in others)}"
        durable.write_bytes(out / "compare.png", compare_figure([summary, *others]))
    return figures


def poster(dataset: Dataset, frames: Sequence[FrameNumbers], number: int) -> Picture:
    """Draw frames from the one with least to the one with most foreground, evenly spaced."""
    shown = [index for index, each in enumerate(frames) if each.foreground_px]
    shown.sort(key=lambda index: frames[index].foreground_px / np.prod(frames[index].size))
    if not shown:
        shown = [index for index, each in enumerate(frames) if each.areas]
    places = np.unique(np.linspace(0, len(shown) - 1, min(number, len(shown))).round().astype(int))
    height, width = frames[shown[len(shown) // 2]].size
    columns = 3 if width > 1.3 * height else 4
    tile = (round(_TILE_WIDTH * height / width), _TILE_WIDTH)
    colours = {index: each.colour for index, each in enumerate(dataset.classes, 1)}
    tiles, present = [], set[int]()
    for place in places:
        index = shown[int(place)]
        sample = dataset[index]
        share = frames[index].foreground_px / sample.mask.size
        picture, mask = reduced(sample.image, sample.mask, tile)
        present |= set(np.unique(mask).tolist())
        tiles.append(
            Tile(
                picture=outlined(picture, mask, colours),
                caption=f"{sample.id}  {percent(share)}",
            )
        )
    legend = [(each.name, each.colour) for i, each in enumerate(dataset.classes, 1) if i in present]
    title = f"{dataset.spec.name}, {len(frames):,} frames"
    return mosaic(tiles, columns=columns, tile=tile, title=title, legend=legend[:6])


def reduced(image: Picture, mask: Picture, tile: tuple[int, int]) -> tuple[Picture, Picture]:
    """Reduce picture and mask to fit a tile; what is thinner than its pixels stays visible."""
    scale = min(tile[0] / image.shape[0], tile[1] / image.shape[1])
    if scale >= 1:
        return image, mask
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    out = np.zeros(size[::-1], np.uint8)
    for index in sorted(set(np.unique(mask).tolist()) - {0}, reverse=True):
        cover = (mask == index).view(np.uint8) * np.uint8(255)
        out[keep_thin(cv2.resize(cover, size, interpolation=cv2.INTER_AREA))] = index
    return small, out


def frame_rows(dataset: Dataset, frames: Sequence[FrameNumbers]) -> Iterator[dict[str, object]]:
    """Yield a row of frames.csv per frame."""
    for record, each in zip(dataset.records, frames, strict=True):
        places = [record.image, *record.masks.values()]
        names = [
            p.relative_to(dataset.root).as_posix() if p.is_relative_to(dataset.root) else p.name
            for p in places
        ]
        yield {
            "id": record.id,
            "split": record.split,
            "group": record.group,
            "image": names[0],
            "annotation": ";".join(names[1:]),
            "height": each.size[0],
            "width": each.size[1],
            "foreground_px": each.foreground_px,
        }


def _say(numbers: Numbers, console: Console) -> None:
    """Print the tables that a reader wants first."""
    found = numbers.summary
    console.table(
        ("split", "frames", "with foreground", "foreground"),
        [
            (split, row["frames"], row["with_foreground"], percent(row["foreground_share"]))
            for split, row in found["splits"].items()
        ],
    )
    console.say()
    shown = [row for row in found["classes"] if row["frames"]]
    console.table(
        ("class", "frames", "share of pixels", "median px"),
        [
            (
                row["name"],
                row["frames"],
                percent(row["share_of_pixels"]),
                f"{row['pixels_per_frame']['median']:,.0f}",
            )
            for row in shown
        ],
    )
    if found["lines"]:
        length, width = found["lines"]["length_px"], found["lines"]["width_px"]
        console.say()
        console.say(
            f"{found['lines']['number']:,} lines, length {length['median']:.4g} px (median), "
            f"width {width['median']:.3g} px"
        )
    for name in found["unreadable"][:5]:
        console.warn(f"{name} could not be read; `sam-crack data check` says why")
    console.say()
