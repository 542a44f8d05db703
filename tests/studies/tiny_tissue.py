"""Tissue in consep's layout: round nuclei of four types that stand apart; two patches to a tile."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.io import savemat

from sam_crack.config.schema import BackboneConfig, HeadConfig, ModelConfig
from sam_crack.model.checkpoint import save_checkpoint
from sam_crack.model.description import CheckpointMeta
from sam_crack.model.segmenter import build_segmenter

SIDE = 96
TYPES = ("epithelial", "inflammatory", "spindle", "miscellaneous")


def write_tissue(root: Path, *, train: int = 4, test: int = 4, seed: int = 0) -> Path:
    """Two patches to a tile; the last one for testing holds no nucleus."""
    rng = np.random.default_rng(seed)
    for split, number in (("Train", train), ("Test", test)):
        for place in range(number):
            stem = f"{split.lower()}_{place // 2 + 1}_{place % 2:03d}"
            empty = split == "Test" and place == number - 1
            instances, types = draw_nuclei(rng, count=0 if empty else 7)
            image = rng.integers(190, 220, (SIDE, SIDE, 3), dtype=np.uint8)
            image[instances > 0] -= 100
            home = root / split
            for part in ("Images", "Labels"):
                (home / part).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(home / "Images" / f"{stem}.png"), image)
            kinds = types[instances]
            numbers = np.arange(1, len(types))
            label = {"inst_map": instances, "type_map": kinds, "inst_type": types[numbers]}
            savemat(home / "Labels" / f"{stem}.mat", label)
    return root


def draw_nuclei(rng: np.random.Generator, *, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Discs that do not touch, numbered from 1, and the type of each as published."""
    instances, y, x = np.zeros((SIDE, SIDE), np.int32), *np.mgrid[:SIDE, :SIDE]
    for number in range(1, count + 1):
        radius = int(rng.integers(6, 11))
        cy, cx = rng.integers(radius, SIDE - radius, 2)
        away = np.hypot(y - cy, x - cx)
        disc = away <= radius
        if not (instances[away <= radius + 2] > 0).any():
            instances[disc] = number
    kept = np.unique(instances[instances > 0])
    instances = np.searchsorted(np.append(0, kept), instances).astype(np.int32)
    types = (np.arange(len(kept)) * 2 + rng.integers(7)) % 7 + 1  # 7 are stored, 4 remain merged
    return instances, np.append(0, types)


def write_typed_checkpoint(folder: Path, *, threshold: float = 0.5, seed: int = 0) -> Path:
    """A tiny model of four types that has learnt nothing."""
    torch.manual_seed(seed)
    config = ModelConfig(
        backbone=BackboneConfig(name="tiny", pretrained=False),
        head=HeadConfig(width=8, num_classes=len(TYPES)),
        window=(64, 64),
    )
    meta = CheckpointMeta(classes=TYPES, threshold=threshold, config_hash="c")
    save_checkpoint(build_segmenter(config), folder, meta)
    return folder
