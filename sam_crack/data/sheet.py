"""`sam-crack data sheet`: what training will see, on one picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sam_crack import durable
from sam_crack.config.data_verbs import DataSheetOptions
from sam_crack.config.schema import DataConfig, RunConfig
from sam_crack.console import Console
from sam_crack.data.crops import Crop, CropDrawer
from sam_crack.data.dataset import Dataset
from sam_crack.data.mosaic import Picture, Tile, mosaic, outlined, png
from sam_crack.data.opening import open_samples
from sam_crack.data.store import Store
from sam_crack.errors import UsageError

_TILE = 256


def run_data_sheet(
    options: DataSheetOptions, console: Console, run_config: RunConfig
) -> dict[str, object]:
    """Draw the crops of these numbers as training draws them, with outlines of the classes."""
    if options.out.suffix.lower() != ".png":
        raise UsageError(f"{options.out}", "a picture ending in .png", "name it sheet.png")
    config = replace(run_config.data, name=options.name, root=options.root)
    samples = _open(options, config)
    size = run_config.crop
    drawer = CropDrawer(samples, size, config=config, seed=run_config.seed)
    numbers = range(options.start, options.start + options.crops)
    crops = list(
        console.progress(map(drawer.draw, numbers), "drawing", total=len(numbers), unit="crop")
    )
    colours = {index: each.colour for index, each in enumerate(samples.classes, 1)}
    present = sorted({int(i) for crop in crops for i in np.unique(crop.target)} & colours.keys())
    legend = [(samples.classes[i - 1].name, colours[i]) for i in present[:8]]
    tiles = [_tile(crop, colours) for crop in crops]
    with_foreground = sum(bool(crop.target.any()) for crop in crops)
    title = f"{options.name}, crops {numbers.start} to {numbers.stop - 1} of {size[1]} x {size[0]}"
    tile = max(48, round(_TILE * size[0] / size[1])), _TILE
    sheet = mosaic(tiles, columns=6, tile=tile, title=title, legend=legend)
    durable.write_bytes(options.out, png(sheet))
    share = float(np.mean([np.mean(crop.target > 0) for crop in crops]))
    console.say(
        f"{options.out}: {len(crops)} crops of {len(samples)} frames, {with_foreground} of them "
        f"with foreground, {share:.2%} of their pixels"
    )
    console.say("outlined: what is to be learnt; darkened: what does not count in the loss")
    return {
        "out": str(options.out),
        "crops": len(crops),
        "with_foreground": with_foreground,
        "foreground_share": round(share, 8),
        "frames": sorted({crop.sample_id for crop in crops}),
    }


def _open(options: DataSheetOptions, config: DataConfig) -> Dataset | Store:
    """Open the split that is asked for, or that training takes; a set without splits whole."""
    if not options.split:
        whole = open_samples(options.name, options.root, classes=config.classes, lists=config.lists)
        if not any(record.split for record in whole.records):
            return whole
    return open_samples(
        options.name,
        options.root,
        split=options.split or config.train,
        classes=config.classes,
        lists=config.lists,
    )


def _tile(crop: Crop, colours: dict[int, tuple[int, int, int]]) -> Tile:
    """Draw one crop; what does not count is dark."""
    thick = max(1, round(max(crop.target.shape) / 400))
    picture: Picture = outlined(crop.pixels, crop.target, colours, dim=~crop.valid, width_px=thick)
    return Tile(picture=picture, caption=crop.sample_id)
