"""Every file of a data set with its size and sha256, and what has changed since."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.errors import BadInput

FORMAT = "sam_crack manifest 1"
_THREADS = 2  # hashing releases the lock, and more only makes a disk seek


def list_all(root: Path) -> list[Path]:
    """List every file below a root but hidden ones; links to folders are not followed."""
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        found += [Path(folder) / name for name in files if not name.startswith(".")]
    return sorted(found)


def hash_files(root: Path, paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name relative to the root, and size and sha256, of each file that can be read."""
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(lambda path: (_name(path, root), _entry(path)), paths)


def _name(path: Path, root: Path) -> str:
    """Return the path from the root, or the whole path of a file elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _entry(path: Path) -> dict[str, Any]:
    """Return size and hash, or why there are none."""
    try:
        return {"bytes": path.stat().st_size, "sha256": durable.sha256(path)}
    except OSError as error:
        return {"bytes": 0, "sha256": "", "error": str(error.strerror or error)}


def write_manifest(path: Path, name: str, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the manifest; the same files give the same bytes."""
    body = {"format": FORMAT, "dataset": name, "files": dict(sorted(files.items()))}
    durable.write_text(path, json.dumps(body, indent=0, ensure_ascii=False) + "\n")


def read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Read a manifest's files."""
    try:
        body = json.loads(path.read_text("utf-8"))
        files: dict[str, dict[str, Any]] = body["files"]
        if body["format"] != FORMAT or not all("sha256" in each for each in files.values()):
            raise ValueError(f"format {body['format']!r}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path}: not a manifest ({error})",
            "manifest.json as `sam-crack data check` writes it",
            "name the manifest of an earlier check",
        ) from error
    return files


def compare(
    before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return the names of files that changed, went and came since an earlier manifest."""
    both = before.keys() & now.keys()
    return {
        "changed": sorted(n for n in both if before[n]["sha256"] != now[n]["sha256"]),
        "gone": sorted(before.keys() - now.keys()),
        "new": sorted(now.keys() - before.keys()),
    }
