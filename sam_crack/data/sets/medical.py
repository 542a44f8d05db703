"""Medical sets: nuclei in tissue, clavicles in chest X-rays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from sam_crack.data.formats.mat import read_mat
from sam_crack.data.sets import kumar, nuclei, pannuke
from sam_crack.data.sets.layout import by_stem, list_files, list_folders, pairs
from sam_crack.data.sets.spec import BINARY, ClassSpec, DatasetSpec, Record

_HOVERNET = "https://warwick.ac.uk/fac/cross_fac/tia/data/hovernet/"


def _scan_labelled(root: Path) -> Iterator[Record]:
    """Find `{Train,Test}/{Images,Labels}` in any case."""
    for home in list_folders(root, root=root):
        inner = {each.name.lower(): each for each in list_folders(home, root=root)}
        split = kumar.folder_split(home.name)
        if split and {"images", "labels"} <= inner.keys():
            masks = by_stem(list_files(inner["labels"], (".mat",), root=root))
            images = list_files(inner["images"], nuclei.TISSUE_SUFFIXES, root=root)
            yield from pairs(images, masks, group=_parent_tile, split=split)


def _parent_tile(stem: str) -> str:
    """Return `train_9` of the patch `train_9_001`."""
    found = re.match(r"((?:train|test|image)_\d+)", stem)
    return found[1] if found else stem


# As published: 1 other, 2 inflammatory, 3 and 4 epithelial, 5 to 7 spindle-shaped.
_CONSEP_SEVEN = {1: 4, 2: 2, 3: 1, 4: 1, 5: 3, 6: 3, 7: 3}
# As the usual protocol merges them and some copies store them.
_CONSEP_FOUR = {1: 4, 2: 2, 3: 1, 4: 3}


def _adapt_consep(root: Path, classes: tuple[str, ...]) -> DatasetSpec:
    """Find out whether types are stored as published or merged: only the former exceed 4."""
    spec = next(each for each in MEDICAL if each.name == "consep")
    highest = 0
    for record in _scan_labelled(root):
        if highest <= 4 and "mask" in record.masks:
            kinds = read_mat(record.masks["mask"]).get("type_map")
            highest = max(highest, int(kinds.max(initial=0)) if kinds is not None else 0)
    if highest > 4:
        said = "Types 1 to 7 are stored: 3 and 4 read as epithelial, 5 to 7 as spindle-shaped."
        return replace(spec, notes=(*spec.notes, said))
    said = "Only types 1 to 4 are stored, so they are taken as merged: 3 epithelial, 4 spindle."
    merged = partial(nuclei.read_instance_mat, merged=_CONSEP_FOUR)
    return replace(spec, read=merged, notes=(*spec.notes, said))


def _scan_hovernet(root: Path) -> Iterator[Record]:
    """Find pictures and the .mat labels that HoVer-Net's tools write."""
    for images, masks in (("imgs", "masks"), ("images", "labels"), ("Images", "Labels")):
        mats = by_stem(list_files(root / masks, (".mat",), root=root))
        if mats:
            yield from pairs(list_files(root / images, nuclei.TISSUE_SUFFIXES, root=root), mats)
            return


def _scan_monusac(root: Path) -> Iterator[Record]:
    """Find `<patient>/<image>.{tif,svs,xml}`, in the root or in folders for train and test."""
    for home in list_folders(root, root=root):
        inner = list_folders(home, root=root)
        # The training folder is called MoNuSAC_images_and_annotations.
        split = (kumar.folder_split(home.name) or "train") if inner else ""
        for patient in inner or [home]:
            pictures = by_stem(list_files(patient, (".svs",), root=root))
            pictures |= by_stem(list_files(patient, (".tif", ".tiff", ".png"), root=root))
            masks = by_stem(list_files(patient, (".xml",), root=root))
            for stem, image in sorted(pictures.items()):
                yield Record(
                    id=stem,
                    image=image,
                    masks={"mask": masks[stem]} if stem in masks else {},
                    split=split,
                    group=patient.name,
                )


def _scan_crass12(root: Path) -> Iterator[Record]:
    """Find X-rays and the masks of the same name."""
    home = root if (root / "image").is_dir() else root / "CRASS12"
    masks = by_stem(list_files(home / "mask", root=root))
    yield from pairs(list_files(home / "image", root=root), masks)


_SPINDLE = ClassSpec(name="spindle", colour=(64, 64, 255))
_MISC = ClassSpec(name="miscellaneous", colour=(255, 255, 0))
_MONUSAC = (
    nuclei.EPITHELIAL,
    ClassSpec(name="lymphocyte", colour=(255, 255, 0)),
    ClassSpec(name="macrophage", colour=(64, 64, 255)),
    ClassSpec(name="neutrophil", colour=(64, 255, 64)),
)

MEDICAL = (
    DatasetSpec(
        name="pannuke",
        title="nuclei of 19 tissues in five types, 256x256",
        url="https://warwick.ac.uk/fac/cross_fac/tia/data/pannuke",
        licence="CC BY-NC-SA 4.0",
        citation="Gamper et al., European Congress on Digital Pathology 2019; arXiv 2003.10778",
        classes=pannuke.CLASSES,
        splits={"fold1": 2656, "fold2": 2523, "fold3": 2722},
        has_objects=True,
        layout="fold{1,2,3}/{images,masks,types}.npy, or `Fold 1/images/fold1/images.npy`, ...",
        scan=pannuke.scan,
        read=pannuke.read_masks,
        read_image=pannuke.read_image,
        notes=("Folds are named as splits: train on one, validate on one, test on one.",),
    ),
    DatasetSpec(
        name="kumar",
        title="nuclei outlines in seven organs, 1000x1000 at 40x",
        url="https://monuseg.grand-challenge.org/Data/",
        licence="CC BY-NC-SA 4.0",
        citation="Kumar et al., IEEE Transactions on Medical Imaging 2017",
        classes=(nuclei.NUCLEUS,),
        splits={"train": 16, "test": 14},
        has_objects=True,
        layout="`Tissue Images`/*.tif and Annotations/*.xml, in the root or under "
        "MoNuSegTrainingData and MoNuSegTestData; or {train,test_same,test_diff}/{Images,Labels}",
        scan=kumar.scan,
        read=kumar.read,
        grouped_by="patient",
        notes=(
            "21,623 nuclei in the 30 images of the paper.",
            "Under MoNuSeg's folders the split is MoNuSeg's; unsplit, it is the paper's 16 / 14.",
        ),
    ),
    DatasetSpec(
        name="consep",
        title="colorectal nuclei in four merged types, 1000x1000 at 40x",
        url=_HOVERNET,
        licence="research only",
        citation="Graham et al., Medical Image Analysis 2019",
        classes=(nuclei.EPITHELIAL, nuclei.INFLAMMATORY, _SPINDLE, _MISC),
        splits={"train": 27, "test": 14},
        has_objects=True,
        layout="{Train,Test}/{Images/*.png,Labels/*.mat}",
        scan=_scan_labelled,
        read=partial(nuclei.read_instance_mat, merged=_CONSEP_SEVEN),
        grouped_by="parent tile",
        adapt=_adapt_consep,
        notes=("24,319 nuclei.",),
    ),
    DatasetSpec(
        name="cpm17",
        title="nuclei of four tumours, 500x500 to 600x600 at 20x and 40x",
        url=_HOVERNET,
        licence="research only",
        citation="Vu et al., Frontiers in Bioengineering and Biotechnology 2019",
        classes=(nuclei.NUCLEUS,),
        splits={"train": 32, "test": 32},
        has_objects=True,
        layout="{train,test}/{Images/*.png,Labels/*.mat}",
        scan=_scan_labelled,
        read=nuclei.read_untyped_mat,
        grouped_by="image",
        notes=("7,570 nuclei in 32 of the 64 images; texts that say 32 count one split.",),
    ),
    DatasetSpec(
        name="monusac",
        title="nuclei of four organs in four types, at 40x",
        url="https://monusac-2020.grand-challenge.org/Data/",
        licence="CC BY-NC-SA 4.0",
        citation="Verma et al., IEEE Transactions on Medical Imaging 2021",
        classes=_MONUSAC,
        splits={"train": 209, "test": 85},
        has_objects=True,
        layout="<patient>/<image>.{tif,svs} and .xml, in the root, under "
        "MoNuSAC_images_and_annotations (train), or under a folder whose name holds `test`",
        scan=_scan_monusac,
        read=partial(
            nuclei.read_outlines, classes={each.name: i for i, each in enumerate(_MONUSAC, 1)}
        ),
        grouped_by="patient",
        notes=("Regions that annotators called ambiguous are ignored.",),
    ),
    DatasetSpec(
        name="hovernet",
        title="labels as HoVer-Net's tools write them, PanNuke types",
        url="https://github.com/vqdang/hover_net",
        licence="MIT",
        citation="Graham et al., Medical Image Analysis 2019",
        classes=pannuke.CLASSES,
        splits={},
        has_objects=True,
        layout="imgs/*.png and masks/*.mat with inst_map and type_map",
        scan=_scan_hovernet,
        read=partial(nuclei.read_instance_mat, merged=nuclei.PANNUKE_TYPES),
        notes=("Nuclei of type 0 have no class and are ignored.",),
    ),
    DatasetSpec(
        name="crass12",
        title="clavicles in chest X-rays, 1560x1520 to 1768x1812",
        url="https://crass.grand-challenge.org/Download/",
        licence="research only",
        citation="Hogeweg et al., Medical Image Analysis 2012",
        classes=(ClassSpec(name="clavicle", colour=(255, 200, 64)),),
        splits={"all": 284},
        layout="image/*.PNG, mask/*.PNG, train.txt, val.txt",
        scan=_scan_crass12,
        read=BINARY,
        grouped_by="",
        notes=("Clavicles cover 9,768 to 48,715 pixels.",),
    ),
)
