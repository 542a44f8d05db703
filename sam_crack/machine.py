"""What the doctor asks of the machine, each question a function that a test can answer."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

CHILD_TIMEOUT_S = 180


def version_of(package: str) -> str | None:
    """Return the installed version without importing the package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def requirements() -> Sequence[str]:
    """Return what the package says that it needs, extras left out."""
    try:
        lines = metadata.requires("sam-crack") or []
    except metadata.PackageNotFoundError:  # a checkout that is not installed
        project = Path(__file__).resolve().parents[1] / "pyproject.toml"
        if not project.is_file():
            return ()
        lines = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    return [line for line in lines if "extra ==" not in line]


def run_child(argv: Sequence[str]) -> tuple[int, str]:
    """Run Python with these arguments and return its exit code and all it wrote."""
    try:
        done = subprocess.run(
            [sys.executable, *argv],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CHILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer within {CHILD_TIMEOUT_S} s"
    return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr


def cpu_facts() -> Mapping[str, str]:
    """Return model name and flags of the CPU, as far as the system tells them."""
    facts = {"model name": platform.processor() or platform.machine()}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in reversed(cpuinfo.read_text(errors="replace").splitlines()):
            key, _, value = line.partition(":")
            facts[key.strip()] = value.strip()
    facts["flags"] = facts.get("flags", facts.get("Features", ""))
    return facts


def memory_bytes() -> int | None:
    """Return the size of the memory, where the system tells it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def free_bytes(folder: Path) -> int:
    """Return the free space where the folder is or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Everything the checks ask of the outside; tests put other answers here."""

    version_of: Callable[[str], str | None] = version_of
    requirements: Callable[[], Sequence[str]] = requirements
    run_child: Callable[[Sequence[str]], tuple[int, str]] = run_child
    which: Callable[[str], str | None] = shutil.which
    cpu: Callable[[], Mapping[str, str]] = cpu_facts
    memory_bytes: Callable[[], int | None] = memory_bytes
    free_bytes: Callable[[Path], int] = free_bytes
    python: tuple[int, ...] = field(default_factory=lambda: tuple(sys.version_info[:3]))

    @cached_property
    def torch_facts(self) -> dict[str, Any] | str:
        """What `sam_crack.probe` found, or why it found nothing."""
        code, text = self.run_child(["-m", "sam_crack.probe"])
        try:
            facts = json.loads(text) if code == 0 else None
        except json.JSONDecodeError:
            facts = None
        if isinstance(facts, dict):
            return facts
        return (text.strip().splitlines() or [f"exit code {code}"])[-1]
