"""How good the scale is that `--scale auto` finds: its IoU beside that of the best of a sweep.

    python benchmarks/scales.py RUN NAME=FOLDER[:SPLIT] ... [--frames 16] [--classes crack]

For each data set, `auto` sees twelve frames without their labels, spread over all of the split.
Then that scale and every one of its grid is scored on so many labelled frames, at the threshold of
the checkpoint. The ratio is the IoU at the scale that auto found over that at the best one of the
grid.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from sam_crack.data.opening import open_samples
from sam_crack.infer.agreement import agree
from sam_crack.infer.few_frames import middles
from sam_crack.infer.predict import Predictor
from sam_crack.infer.scale import GRID
from sam_crack.infer.scale_choice import FEW
from sam_crack.infer.scale_search import calibrate
from sam_crack.measure.metrics import iou, to_level
from sam_crack.model.checkpoint import load_checkpoint


def main() -> None:
    """Print a table for each data set, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("sets", nargs="+", metavar="NAME=FOLDER[:SPLIT]")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--classes", default="crack")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    segmenter, meta = load_checkpoint(asked.run)
    predictor = Predictor(
        segmenter,
        window=segmenter.config.window,
        stride=segmenter.stride,
        threshold=meta.threshold,
        rim=segmenter.config.head.boundary,
    )
    softness_px = None if meta.scale is None else meta.scale.softness_px
    level = to_level(meta.threshold)
    for each in asked.sets:
        name, _, where = each.partition("=")
        folder, _, split = where.partition(":")
        classes = tuple(asked.classes.split(","))
        samples = open_samples(name, Path(folder), split=split or None, classes=classes)
        few = (samples[place].image for place in middles(len(samples), FEW))
        found, scores = agree(predictor, few, softness_px=softness_px)
        places = middles(len(samples), asked.frames)
        tried = tuple(sorted({*GRID, found}))
        _, counts = calibrate(predictor, (samples[place] for place in places), factors=tried)
        ious = {one: iou(each.at(level), empty="zero") or 0.0 for one, each in counts.items()}
        best = max(GRID, key=lambda one: ious.get(one, 0.0))
        print(f"{name}: {len(places)} of {len(samples)} frames")
        for one, score in ious.items():
            marks = "  <- auto" * (one == found) + "  <- best" * (one == best)
            said = f", score of auto {scores[one]:.3f}" if one in scores else ""
            print(f"  scale {one:.3g}: IoU {score:.3f}{said}{marks}")
        print(f"  ratio {ious[found] / max(ious[best], 1e-9):.2f}", flush=True)


if __name__ == "__main__":
    main()
