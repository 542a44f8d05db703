"""`sam-crack data prepare`: write a store for training; a stopped one goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.config.data_verbs import DataPrepareOptions
from sam_crack.console import Console
from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.data.formats.images import IMAGE_SUFFIXES, read_size
from sam_crack.data.sets.spec import Record
from sam_crack.data.store import FORMAT, FRAMES, INDEX, is_store, open_store
from sam_crack.data.stored import frame_bytes, pack
from sam_crack.data.survey import survey
from sam_crack.errors import BadInput, UsageError

_SPARE = 1.02  # file system blocks, sidecars, and regions that the estimate leaves out


def run_data_prepare(options: DataPrepareOptions, console: Console) -> dict[str, object]:
    """Say the size, make sure it fits, write what is missing, and finish with the index."""
    dataset = open_dataset(
        options.name,
        options.root,
        split=options.split or None,
        classes=options.classes,
        lists=options.lists,
    )
    out = options.out or Path("stores") / options.name
    frames = out / FRAMES
    _refuse_other(out, dataset)
    todo = replace(
        dataset,
        records=tuple(r for r in dataset.records if not _is_done(frames, r, verify=options.verify)),
    )
    done = len(dataset) - len(todo)
    needed = expected_bytes(todo)
    free = shutil.disk_usage(_nearest(out)).free
    console.say(
        f"{options.name}: {len(dataset)} frames, {done} are there; {_size(needed)} to write, "
        f"{_size(free)} free"
    )
    if needed > free:
        raise BadInput(
            f"{out}: {_size(free)} free",
            f"{_size(needed)} for {len(todo)} frames of raw pixels",
            "choose another --out, or prepare one --split",
        )
    result: dict[str, object] = {
        "dataset": options.name,
        "out": str(out),
        "frames": len(dataset),
        "already_there": done,
        "bytes_to_write": needed,
        "bytes_free": free,
    }
    if options.dry_run:
        return result | {"dry_run": True}
    frames.mkdir(parents=True, exist_ok=True)
    _sweep(frames)
    durable.write_text(out / "begun.json", json.dumps(_identity(dataset)) + "\n")
    written = survey(todo, partial(_write_frame, folder=frames), num_workers=options.workers)
    for _ in console.progress(written, "preparing", total=len(todo), unit="frame"):
        pass
    entries = _write_index(out, dataset)
    total = sum(each["bytes"] for each in entries)
    console.say(f"{out}: {len(open_store(out))} frames, {_size(total)}; train on it with")
    console.say(f"  sam-crack train --data.name {options.name} --data.root {out}")
    return result | {"bytes": total, "written": len(todo)}


def _write_index(out: Path, dataset: Dataset) -> list[dict[str, Any]]:
    """Write store.json over these frames and those of other splits that are there already."""
    entries = [_facts(out / FRAMES, record) for record in dataset.records]
    ids = {record.id for record in dataset.records}
    if is_store(out):
        entries += [dict(each) for each in open_store(out).entries if each["id"] not in ids]
    entries.sort(key=lambda each: str(each["id"]))
    index = {"format": FORMAT, **_identity(dataset), "frames": entries}
    durable.write_text(out / INDEX, json.dumps(index, separators=(",", ":")) + "\n")
    return entries


def _sweep(frames: Path) -> None:
    """Remove what a killed run left half written; an hour old, so it is nobody's any more."""
    for path in frames.glob(".*"):
        if path.stat().st_mtime < time.time() - 3600:
            path.unlink(missing_ok=True)


def file_name(record: Record) -> str:
    """Give a frame a file name that any system takes, and that no other frame has."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._") else "-" for c in record.id)
    return f"{plain[-60:]}-{hashlib.sha256(record.id.encode()).hexdigest()[:10]}"


def _identity(dataset: Dataset) -> dict[str, Any]:
    """What a store is of; frames of another cannot be added."""
    return {
        "dataset": dataset.spec.name,
        "classes": [{"name": each.name, "colour": list(each.colour)} for each in dataset.classes],
    }


def _refuse_other(out: Path, dataset: Dataset) -> None:
    """Raise where the folder holds something else."""
    stamp = out / "begun.json"
    if not stamp.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise UsageError(f"{out}: not empty, and no store", "a new folder, or a store")
        return
    found = json.loads(stamp.read_text("utf-8"))
    if found != _identity(dataset):
        names = ", ".join(each["name"] for each in found["classes"])
        raise UsageError(
            f"{out}: a store of {found['dataset']} with the classes {names}",
            "a new folder, or the same data set and classes",
            "choose another --out",
        )


def _sources(record: Record) -> list[list[object]]:
    """Sizes and times of the files that a frame is read from: when they change it is redone."""
    found = []
    for path in (record.image, *record.masks.values()):
        state = path.stat()
        found.append([path.name, state.st_size, state.st_mtime_ns])
    return found


def _is_done(folder: Path, record: Record, *, verify: bool) -> bool:
    """Whether a frame was written whole from the files as they are now."""
    name = file_name(record)
    try:
        facts = json.loads((folder / f"{name}.json").read_text("utf-8"))
        whole = folder / f"{name}.raw"
        same = whole.stat().st_size == facts["bytes"] and facts["id"] == record.id
        same = same and facts["sources"] == _sources(record)
        return same and (not verify or durable.sha256(whole) == facts["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_frame(part: Dataset, index: int, *, folder: Path) -> str:
    """Read one frame and write it; the sidecar comes last and says that it is whole."""
    record = part.records[index]
    sources = _sources(record)
    content, facts = pack(part[index], len(part.classes))
    name = file_name(record)
    durable.write_bytes(folder / f"{name}.raw", content)
    facts |= {
        "file": f"{name}.raw",
        "sha256": hashlib.sha256(content).hexdigest(),
        "sources": sources,
    }
    durable.write_text(folder / f"{name}.json", json.dumps(facts) + "\n")
    return record.id


def _facts(folder: Path, record: Record) -> dict[str, Any]:
    """Read a frame's facts for the index; its split may have changed since."""
    path = folder / f"{file_name(record)}.json"
    facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    del facts["sources"]
    return facts | {"split": record.split}


def expected_bytes(dataset: Dataset) -> int:
    """Estimate what writing these frames takes, from headers where there are any."""
    if not len(dataset):
        return 0
    archives: dict[Path, tuple[int, int]] = {}
    total = 0
    for index, record in enumerate(dataset.records):
        if record.index is None:
            size = _shape(dataset, index)
        else:  # all frames of an archive have one shape
            size = archives.setdefault(record.image, (0, 0))
            if size == (0, 0):
                size = archives[record.image] = _shape(dataset, index)
        total += frame_bytes(size, len(dataset.classes))
    return int(total * _extra(dataset, 0) * _SPARE)


def _shape(dataset: Dataset, index: int) -> tuple[int, int]:
    """Return a frame's height and width."""
    record = dataset.records[index]
    if record.index is None and record.image.suffix.lower() in IMAGE_SUFFIXES:
        return read_size(record.image)
    shape = dataset.read_image(index).shape
    return shape[0], shape[1]


def _extra(dataset: Dataset, index: int) -> float:
    """Return by how much instances and flags enlarge a frame, measured on one of them."""
    content, facts = pack(dataset[index], len(dataset.classes))
    height, width = facts["size"]
    return len(content) / frame_bytes((height, width), len(dataset.classes))


def _nearest(path: Path) -> Path:
    """Return the nearest folder that exists."""
    path = path.absolute()
    return path if path.exists() else _nearest(path.parent)


def _size(num_bytes: float) -> str:
    """Write a size for people."""
    for unit in ("bytes", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"
