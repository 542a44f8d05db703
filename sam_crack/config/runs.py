"""The folder of a run: a name nobody else has, and what is known before the run begins."""

from __future__ import annotations

import json
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from sam_crack.config.load import config_hash, dump_config
from sam_crack.durable import write_text
from sam_crack.errors import UsageError

CONFIG = "config.yaml"
"""The complete configuration, in the folder of a run."""
HEADER = "run.json"
"""How the run was started, beside it."""
PACKAGES = (
    "sam-crack",
    "torch",
    "torchvision",
    "timm",
    "peft",
    "accelerate",
    "numpy",
    "scipy",
    "scikit-image",
    "opencv-python",
    "pillow",
)
_NAME = re.compile(r"[\w][\w .+@=-]{0,99}")


def new_run_folder(base: Path, verb: str, name: str) -> Path:
    """Create `base/<verb>/<name>-N` with the next free N; two processes never get the same.

    Args:
        base: Usually `runs`.
        verb: The verb that runs, one or two words: `data synth` becomes `data-synth`.
        name: Name of the run: letters, digits and ` .+@=-_`.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"run name {name!r}",
            "must be 1 to 100 letters, digits or . + @ = - _, beginning with a letter or digit",
            "choose another --name",
        )
    parent = base / verb.replace(" ", "-")
    parent.mkdir(parents=True, exist_ok=True)
    taken = (re.fullmatch(re.escape(name) + r"-(\d{1,9})", path.name) for path in parent.iterdir())
    number = max((int(match[1]) for match in taken if match), default=0) + 1
    while True:
        folder = parent / f"{name}-{number}"
        try:
            folder.mkdir()  # the one step that cannot succeed twice
        except FileExistsError:
            number += 1
        else:
            return folder


def write_run_header(
    folder: Path,
    config: object,
    argv: Sequence[str],
    *,
    begun_from: Mapping[str, str] | None = None,
) -> None:
    """Save the complete config and how the run was started, before anything else happens.

    Neither file tells the machine or the repository: a run folder can be handed on.
    """
    program = Path(argv[0]).name if argv else "sam-crack"
    program = "sam-crack" if program == "__main__.py" else program
    header: dict[str, object] = {
        "command": shlex.join([program, *argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_sha256": config_hash(config),
        "python": platform.python_version(),
        "packages": installed_versions(),
    }
    if begun_from is not None:
        header["begun_from"] = dict(begun_from)
    write_text(folder / CONFIG, dump_config(config))
    write_text(folder / HEADER, json.dumps(header, indent=2) + "\n")


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that decide a result, without importing them."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
