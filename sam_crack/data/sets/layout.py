"""Finding files: listings that stay inside their root, pairs by name, split lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sam_crack.data.formats.images import IMAGE_SUFFIXES
from sam_crack.data.sets.spec import Record
from sam_crack.errors import BadInput

SPLITS = ("train", "val", "test")
SPLIT_STAMP = "split.json"
_MAX_LIST_BYTES = 64_000_000


def list_files(
    folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES, *, root: Path | None = None
) -> list[Path]:
    """List a folder's files by suffix in any case, sorted by name; an absent folder is empty.

    A link is followed only when it stays inside `root` (the folder itself when not given):
    a data set that was downloaded must not be able to name files elsewhere.
    """
    if not folder.is_dir():
        return []
    home = (root or folder).resolve()
    _refuse_escape(folder, home)
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122 - in a hot loop
                if entry.is_symlink():
                    _refuse_escape(folder / entry.name, home)
                if entry.is_file():
                    found.append(entry.name)
    return [folder / name for name in sorted(found)]


def list_folders(folder: Path, *, root: Path | None = None) -> list[Path]:
    """List the folders inside a folder, sorted by name, under the same rule about links."""
    if not folder.is_dir():
        return []
    home = (root or folder).resolve()
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            if path.is_symlink():
                _refuse_escape(path, home)
            found.append(path)
    return found


def _refuse_escape(path: Path, home: Path) -> None:
    """Raise where a link leads out of the data set."""
    target = path.resolve()
    if not target.is_relative_to(home):
        raise BadInput(
            f"{path}: a link to {target}, outside {home}",
            "links that stay inside the data set's root",
            "copy the files there, or give as root the folder that holds both",
        )


def contained(path: Path, root: Path) -> Path:
    """Return a path, after making sure that no link in it leads out of the data set."""
    _refuse_escape(path, root.resolve())
    return path


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Index files by name without suffix."""
    return {path.stem: path for path in paths}


def pairs(
    images: Iterable[Path],
    masks: Mapping[str, Path],
    mask_stem: Callable[[str], str] = lambda stem: stem,
    *,
    group: Callable[[str], str] = lambda stem: "",
    split: str = "",
    prefix: str = "",
) -> Iterator[Record]:
    """Yield one record per image, with the mask whose stem the image's stem leads to."""
    for image in images:
        mask = masks.get(mask_stem(image.stem))
        yield Record(
            id=prefix + image.stem,
            image=image,
            masks={"mask": mask} if mask else {},
            split=split,
            group=group(image.stem),
        )


def read_list(path: Path) -> list[str]:
    """Read a split list: one frame per line, the first word where a line holds several."""
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise BadInput(f"{path}: larger than 64 MB", "a list of frame names", "check the file")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path}: cannot be read as text ({error})",
            "UTF-8, one frame per line",
            "write the list again",
        ) from error
    return [line.strip() for line in lines if line.strip()]


def assign_splits(records: Iterable[Record], folder: Path) -> Iterator[Record]:
    """Give records without a split the one whose `<split>.txt` in the folder names them.

    A line may be an id, a file name, or a path that ends in one. Lists with a `split.json` beside
    them were made by `sam-crack data split`, for this set: they win over a published split.
    """
    ours = (folder / SPLIT_STAMP).is_file()
    by_name: dict[str, str] = {}
    by_tail: dict[str, set[str]] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        for line in read_list(path) if path.is_file() else ():
            name, tail = _names_of_line(line)
            former = by_name.setdefault(name, split)
            if former != split:
                raise BadInput(
                    f"{path}: {name} is also in {former}.txt",
                    "every frame in at most one split",
                    "remove it from one of the lists",
                )
            by_tail.setdefault(tail, set()).add(split)
    for record in records:
        if (record.split and not ours) or not by_name:
            yield record
            continue
        # A bare file name decides only where it names one split, as in lists of full paths.
        tails = by_tail.get(record.image.stem, set()) | by_tail.get(record.id, set())
        named = by_name.get(record.id) or (next(iter(tails)) if len(tails) == 1 else "")
        yield replace(record, split=named)


def _names_of_line(line: str) -> tuple[str, str]:
    """Return the whole name and the file name, both without suffix, of a split list's line."""
    first = line.replace("\\", "/")
    words = first.split()
    if len(words) > 1 and Path(words[0]).suffix.lower() in IMAGE_SUFFIXES:
        first = words[0]
    stem, suffix = os.path.splitext(first)  # noqa: PTH122 - a name, not a path
    whole = stem if suffix.lower() in IMAGE_SUFFIXES else first
    return whole.removeprefix("./"), whole.rsplit("/", 1)[-1]
