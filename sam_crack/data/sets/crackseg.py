"""CrackSeg, which is not published in full: black-and-white masks, or either CVAT export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from sam_crack.data.formats.cvat import (
    draw,
    foreground,
    labelmap_colours,
    matching_name,
    read_document,
    read_labelmap,
)
from sam_crack.data.formats.encoding import BLACK_WHITE, decode
from sam_crack.data.formats.images import read_raw_mask
from sam_crack.data.sets.layout import (
    SPLITS,
    by_stem,
    contained,
    list_files,
    list_folders,
    read_list,
)
from sam_crack.data.sets.pairing import scan_pairs
from sam_crack.data.sets.spec import Annotation, Record, encoded
from sam_crack.errors import BadInput

_IMAGE_FOLDERS = ("JPEGImages", "images", "")


def scan(root: Path) -> Iterator[Record]:
    """Find frames under CVAT XML, under CVAT masks, or paired with masks by name."""
    homes = [(root, ""), *((root / split, split) for split in SPLITS)]
    exported = [
        (home, split)
        for home, split in homes
        if (home / "annotations.xml").is_file() or (home / "SegmentationClass").is_dir()
    ]
    for home, split in exported:
        if (home / "SegmentationClass").is_dir():
            yield from _scan_coloured(root, home, split)
        else:
            yield from _scan_xml(root, home, split)
    if not exported:
        yield from scan_pairs(root)


def _pictures(root: Path, home: Path) -> list[Path]:
    """List the pictures that belong to an export: in it, one folder deeper, or beside it."""
    for name in _IMAGE_FOLDERS:
        folder = home / name
        found = list_files(folder, root=root)
        if name:
            for deeper in list_folders(folder, root=root):
                found += list_files(deeper, root=root)
        if found:
            return found
    return list_files(root / "images" / home.name, root=root)


def _scan_xml(root: Path, home: Path, split: str) -> Iterator[Record]:
    """Find the pictures that a CVAT XML names."""
    document = home / "annotations.xml"
    images = read_document(document)
    for path in _pictures(root, home):
        entry = matching_name(images, path)
        subset = split or (entry.subset.lower() if entry else "")
        yield Record(
            id=path.stem,
            image=path,
            masks={"cvat": document} if entry else {},
            split=subset if subset in SPLITS else _split_by_folder(path),
        )


def _split_by_folder(path: Path) -> str:
    """Return the split that a picture's folder is named after."""
    return path.parent.name if path.parent.name in SPLITS else ""


def _scan_coloured(root: Path, home: Path, split: str) -> Iterator[Record]:
    """Find the pictures of a CVAT Segmentation mask 1.1 export; its lists give the splits."""
    masks = dict(_masks(root, home / "SegmentationClass"))
    split_of = {
        entry.rsplit("/", 1)[-1]: path.stem
        for path in list_files(home / "ImageSets" / "Segmentation", (".txt",), root=root)
        for entry in read_list(path)
        if path.stem in SPLITS
    }
    labels = home / "labelmap.txt"
    if not labels.is_file():
        labels = root / "labelmap.txt"
    for path in _pictures(root, home):
        mask = masks.get(path.stem)
        yield Record(
            id=path.stem,
            image=path,
            masks={"mask": mask, "labelmap": contained(labels, root)} if mask else {},
            split=split or split_of.get(path.stem) or _split_by_folder(path),
        )


def _masks(root: Path, folder: Path) -> Iterable[tuple[str, Path]]:
    """Index masks in a folder and one level below, where CVAT keeps a project's folders."""
    for each in (folder, *list_folders(folder, root=root)):
        yield from by_stem(list_files(each, root=root)).items()


def read(record: Record) -> Annotation:
    """Read one frame's cracks from whichever kind of file it has."""
    if "cvat" in record.masks:
        document = record.masks["cvat"]
        entry = matching_name(read_document(document), record.image)
        if entry is None:
            raise BadInput(
                f"{document}: no longer names {record.image.name}", "its pictures", "export again"
            )
        labels = {shape.label for shape in entry.shapes}
        return Annotation(mask=draw(entry, dict.fromkeys(_cracks(labels, document), 1)))
    if "labelmap" not in record.masks:
        return encoded(record, encoding=BLACK_WHITE)
    path, labelmap = record.masks["mask"], record.masks["labelmap"]
    table = read_labelmap(labelmap)
    classes = dict.fromkeys(_cracks(set(table), labelmap), 1)
    raw = read_raw_mask(path, as_colours=True)
    return Annotation(mask=decode(raw, labelmap_colours(table, classes), path).mask)


def _cracks(labels: set[str], source: Path) -> list[str]:
    """Return the labels that mean crack: those that say so, or the only one there is."""
    named = [label for label in labels if "crack" in label.lower()]
    others = foreground(labels)
    if not named and len(others) > 1:
        raise BadInput(
            f"{source}: labels {', '.join(sorted(others))}",
            "a label with crack in its name",
            "rename the label, or open it as `folder` with --classes crack=#rrggbb",
        )
    return named or others
