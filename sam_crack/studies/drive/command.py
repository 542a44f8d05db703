"""The command line that leads to the same result, for whoever reads the page of a drive."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path

from sam_crack.config.look_verbs import PredictOptions
from sam_crack.infer.paths import LIST_SUFFIX, STDIN
from sam_crack.infer.rows import write_lines

NOT_REPEATED = {"run", "paths", "out", "continue_", "overwrite", "device", "batch_size"} | {
    "num_parts",
    "part_id",
    "dry_run",
}
MAX_PATHS = 20
PATHS = "paths.txt"
"""The paths, where they are too many for a line or came from stdin; it is read from stdin again."""


def needs_list(options: PredictOptions) -> bool:
    """Whether the command to repeat a run names its paths in a list."""
    return STDIN in options.paths or sum(map(_fits, options.paths)) > MAX_PATHS


def repeat_run(folder: Path, options: PredictOptions, listed: Sequence[str]) -> list[str]:
    """Return the command line that leads to the same result, an option a line.

    Args:
        folder: Of the run, where the list is written if one is needed.
        options: Of the run.
        listed: What stdin named.
    """
    arguments = [str(path) for path in options.paths]
    source = ""
    if needs_list(options):
        arguments, lines = _shared_out(options.paths, listed)
        write_lines(folder / PATHS, lines)
        source = f" < {shlex.quote(str(folder / PATHS))}"
    lines = [shlex.join(["sam-crack", "predict", str(options.run), *arguments]) + source]
    for field in fields(options):
        value, name = getattr(options, field.name), field.name.rstrip("_").replace("_", "-")
        if field.name in NOT_REPEATED or field.default is MISSING or value == field.default:
            continue
        if isinstance(value, bool):
            lines.append(f"--{name}" if value else f"--no-{name}")
        else:
            lines.append(f"--{name} {shlex.quote(str(value))}")
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _shared_out(paths: Sequence[Path], listed: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the paths into arguments and lines of a list that is read from stdin.

    A line is a whole path, so that the names of its outputs are those of an argument. What cannot
    stand in a list remains an argument: a list, and names of signs that end a line.
    """
    arguments, lines = [str(STDIN)], list[str]()
    for path in paths:
        if path == STDIN:
            lines += [f'"{entry}"' for entry in listed]
        elif _fits(path):
            lines.append(f'"{path.absolute()}"')
        else:
            arguments.append(str(path))
    return arguments, lines


def _fits(path: Path) -> bool:
    return path.suffix.lower() != LIST_SUFFIX and str(path.absolute()).isprintable()
