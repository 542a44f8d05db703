"""One named file out of a package archive that nobody trusts: read, counted, never unpacked."""

from __future__ import annotations

import errno
import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from sam_crack.errors import IntegrityError

MAX_MEMBERS = 10_000
CHUNK = 1 << 20
# What a parser raises on bytes that are no archive; each was seen under fuzzing or is documented.
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OverflowError,
    ValueError,
    IndexError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)


class _Bounded(io.RawIOBase):
    """A stream that stops a decompression bomb: it refuses to give more than `limit` bytes."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, limit: int) -> None:
        self._stream, self._left = stream, limit

    def readable(self) -> bool:
        """Say that this is a stream to read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read like the inner stream, and count."""
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError("it unpacks to far more than the file that is wanted")
        return content


def _refuse_escape(name: str) -> None:
    """Raise if a member's name leads out of the archive's own folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    drive = len(name) > 1 and name[1] == ":"
    if path.is_absolute() or drive or ".." in path.parts or "\0" in name:
        raise ValueError(f"it holds the unsafe path {name!r}")


@contextmanager
def _in_tar(archive: Path, member: str, size: int) -> Iterator[IO[bytes]]:
    """Open `member` of a .tar.gz, read as a stream up to it."""
    with gzip.open(archive, "rb") as unzipped:
        bounded = _Bounded(unzipped, 4 * size + (16 << 20))
        with tarfile.open(fileobj=bounded, mode="r|") as tar:
            for count, info in enumerate(tar, start=1):
                _refuse_escape(info.name)
                if count > MAX_MEMBERS:
                    raise ValueError(f"it has more than {MAX_MEMBERS} members")
                if info.issym() or info.islnk() or info.isdev():
                    raise ValueError(f"{info.name!r} is a link or a device")
                if info.name != member:
                    continue
                if not info.isreg() or info.issparse() or info.size != size:
                    raise ValueError(f"{member!r} has {info.size} bytes instead of {size}")
                content = tar.extractfile(info)
                assert content is not None  # a regular file always opens
                yield content
                return
    raise KeyError(f"it has no {member!r}")


@contextmanager
def _in_zip(archive: Path, member: str, size: int) -> Iterator[IO[bytes]]:
    """Open `member` of a wheel."""
    with zipfile.ZipFile(archive) as wheel:
        entries = wheel.infolist()
        if len(entries) > MAX_MEMBERS:
            raise ValueError(f"it has more than {MAX_MEMBERS} members")
        for entry in entries:
            _refuse_escape(entry.filename)
        found = [entry for entry in entries if entry.filename == member]
        if len(found) != 1:
            raise KeyError(f"it has {len(found)} entries named {member!r}")
        # The upper half of external_attr is the Unix mode; 0o120000 marks a symbolic link.
        if found[0].file_size != size or (found[0].external_attr >> 28) == 0o12:
            raise ValueError(f"{member!r} has {found[0].file_size} bytes instead of {size}")
        with wheel.open(found[0]) as content:
            yield content


def copy_member(archive: Path, member: str, *, size: int, target: Path) -> None:
    """Write the file `member` of a .tar.gz or .whl archive to `target`, exactly `size` bytes.

    Only regular files are read, under caps on member count and unpacked size; the path that is
    written is the caller's, never one out of the archive.
    """
    opened = _in_zip if archive.suffix in (".whl", ".zip") else _in_tar
    try:
        with opened(archive, member, size) as content, target.open("wb") as out:
            left = size
            while left > 0 and (chunk := content.read(min(CHUNK, left))):
                out.write(chunk)
                left -= len(chunk)
            if left or content.read(1):
                raise ValueError(f"{member!r} does not end after {size} bytes")
    except (*BROKEN, OSError) as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's fault; a damaged archive gives a bad seek or no number at all
        ours = isinstance(error, ValueError | KeyError) and error.args
        reason = error.args[0] if ours else "it is damaged"
        raise IntegrityError(
            f"the archive {archive.name} cannot be used: {reason}",
            f"it must hold the regular file {member} of {size} bytes",
        ) from error
