"""Base weights: fetched from several sources, hashed before they are read, kept for next time."""

from __future__ import annotations

import difflib
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam_crack.config.verbs import (
    WeightsFetchOptions,
    WeightsListOptions,
    WeightsPathOptions,
    WeightsVerifyOptions,
)
from sam_crack.console import Console
from sam_crack.durable import sha256
from sam_crack.errors import BadInput, IntegrityError
from sam_crack.weights import cache
from sam_crack.weights.obtain import obtain
from sam_crack.weights.table import WEIGHTS, WeightSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["WEIGHTS", "fetch", "find", "load_base", "path_of", "spec_of", "verify"]


def spec_of(name: str) -> WeightSpec:
    """Return what is known about the weights called `name`."""
    if name not in WEIGHTS:
        near = difflib.get_close_matches(name, WEIGHTS, n=1)
        raise BadInput(
            f"there are no base weights called {name!r}",
            f"known are {', '.join(WEIGHTS)}",
            f"did you mean {near[0]}?" if near else "see `sam-crack weights list`",
        )
    return WEIGHTS[name]


def path_of(name: str) -> Path:
    """Return where the weights lie once they are fetched, whether or not they are there."""
    return cache.weights_folder() / spec_of(name).file


def find(name: str) -> Path | None:
    """Return the cached file, unchecked, or None if it was never fetched."""
    path = path_of(name)
    return path if path.is_file() else None


def _existing(name: str) -> Path:
    """Return the cached file or say how to get it."""
    path = find(name)
    if path is None:
        raise BadInput(
            f"the base weights {name} are not in {cache.weights_folder()}",
            "they are fetched once and then kept",
            f"run `sam-crack weights fetch {name}`",
        )
    return path


def _damaged(name: str, path: Path, finding: str) -> IntegrityError:
    """Compose what to say about a cached file that is not the published one."""
    return IntegrityError(
        f"{path} {finding}",
        f"it must be the published file of {spec_of(name).size:,} bytes "
        f"with sha256 {spec_of(name).sha256}",
        f"run `sam-crack weights fetch {name}` to replace it",
    )


def verify(name: str) -> Path:
    """Hash the cached file and return it; raise IntegrityError if it is not the published one."""
    path, spec = _existing(name), spec_of(name)
    if (have := path.stat().st_size) != spec.size:
        raise _damaged(name, path, f"has {have:,} bytes")
    if (found := sha256(path)) != spec.sha256:
        raise _damaged(name, path, f"has sha256 {found}")
    cache.remember_checked(path, spec.sha256)
    return path


def load_base(name: str, *, trust_stamp: bool = False) -> tuple[dict[str, Tensor], str]:
    """Load published weights to the CPU; return the tensors and the sha256 that was checked.

    The file is hashed through the handle that is then read, so what was checked is what is loaded.
    `trust_stamp` skips the hash for a file whose size and time are those of an earlier check.
    """
    import torch

    path, spec = _existing(name), spec_of(name)
    with path.open("rb") as file:
        if not (trust_stamp and cache.was_checked(path, spec.sha256)):
            if (found := hashlib.file_digest(file, "sha256").hexdigest()) != spec.sha256:
                size = file.seek(0, io.SEEK_END)
                raise _damaged(name, path, f"has {size:,} bytes and sha256 {found}")
            cache.remember_checked(path, spec.sha256)
        file.seek(0)
        try:
            content: Any = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # unpickling raises whatever the bytes provoke
            raise _damaged(name, path, f"cannot be read ({type(error).__name__})") from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not content:
        raise _damaged(name, path, "holds no table of tensors")
    if not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise _damaged(name, path, "holds things other than tensors")
    return {str(key): value for key, value in content.items()}, spec.sha256


def fetch(name: str, console: Console) -> Path:
    """Return the verified file, fetching it from the first source that gives the right bytes."""
    spec, path = spec_of(name), path_of(name)
    if path.is_file():
        if cache.was_checked(path, spec.sha256):
            return path
        try:
            return verify(name)
        except IntegrityError as error:
            console.warn(f"{error.given}; it is fetched anew")
    return obtain(spec, path, console)


def run_weights_list(_options: WeightsListOptions, console: Console) -> dict[str, object]:
    """Show every set of base weights and whether it is here."""
    rows, found = [], {}
    for name, spec in WEIGHTS.items():
        path = find(name)
        state = "not fetched"
        if path is not None:
            state = "verified" if cache.was_checked(path, spec.sha256) else "here, not verified"
        rows.append((name, cache.megabytes(spec.size), spec.licence, state, spec.about))
        found[name] = {
            "state": state,
            "path": str(path) if path else None,
            "size": spec.size,
            "sha256": spec.sha256,
            "licence": spec.licence,
        }
    console.table(("name", "size", "licence", "state", "what it is"), rows)
    console.say(f"folder: {cache.weights_folder()}")
    return {"folder": str(cache.weights_folder()), "weights": found}


def run_weights_fetch(options: WeightsFetchOptions, console: Console) -> dict[str, object]:
    """Fetch base weights unless they are here, and check them."""
    path = fetch(options.name, console)
    console.say(str(path))
    return {"name": options.name, "path": str(path), "sha256": spec_of(options.name).sha256}


def run_weights_verify(options: WeightsVerifyOptions, console: Console) -> dict[str, object]:
    """Hash base weights that are here; every damaged file is named."""
    names = [options.name] if options.name else [name for name in WEIGHTS if find(name)]
    if not names:
        raise BadInput(
            f"no base weights are in {cache.weights_folder()}",
            "they are fetched once and then kept",
            "run `sam-crack weights fetch mobile_sam`",
        )
    found, damaged = {}, []
    for name in names:
        try:
            path = verify(name)
        except IntegrityError as error:
            damaged.append(error)
            continue
        console.say(f"{path}: {path.stat().st_size:,} bytes, sha256 as published")
        found[name] = {"path": str(path), "sha256": spec_of(name).sha256}
    for finding in damaged[:-1]:
        console.warn(str(finding))
    if damaged:
        raise damaged[-1]
    return {"folder": str(cache.weights_folder()), "weights": found}


def run_weights_path(options: WeightsPathOptions, console: Console) -> dict[str, object]:
    """Print where base weights lie."""
    path = _existing(options.name)
    console.say(str(path))
    return {"name": options.name, "path": str(path)}
