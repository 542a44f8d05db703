"""A folder of photos and masks, as anyone has them, for the verbs that look at data sets."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIZE = (96, 128)


def scene(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture with structure at several scales, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((*size, 3), np.float32)
    for cells in (4, 8, 16, 48):
        noise = rng.normal(0, 30, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + 120, 0, 255).astype(np.uint8)


def crack(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A mask with one crooked line, 2 px wide, of 0 and 255."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, size[1] - 1, 8)
    points = np.stack([x, rng.uniform(size[0] * 0.5, size[0] - 4, 8)], axis=1).astype(np.int32)
    return cv2.polylines(np.zeros(size, np.uint8), [points], False, 255, 2)


def write_set(root: Path, number: int = 8, *, suffix: str = ".png", first: int = 0) -> Path:
    """Write images/ and masks/ of that many frames, the first half for training."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = [f"f{first + index:03d}" for index in range(number)]
    for index, name in enumerate(names):
        mask = crack(first + index)
        photo = scene(first + index)
        photo[mask > 0] //= 3
        Image.fromarray(photo).save(root / "images" / f"{name}{suffix}")
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    write_lists(root, train=names[: number // 2], val=names[number // 2 :])
    return root


def write_lists(root: Path, **splits: list[str]) -> None:
    """Write train.txt and its like."""
    for split, names in splits.items():
        (root / f"{split}.txt").write_text("\n".join(names) + "\n")
