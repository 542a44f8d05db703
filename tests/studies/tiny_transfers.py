"""The sets that shipped transfers learn from: a few pictures each, in their published layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from tests.studies.tiny_tissue import draw_nuclei, write_tissue

SIDE = 96
Pixels = np.ndarray


def write_pannuke(root: Path) -> Path:
    """A large fold and two small ones; a channel for each type, one for what is no nucleus."""
    rng = np.random.default_rng(0)
    for fold, count in ((1, 44), (2, 3), (3, 3)):
        home = root / f"fold{fold}"
        home.mkdir(parents=True)
        pairs = [_tissue(rng) for _ in range(count)]
        masks = np.zeros((count, SIDE, SIDE, 6))
        for place, (_, instances, types) in enumerate(pairs):
            for kind in range(5):
                masks[place, ..., kind] = np.where(types[instances] % 6 == kind + 1, instances, 0)
        masks[..., 5] = masks[..., :5].sum(axis=-1) == 0
        np.save(home / "images.npy", np.stack([image for image, *_ in pairs]).astype(np.float64))
        np.save(home / "masks.npy", masks)
        np.save(home / "types.npy", np.array(["Breast", "Colon"] * count)[:count])
    return root


def write_cpm17(root: Path) -> Path:
    """Seven pictures to learn from and two to test, nuclei without types."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 7), ("test", 2)):
        for number in range(count):
            image, instances, _ = _tissue(rng)
            name = f"image_{number + 10 * (split == 'test'):02d}"
            _picture(root / split / "Images" / f"{name}.png", image)
            (root / split / "Labels").mkdir(exist_ok=True)
            savemat(root / split / "Labels" / f"{name}.mat", {"inst_map": instances})
    return root


def write_kumar(root: Path) -> Path:
    """MoNuSeg's folders, a patient a picture."""
    rng = np.random.default_rng(0)
    for folder, count in (("MoNuSegTrainingData", 3), ("MoNuSegTestData", 2)):
        for number in range(count):
            name = f"TCGA-{folder[7:9]}-A{number}00-01Z-00-DX1"
            image, outlines = _squares(rng, ("",))
            _picture(root / folder / "Tissue Images" / f"{name}.tif", image)
            (root / folder / "Annotations").mkdir(exist_ok=True)
            (root / folder / "Annotations" / f"{name}.xml").write_text(outlines)
    return root


def write_monusac(root: Path) -> Path:
    """A folder for each patient, outlines of four types."""
    rng = np.random.default_rng(0)
    kinds = ("Epithelial", "Lymphocyte", "Macrophage", "Neutrophil")
    for folder, count in (("MoNuSAC_images_and_annotations", 24), ("MoNuSAC Testing Data", 2)):
        for number in range(count):
            home = root / folder / f"TCGA-{folder[8:10].strip()}-{number:04d}-01Z-00-DX1"
            image, outlines = _squares(rng, kinds)
            _picture(home / f"{home.name}_001.tif", image)
            (home / f"{home.name}_001.xml").write_text(outlines)
    return root


def write_crass12(root: Path) -> Path:
    """X-rays with two bright bars."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 7), ("val", 2)):
        names = [f"{number + 100 * (split == 'val'):04d}.PNG" for number in range(count)]
        for name in names:
            image, mask = rng.integers(60, 90, (SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), bool)
            mask[20 + rng.integers(9) :][:8, 10:40] = mask[20 + rng.integers(9) :][:8, 56:86] = True
            image[mask] += 90
            _picture(root / "image" / name, image)
            _picture(root / "mask" / name, mask.astype(np.uint8) * 255)
        (root / f"{split}.txt").write_text("\n".join(names) + "\n")
    return root


def write_cityscapes(root: Path) -> Path:
    """Bands of road, sidewalk, building and sky behind a car; three frames to a city."""
    rng = np.random.default_rng(0)
    cities = [("train", f"city{chr(97 + place)}") for place in range(36)] + [("val", "munster")]
    for split, city in cities:
        for number in range(3):
            stem = f"{city}_{number:06d}_000019"
            ids = np.repeat(rng.permutation(np.array([7, 8, 11, 23], np.uint8)), 8)[:, None]
            ids = np.tile(ids, (1, 64))
            ids[6:26, 20:44] = 26
            image = rng.integers(0, 40, (*ids.shape, 3), np.uint8) + ids[..., None] * 8
            _picture(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png", image)
            home = root / "gtFine" / split / city
            _picture(home / f"{stem}_gtFine_labelIds.png", ids)
            codes = ids.astype(np.uint16)
            codes[ids == 26] = 26000
            _picture(home / f"{stem}_gtFine_instanceIds.png", codes)
    return root


def write_voc(root: Path) -> Path:
    """Photos of one thing each, void along its border."""
    rng = np.random.default_rng(0)
    home = root / "VOCdevkit" / "VOC2012"
    palette = [part for level in range(256) for part in (level, 0, 255 - level)]
    (home / "ImageSets" / "Segmentation").mkdir(parents=True)
    for split, count in (("train", 104), ("val", 2)):
        names = [f"{2007 + (split == 'val')}_{number:06d}" for number in range(count)]
        for number, name in enumerate(names):
            things = np.zeros((48, 64), np.uint8)
            things[8:40, 8:48] = 255
            things[10:38, 10:46] = number % 20 + 1
            image = rng.integers(0, 60, (*things.shape, 3), np.uint8)
            image[things > 0] += 100
            _picture(home / "JPEGImages" / f"{name}.jpg", image)
            _picture(home / "SegmentationClass" / f"{name}.png", things, palette)
            objects = np.where((things > 0) & (things < 255), 1, things).astype(np.uint8)
            _picture(home / "SegmentationObject" / f"{name}.png", objects, palette)
        listed = home / "ImageSets" / "Segmentation" / f"{split}.txt"
        listed.write_text("\n".join(names) + "\n")
    return root


def write_consep(root: Path) -> Path:
    """Twelve patches of six tiles to learn from."""
    return write_tissue(root, train=12)


WRITERS: dict[str, Callable[[Path], Path]] = {
    "cityscapes": write_cityscapes,
    "consep": write_consep,
    "cpm17": write_cpm17,
    "crass12": write_crass12,
    "kumar": write_kumar,
    "monusac": write_monusac,
    "pannuke": write_pannuke,
    "voc": write_voc,
}


def _tissue(rng: np.random.Generator) -> tuple[Pixels, Pixels, Pixels]:
    """Return a bright picture with dark discs, their numbers, and the type of each number."""
    instances, types = draw_nuclei(rng, count=7)
    image = rng.integers(190, 220, (SIDE, SIDE, 3), np.uint8)
    image[instances > 0] -= 100
    return image, instances, types


def _squares(rng: np.random.Generator, kinds: tuple[str, ...]) -> tuple[Pixels, str]:
    """Return a picture with dark squares, and their outlines in a layer for each type."""
    image = rng.integers(190, 220, (SIDE, SIDE, 3), np.uint8)
    layers = []
    for place, kind in enumerate(kinds):
        regions = ""
        for column in range(3):
            top, left = 4 + 22 * place, 6 + 30 * column + int(rng.integers(6))
            image[top : top + 14, left : left + 14] -= 100
            corners = ((left, top), (left + 14, top), (left + 14, top + 14), (left, top + 14))
            around = "".join(f'<Vertex X="{x}.0" Y="{y}.0"/>' for x, y in corners)
            regions += f"<Region><Vertices>{around}</Vertices></Region>"
        name = f'<Attributes><Attribute Name="{kind}" Value=""/></Attributes>'
        layers.append(f'<Annotation Id="{place}">{name}<Regions>{regions}</Regions></Annotation>')
    return image, f"<Annotations>{''.join(layers)}</Annotations>"


def _picture(path: Path, pixels: Pixels, palette: list[int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette is not None:
        image.putpalette(palette)
    image.save(path)
