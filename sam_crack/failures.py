"""What goes wrong, as one line and an exit code: 0 ok, 1 bug, 2 usage, 3 input, 4 integrity."""

from __future__ import annotations

import errno
import os
import tempfile
import time
import traceback
from pathlib import Path

from sam_crack.errors import SamCrackError, memory_is_full

BUG, USAGE, INPUT, INTERRUPTED = 1, 2, 3, 130
EXTRAS = {"pyogrio": "geo", "onnx": "export", "onnxruntime": "export"}
EXTRAS |= {"gradio": "app"}
_DISK = {
    errno.ENOSPC: ("the disk is full", "free space or choose another folder"),
    errno.EDQUOT: ("the disk quota is used up", "free space or choose another folder"),
    errno.EACCES: ("permission denied", "change the permissions or choose another path"),
    errno.EPERM: ("operation not permitted", "change the permissions or choose another path"),
    errno.EROFS: ("the file system is read-only", "choose a path on another file system"),
    errno.ENOENT: ("no such file or folder", "check the path"),
    errno.EISDIR: ("is a folder, not a file", "give a file"),
    errno.ENOTDIR: ("a part of the path is not a folder", "check the path"),
    errno.EEXIST: ("exists already", "remove it or choose another path"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
    errno.EMFILE: ("too many open files", "raise the limit with `ulimit -n`"),
    errno.EFBIG: ("the file is larger than the limit", "raise `ulimit -f`, or choose another disk"),
    errno.EIO: ("the disk reports an input/output error", "check the disk"),
}


def explain(error: BaseException) -> tuple[int, str]:
    """Turn any exception into its exit code and the one line that a person reads."""
    match error:
        case SamCrackError():
            code, line = error.exit_code, str(error)
        case KeyboardInterrupt():
            code, line = INTERRUPTED, "interrupted"
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] in EXTRAS:
            extra = EXTRAS[name.partition(".")[0]]
            code, line = USAGE, f"{name} is not installed; run: pip install 'sam-crack[{extra}]'"
        case OSError() if error.errno in _DISK:
            what, todo = _DISK[error.errno]
            paths = [str(p) for p in (error.filename, error.filename2) if p is not None]
            code, line = INPUT, f"{' -> '.join(paths) or 'a file'}: {what}; {todo}"
        case MemoryError() | RuntimeError() if memory_is_full(error):
            code, line = INPUT, "the memory is full; use a smaller batch or window"
        case _ if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported here
            code, line = INPUT, "the accelerator's memory is full; use a smaller batch or window"
        case _:
            summary = f"{type(error).__name__}: {error}"
            code, line = BUG, f"this is a bug: {summary}; {_report(error)}"
    return code, " ".join(part.strip() for part in line.splitlines())


def _report(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error))
    for place in (_log_folder, lambda: Path(tempfile.gettempdir())):
        folder = place()
        file = folder / f"sam_crack-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return f"the details are in {file}; please report it with that file"
    return "please report it"


def _log_folder() -> Path:
    from sam_crack.config.home import home

    return home() / "logs"
