"""Kumar's nuclei in the three trees in which they are handed on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sam_crack.data.sets import nuclei
from sam_crack.data.sets.layout import by_stem, list_files, list_folders, pairs
from sam_crack.data.sets.spec import Annotation, Record

# The 16 training images of Kumar et al. (2017); the other 14 of the 30 are for testing.
_KUMAR_TRAIN = {
    *("A7-A13E", "A7-A13F", "AR-A1AK", "AR-A1AS", "B0-5711", "HE-7128", "HE-7129", "HE-7130"),
    *("18-5592", "38-6178", "49-4488", "50-5931", "G9-6336", "G9-6348", "G9-6356", "G9-6363"),
}


def scan(root: Path) -> Iterator[Record]:
    """Find MoNuSeg's two folders, HoVer-Net's three, or the thirty images unsplit."""
    found = False
    for home in (root, *list_folders(root, root=root)):
        for deeper in (home, *list_folders(home, root=root)) if home != root else (home,):
            images = list_files(deeper / "Tissue Images", nuclei.TISSUE_SUFFIXES, root=root)
            images = images or list_files(deeper / "Images", nuclei.TISSUE_SUFFIXES, root=root)
            masks = by_stem(list_files(deeper / "Annotations", (".xml",), root=root))
            masks = masks or by_stem(list_files(deeper / "Labels", (".mat",), root=root))
            split = folder_split(deeper.name) if deeper != root else ""
            for record in pairs(images, masks, group=tcga_patient, split=split):
                found = True
                yield record if split else _kumar_protocol(record)
        if found and home == root:
            return


def folder_split(name: str) -> str:
    """Return the split in a folder's name: MoNuSegTrainingData, test_same, Test, ..."""
    lower = name.lower()
    return "train" if "train" in lower else "test" if "test" in lower else ""


def _kumar_protocol(record: Record) -> Record:
    """Split the thirty images as their paper does: 16 for training, 14 for testing."""
    train = record.id.removeprefix("TCGA-")[:7] in _KUMAR_TRAIN
    return replace(record, split="train" if train else "test")


def tcga_patient(stem: str) -> str:
    """Return the patient of a TCGA barcode: project, site and participant."""
    found = re.match(r"TCGA-\w{2}-\w{4}", stem)
    return found[0] if found else ""


def read(record: Record) -> Annotation:
    """Read Aperio outlines, or an instance map."""
    if record.masks["mask"].suffix.lower() == ".mat":
        return nuclei.read_untyped_mat(record)
    return nuclei.read_outlines(record, classes={})
