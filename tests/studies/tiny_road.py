"""A road of four sections in dnit's layout, and a tiny checkpoint that has learnt nothing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig
from sam_crack.model.checkpoint import save_checkpoint
from sam_crack.model.description import CheckpointMeta
from sam_crack.model.segmenter import build_segmenter

SIZE = (80, 112)
TINY = ModelConfig(
    backbone=BackboneConfig(name="tiny", pretrained=False),
    head=HeadConfig(width=8),
    window=(64, 64),
)


def write_road(root: Path, *, frames: int = 8, split: str = "test", seed: int = 0) -> Path:
    """Grey frames with a dark wave each, two to a road section; the last one has none."""
    rng = np.random.default_rng(seed)
    names = []
    for number in range(frames):
        name = f"{100 + number}_RS_290_290RS{number // 2:04d}_{number:05d}"
        home = root / "Dataset" / name
        home.mkdir(parents=True)
        image = rng.integers(110, 140, (*SIZE, 3), dtype=np.uint8)
        mask = np.zeros(SIZE, np.uint8)
        if number < frames - 1:
            x = np.arange(8, SIZE[1] - 8)
            y = 40 + 15 * np.sin(x / 15 + number) + rng.integers(-8, 8)
            line = np.stack([x, y], 1).round().astype(np.int32)
            cv2.polylines(mask, [line], False, 255, int(rng.integers(2, 5)))
        image[mask > 0] -= 90
        cv2.imwrite(str(home / f"{name}_RAW.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
        cv2.imwrite(str(home / f"{name}_CRACK.png"), mask)
        names.append(name)
    (root / f"{split}.txt").write_text("\n".join(names) + "\n")
    return root


def split_road(root: Path, **counts: int) -> None:
    """List the frames in order: `train=4, val=2` takes the first four, then the next two."""
    names = sorted(path.name for path in (root / "Dataset").iterdir())
    for split, count in counts.items():
        (root / f"{split}.txt").write_text("\n".join(names[:count]) + "\n")
        names = names[count:]


def write_checkpoint(folder: Path, *, threshold: float = 0.5, seed: int = 0) -> Path:
    """A tiny model as it was drawn, with a threshold as if chosen on validation."""
    torch.manual_seed(seed)
    meta = CheckpointMeta(classes=("crack",), threshold=threshold, config_hash="c")
    save_checkpoint(build_segmenter(TINY), folder, meta)
    return folder
