"""PanNuke: three folds of NumPy arrays, mapped and read one picture at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.npy import open_npy
from sam_crack.data.sets import nuclei
from sam_crack.data.sets.layout import list_files
from sam_crack.data.sets.spec import Annotation, ClassSpec, Record
from sam_crack.errors import BadInput

CLASSES = (
    ClassSpec(name="neoplastic", colour=(255, 0, 0)),
    nuclei.INFLAMMATORY,
    ClassSpec(name="connective", colour=(64, 64, 255)),
    ClassSpec(name="dead", colour=(255, 255, 0)),
    ClassSpec(name="epithelial", colour=(255, 159, 68)),
)


def scan(root: Path) -> Iterator[Record]:
    """Find the three folds in either of the two published trees."""
    for fold in (1, 2, 3):
        for images, masks in (
            (f"fold{fold}/images.npy", f"fold{fold}/masks.npy"),
            (
                f"Fold {fold}/images/fold{fold}/images.npy",
                f"Fold {fold}/masks/fold{fold}/masks.npy",
            ),
        ):
            if root / images not in list_files((root / images).parent, (".npy",), root=root):
                continue
            archive = list_files((root / masks).parent, (".npy",), root=root)
            annotated = {"mask": root / masks} if root / masks in archive else {}
            if annotated and fold_length(root / masks) != fold_length(root / images):
                raise BadInput(
                    f"{root / masks}: not as many masks as images",
                    "arrays of equal length",
                    "fetch the fold again",
                )
            for index, tissue in enumerate(_tissues(root, root / images)):
                yield Record(
                    id=f"fold{fold}/{index:05d}" + (f"_{tissue}" if tissue else ""),
                    image=root / images,
                    masks=annotated,
                    index=index,
                    split=f"fold{fold}",
                )


def tissue_of(id: str) -> str:
    """Return the tissue in a picture's id; empty without one, or for ids of other sets."""
    found = re.fullmatch(r"fold\d/\d{5}_(.+)", id)
    return found[1] if found else ""


def _tissues(root: Path, images: Path) -> list[str]:
    """Return each picture's tissue from `types.npy`, or empty names without it."""
    number = fold_length(images)
    types = images.with_name("types.npy")
    if types not in list_files(images.parent, (".npy",), root=root):
        return [""] * number
    names = open_npy(types, kinds="US")
    if names.shape != (number,):
        raise BadInput(
            f"{types}: {list(names.shape)} names", f"{number} names", "fetch the fold again"
        )
    return [re.sub(r"[^A-Za-z0-9-]+", "-", str(name)) for name in names]


def fold_length(path: Path) -> int:
    """Return how many pictures a PanNuke array holds, from its header."""
    pictures = open_npy(path)
    if pictures.ndim != 4:
        raise _not_a_fold(path, pictures.shape)
    return int(pictures.shape[0])


def read_image(record: Record) -> NDArray[np.uint8]:
    """Take one picture out of `images.npy`."""
    pictures = open_npy(record.image)
    if pictures.ndim != 4 or pictures.shape[3] != 3:
        raise _not_a_fold(record.image, pictures.shape)
    picture = np.asarray(pictures[record.index or 0])
    pixels: NDArray[np.uint8] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return pixels


def read_masks(record: Record) -> Annotation:
    """Take one picture's five instance channels out of `masks.npy`; the sixth is background."""
    path = record.masks["mask"]
    masks = open_npy(path)
    if masks.ndim != 4 or masks.shape[3] != 6 or (record.index or 0) >= masks.shape[0]:
        raise _not_a_fold(path, masks.shape)
    channels = np.asarray(masks[record.index or 0])
    instances = np.zeros(channels.shape[:2], np.int32)
    types: dict[int, int] = {}
    for channel in range(5):
        plane = channels[..., channel]
        for number in np.unique(plane[plane > 0]).tolist():
            # Where two channels claim a pixel, the first one keeps it.
            here = (plane == number) & (instances == 0)
            if here.any():
                types[len(types) + 1] = channel + 1
                instances[here] = len(types)
    return nuclei.from_instances(instances, types)


def _not_a_fold(path: Path, shape: tuple[int, ...]) -> BadInput:
    """Compose the error for arrays of another shape."""
    return BadInput(
        f"{path}: shape {list(shape)}",
        "images N x 256 x 256 x 3, masks N x 256 x 256 x 6, of equal N",
        "fetch the fold again",
    )
