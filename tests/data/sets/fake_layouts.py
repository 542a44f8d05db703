"""Tiny trees in the exact published layouts, each with what must be read from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 40)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What must come out of one frame."""

    split: str = ""
    group: str = ""
    areas: dict[int, int] = field(default_factory=dict)
    instances: int | None = None
    ignored: int | None = None
    region: int | None = None


Tree = dict[str, Frame]
Writer = Callable[[Path], Tree]


def pattern(*kinds: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Class i fills three rows, 5 x i columns wide: areas tell classes apart, and h from w."""
    mask = np.zeros(size, np.uint8)
    for kind in kinds:
        mask[5 * kind - 4 : 5 * kind - 1, 2 : 2 + 5 * kind] = kind
    return mask


def areas(*kinds: int) -> dict[int, int]:
    """Areas of the classes in `pattern`."""
    return {kind: 15 * kind for kind in kinds}


def photo(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> None:
    """Write a picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(noise).save(path)


def picture(path: Path, values: np.ndarray, palette: list[int] | None = None) -> None:
    """Write an array as a picture, with a palette where one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    if palette is not None:
        image.putpalette(palette)
    image.save(path)


def black_white(path: Path, *kinds: int) -> None:
    """Write a mask of 0 and 255."""
    picture(path, (pattern(*kinds) > 0).astype(np.uint8) * 255)


def text(path: Path, content: str) -> None:
    """Write a text file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def write_dnit(root: Path) -> Tree:
    tree = {}
    for index, split in enumerate(("train", "val", "test")):
        name = f"10{index}_RS_290_290RS{index}_0{index}100"
        home = root / "Dataset" / name
        photo(home / f"{name}_RAW.jpg", index)
        for tail, kinds in (("CRACK", (1,)), ("POTHOLE", (2,)), ("LANE", (3,))):
            values = (pattern(*kinds) > 0).astype(np.uint8) * 255
            picture(home / f"{name}_{tail}.png", np.repeat(values[..., None], 3, axis=2))
        text(root / f"{split}.txt", name + "\n")
        tree[name] = Frame(split=split, group=f"RS_290_290RS{index}", areas=areas(1, 2), region=45)
    return tree


def write_paveseg(root: Path) -> Tree:
    greys = np.array([0, 30, 60, 90, 120], np.uint8)
    photo(root / "000003.jpg")
    picture(root / "000003_mask.png", greys[pattern(1, 2, 4)])
    return {"000003": Frame(areas=areas(1, 2, 4))}


def write_nha12d(root: Path) -> Tree:
    colours = np.array([[0, 0, 0], [84, 105, 77], [128, 0, 0]], np.uint8)
    photo(root / "Concrete" / "images" / "CPFD_01.jpg")
    picture(root / "Concrete" / "masks" / "CPFD_01.png", colours[pattern(1, 2)])
    return {"CPFD_01": Frame(areas=areas(1))}


def write_synth(root: Path) -> Tree:
    photo(root / "images" / "f1.png")
    black_white(root / "masks" / "f1.png", 1)
    black_white(root / "lanes" / "f1.png", 3)
    text(root / "train.txt", "f1\n")
    return {"f1": Frame(split="train", areas=areas(1), region=45)}


def write_crack500(root: Path) -> Tree:
    tree = {}
    for split, second in (("train", 11), ("val", 22), ("test", 33)):
        for corner in ("1_361", "641_1"):
            name = f"20160222_0810{second}_{corner}"
            photo(root / f"{split}crop" / f"{name}.jpg")
            black_white(root / f"{split}crop" / f"{name}.png", 1)
            tree[name] = Frame(split=split, group=f"20160222_0810{second}", areas=areas(1))
    return tree


def write_crack500_photos(root: Path) -> Tree:
    """Whole photos, whose masks carry a suffix."""
    photo(root / "valdata" / "20160222_081011.jpg")
    black_white(root / "valdata" / "20160222_081011_mask.png", 1)
    frame = Frame(split="val", group="20160222_081011", areas=areas(1))
    return {"20160222_081011": frame}


def write_deepcrack(root: Path) -> Tree:
    tree = {}
    for split, name in (("train", "11111-1"), ("train", "11111-2"), ("test", "7Q3A9060-1")):
        photo(root / f"{split}_img" / f"{name}.jpg")
        black_white(root / f"{split}_lab" / f"{name}.png", 1)
        tree[name] = Frame(split=split, group=name[:-2], areas=areas(1))
    return tree


def write_cfd(root: Path) -> Tree:
    import scipy.io

    photo(root / "image" / "001.jpg")
    (root / "groundTruth").mkdir()
    segmentation = np.array([1, 2, 3], np.uint16)[pattern(1, 2)]
    truth = {"Segmentation": segmentation, "Boundaries": np.zeros(SIZE, np.uint8)}
    scipy.io.savemat(root / "groundTruth" / "001.mat", {"groundTruth": truth})
    return {"001": Frame(areas={1: 45})}


def write_cracktree200(root: Path) -> Tree:
    photo(root / "cracktree200rgb" / "6192.jpg")
    picture(root / "cracktree200_gt" / "6192.bmp", 255 - 255 * pattern(1))
    return {"6192": Frame(areas=areas(1))}


def write_khanhha(root: Path) -> Tree:
    tree = {}
    for split, name, parent in (
        ("train", "CRACK500_20160222_081011_1281_721", "crack500_20160222_081011"),
        ("test", "Volker_DSC01621_100_1023_1113_1416", "volker_dsc01621"),
        ("test", "CFD_003", "cfd_003"),
    ):
        photo(root / split / "images" / f"{name}.jpg")
        white = np.zeros((64, 64), np.uint8)
        white[8:40, 16:32] = 255
        photo(root / split / "images" / f"{name}.jpg", size=(64, 64))
        picture(root / split / "masks" / f"{name}.jpg", white)
        tree[f"{split}/images/{name}"] = Frame(split=split, group=parent, areas={1: 512})
    return tree


def write_crackseg9k(root: Path) -> Tree:
    tree = {}
    for split, name in (("train", "Rissbilder_Florian_9S6A2805_1189_86_2846_3142"), ("test", "a")):
        photo(root / "Images" / f"{name}.jpg")
        black_white(root / "Masks" / f"{name}.png", 1)
        text(root / f"{split}.txt", f"{name}.jpg\n")
        parent = name.lower().removesuffix("_1189_86_2846_3142")
        tree[name] = Frame(split=split, group=parent, areas=areas(1))
    return tree


def write_omnicrack30k(root: Path) -> Tree:
    tree = {}
    for split in ("training", "validation", "test"):
        name = f"BCL_{split}"
        photo(root / "images" / split / f"{name}.png")
        black_white(root / "annotations" / split / f"{name}.png", 1)
        short = {"training": "train", "validation": "val"}.get(split, split)
        tree[f"images/{split}/{name}"] = Frame(split=short, group=name.lower(), areas=areas(1))
    return tree


def write_pairs(root: Path) -> Tree:
    photo(root / "images" / "a 1.png")
    black_white(root / "masks" / "a 1.png", 1)
    return {"a 1": Frame(areas=areas(1))}


def write_crackseg(root: Path) -> Tree:
    tree = {}
    for split in ("train", "val", "test"):
        photo(root / split / "images" / f"{split}1.jpg")
        black_white(root / split / "masks" / f"{split}1.png", 1)
        tree[f"{split}/images/{split}1"] = Frame(split=split, areas=areas(1))
    return tree


ROADS: dict[str, Writer] = {
    "crackseg": write_crackseg,
    "dnit": write_dnit,
    "paveseg": write_paveseg,
    "nha12d": write_nha12d,
    "synth": write_synth,
    "crack500": write_crack500,
    "deepcrack": write_deepcrack,
    "cfd": write_cfd,
    "cracktree200": write_cracktree200,
    "khanhha": write_khanhha,
    "crackseg9k": write_crackseg9k,
    "omnicrack30k": write_omnicrack30k,
    "road420": write_pairs,
    "facade390": write_pairs,
    "uav": write_pairs,
    "folder": write_pairs,
}
