"""Tiny trees of tissue and X-rays in their published layouts."""

from pathlib import Path

import numpy as np
import scipy.io
from scipy import ndimage

from tests.data.sets.fake_layouts import (
    Frame,
    Tree,
    Writer,
    areas,
    black_white,
    pattern,
    photo,
    text,
)


def aperio(*layers: tuple[str, list[tuple[int, int, int, int]]]) -> str:
    """Write boxes (top, left, bottom, right), whose edges are pixel centres, as outlines."""
    parts = ['<Annotations MicronsPerPixel="0.2520">']
    for number, (label, boxes) in enumerate(layers, 1):
        parts.append(f'<Annotation Id="{number}" Name=""><Attributes>')
        parts.append(f'<Attribute Name="{label}" Id="0" Value=""/></Attributes><Regions>')
        for top, left, bottom, right in boxes:
            around = [(left, top), (right, top), (right, bottom), (left, bottom)]
            points = "".join(f'<Vertex X="{x}.0" Y="{y}.0" Z="0"/>' for x, y in around)
            parts.append(f'<Region Id="1"><Attributes/><Vertices>{points}</Vertices></Region>')
        parts.append("</Regions><Plots/></Annotation>")
    return "".join([*parts, "</Annotations>"])


def nuclei_mat(path: Path, kinds: np.ndarray, *, typed: bool = True) -> None:
    """Write `inst_map` with gaps in its numbers, as real files have them, and the types."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbered, count = ndimage.label(kinds)
    instances = np.where(numbered > 0, numbered * 3, 0).astype(np.float64)
    types = ndimage.maximum(kinds, numbered, range(1, count + 1))
    content = {"inst_map": instances, "inst_centroid": np.zeros((count, 2))}
    if typed:
        content |= {"type_map": kinds.astype(np.float64), "inst_type": np.array(types)[:, None]}
    scipy.io.savemat(path, content)


def write_pannuke(root: Path) -> Tree:
    tree = {}
    for fold in (1, 2, 3):
        home = root / f"fold{fold}"
        home.mkdir()
        masks = np.zeros((2, 256, 256, 6))
        masks[1, 10:14, 20:30, 0] = 7
        masks[1, 40:50, 20:22, 0] = 9
        masks[1, 60:62, 80:90, 4] = 11
        masks[..., 5] = masks[..., :5].sum(axis=-1) == 0
        np.save(home / "images.npy", np.full((2, 256, 256, 3), 40.0 * fold))
        np.save(home / "masks.npy", masks)
        np.save(home / "types.npy", np.array(["Breast", "Bile-duct"]))
        tree[f"fold{fold}/00000_Breast"] = Frame(split=f"fold{fold}", instances=0)
        tree[f"fold{fold}/00001_Bile-duct"] = Frame(
            split=f"fold{fold}", areas={1: 60, 5: 20}, instances=3
        )
    return tree


def write_kumar(root: Path) -> Tree:
    """MoNuSeg's folders."""
    tree = {}
    for split, folder, name in (
        ("train", "MoNuSegTrainingData", "TCGA-A7-A13E-01Z-00-DX1"),
        ("test", "MoNuSegTestData", "TCGA-AO-A0J2-01A-01-BSA"),
    ):
        photo(root / folder / "Tissue Images" / f"{name}.tif")
        content = aperio(("Description", [(2, 3, 6, 8), (10, 20, 20, 22)]))
        text(root / folder / "Annotations" / f"{name}.xml", content)
        tree[name] = Frame(split=split, group=name[:12], areas={1: 40}, instances=2)
    return tree


def write_pannuke_published(root: Path) -> Tree:
    """The folders as the archives unpack, with eight-bit pictures and without tissue names."""
    home = root / "Fold 2"
    for kind in ("images", "masks"):
        (home / kind / "fold2").mkdir(parents=True)
    masks = np.zeros((1, 256, 256, 6))
    masks[0, 5:9, 5:9, 2] = 300
    np.save(home / "images" / "fold2" / "images.npy", np.zeros((1, 256, 256, 3), np.uint8))
    np.save(home / "masks" / "fold2" / "masks.npy", masks)
    return {"fold2/00000": Frame(split="fold2", areas={3: 16}, instances=1)}


def write_kumar_mats(root: Path) -> Tree:
    """HoVer-Net's folders, in which the test images are split by organ."""
    tree = {}
    for split, folder, patient in (
        ("train", "train", "TCGA-18-5592"),
        ("test", "test_same", "TCGA-21-5784"),
        ("test", "test_diff", "TCGA-DK-A2I6"),
    ):
        name = f"{patient}-01A-01-TS1"
        photo(root / folder / "Images" / f"{name}.tif")
        nuclei_mat(root / folder / "Labels" / f"{name}.mat", pattern(1, 3), typed=False)
        tree[name] = Frame(split=split, group=patient, areas={1: 60}, instances=2)
    return tree


def write_monusac_patients(root: Path) -> Tree:
    """Patients in the root, with the scanner's own file only."""
    home = root / "TCGA-5P-A9K0-01Z-00-DX1"
    photo(home / "TCGA-5P-A9K0-01Z-00-DX1_1.tif")
    (home / "TCGA-5P-A9K0-01Z-00-DX1_1.tif").rename(home / "TCGA-5P-A9K0-01Z-00-DX1_1.svs")
    text(home / "TCGA-5P-A9K0-01Z-00-DX1_1.xml", aperio(("Lymphocyte", [(2, 3, 6, 8)])))
    frame = Frame(group="TCGA-5P-A9K0-01Z-00-DX1", areas={2: 20}, instances=1)
    return {"TCGA-5P-A9K0-01Z-00-DX1_1": frame}


def write_kumar_unsplit(root: Path) -> Tree:
    """The paper's thirty images in one folder, which its protocol splits."""
    tree = {}
    for split, name in (
        ("train", "TCGA-G9-6336-01Z-00-DX1"),
        ("test", "TCGA-B0-5698-01Z-00-DX1"),
    ):
        photo(root / "Tissue Images" / f"{name}.tif")
        text(root / "Annotations" / f"{name}.xml", aperio(("", [(2, 3, 6, 8)])))
        tree[name] = Frame(split=split, group=name[:12], areas={1: 20}, instances=1)
    return tree


def write_consep(root: Path) -> Tree:
    """Seven stored types, of which 3 and 4 are one class, and 5 to 7."""
    tree = {}
    for split in ("train", "test"):
        home = root / split.title()
        kinds = np.array([0, 2, 4, 7, 1], np.uint8)[pattern(1, 2, 3, 4)]
        photo(home / "Images" / f"{split}_1.png")
        nuclei_mat(home / "Labels" / f"{split}_1.mat", kinds)
        tree[f"{split}_1"] = Frame(
            split=split,
            group=f"{split}_1",
            areas={2: 15, 1: 30, 3: 45, 4: 60},
            instances=4,
        )
    return tree


def write_cpm17(root: Path) -> Tree:
    tree = {}
    for split in ("train", "test"):
        name = f"image_0{1 if split == 'train' else 2}"
        photo(root / split / "Images" / f"{name}.png")
        nuclei_mat(root / split / "Labels" / f"{name}.mat", pattern(1, 2), typed=False)
        tree[name] = Frame(split=split, group=name, areas={1: 45}, instances=2)
    return tree


def write_monusac(root: Path) -> Tree:
    tree = {}
    for split, folder in (
        ("train", "MoNuSAC_images_and_annotations"),
        ("test", "MoNuSAC Testing Data and Annotations"),
    ):
        patient = f"TCGA-55-159{4 if split == 'train' else 5}-01Z-00-DX1"
        home = root / folder / patient
        name = f"{patient}_003"
        photo(home / f"{name}.tif")
        (home / f"{name}.svs").write_bytes((home / f"{name}.tif").read_bytes())
        layers = (
            ("Epithelial", [(2, 3, 6, 8)]),
            ("Neutrophil", [(10, 20, 20, 22)]),
            ("Ambiguous", [(0, 30, 2, 35)]),
        )
        text(home / f"{name}.xml", aperio(*layers))
        tree[name] = Frame(
            split=split, group=patient, areas={1: 20, 4: 20}, instances=2, ignored=10
        )
    return tree


def write_hovernet(root: Path) -> Tree:
    photo(root / "imgs" / "patch1.png")
    nuclei_mat(root / "masks" / "patch1.mat", pattern(1, 4))
    return {"patch1": Frame(areas=areas(1, 4), instances=2)}


def write_crass12(root: Path) -> Tree:
    tree = {}
    for split, name in (("train", "0001"), ("val", "0002")):
        photo(root / "image" / f"{name}.PNG")
        black_white(root / "mask" / f"{name}.PNG", 2)
        text(root / f"{split}.txt", f"{name}.PNG\n")
        tree[name] = Frame(split=split, areas={1: 30})
    return tree


MEDICAL: dict[str, Writer] = {
    "pannuke": write_pannuke,
    "kumar": write_kumar,
    "consep": write_consep,
    "cpm17": write_cpm17,
    "monusac": write_monusac,
    "hovernet": write_hovernet,
    "crass12": write_crass12,
}
