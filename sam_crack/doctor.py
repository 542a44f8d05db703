"""`sam-crack doctor`: each finding about this machine is ok, warn or fail, with a cure."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from sam_crack import __version__
from sam_crack.config.home import home
from sam_crack.console import Console
from sam_crack.errors import BadInput
from sam_crack.machine import Machine

Verdict = Literal["ok", "warn", "fail"]
GIB = 2**30
LEAST_MEMORY = 6 * GIB
LEAST_DISK, GOOD_DISK = GIB // 2, 5 * GIB
BF16_FLAGS = ("amx_bf16", "avx512_bf16", "bf16")
BF16_SLOWER = 1.3
OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
BROKEN_PAIR = "operator torchvision::nms does not exist"


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """`sam-crack doctor`."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    text: str
    cure: str = ""


def check_python(machine: Machine) -> Iterator[Finding]:
    """Python, system, CPU and memory."""
    version = ".".join(map(str, machine.python))
    supported = (3, 11) <= machine.python[:2] <= (3, 13)
    cure = "" if supported else "use Python 3.11, 3.12 or 3.13"
    yield Finding("python", "ok" if supported else "fail", version, cure)
    cpu = machine.cpu().get("model name", "unknown")
    text = f"{platform.system()} {platform.machine()}, {cpu}, {os.cpu_count()} cores"
    yield Finding("system", "ok", text)
    size = machine.memory_bytes()
    if size is not None:
        enough = size >= LEAST_MEMORY
        cure = "" if enough else "train with train.batch_size 1 and a small data.crop"
        yield Finding("memory", "ok" if enough else "warn", f"{size / GIB:.1f} GiB", cure)


def check_packages(machine: Machine) -> Iterator[Finding]:
    """Each required package: there, and not too old."""
    from packaging.requirements import Requirement

    yield Finding("sam-crack", "ok", __version__)
    for line in machine.requirements():
        wanted = Requirement(line)
        found = machine.version_of(wanted.name)
        cure = f"pip install '{wanted.name}{wanted.specifier}'"
        if found is None:
            yield Finding(wanted.name, "fail", f"absent; {wanted.specifier} is needed", cure)
        elif not wanted.specifier.contains(found, prereleases=True):
            yield Finding(wanted.name, "fail", f"{found}; {wanted.specifier} is needed", cure)
        else:
            yield Finding(wanted.name, "ok", found)


def check_opencv(machine: Machine) -> Iterator[Finding]:
    """Builds of OpenCV that overwrite each other's files."""
    found = [name for name in OPENCV if machine.version_of(name)]
    if len(found) > 1:
        cure = f"pip uninstall -y {' '.join(found)} && pip install opencv-python"
        yield Finding("opencv", "warn", f"{' and '.join(found)} share one folder", cure)


def check_torch(machine: Machine) -> Iterator[Finding]:
    """Devices, attention kernels and what bf16 costs on this CPU."""
    facts = machine.torch_facts
    if isinstance(facts, str):
        yield Finding("torch", "fail", facts, "pip install --force-reinstall torch torchvision")
        return
    devices: dict[str, str] = facts["devices"]
    text = "; ".join(f"{name}: {what}" for name, what in devices.items())
    idle_gpu = len(devices) == 1 and machine.which("nvidia-smi") is not None
    cure = "install the CUDA build of torch, and check nvidia-smi" if idle_gpu else ""
    text += ", but nvidia-smi is here" if idle_gpu else ""
    yield Finding("devices", "warn" if idle_gpu else "ok", text, cure)
    kernels: dict[str, str] = facts["kernels"]
    slow = [name for name, kernel in kernels.items() if kernel == "math"]
    text = ", ".join(f"{name}: {kernel}" for name, kernel in kernels.items())
    cure = "update torch: the math kernel stores tokens x tokens scores" if slow else ""
    yield Finding("attention", "warn" if slow else "ok", text, cure)
    flags = [flag for flag in BF16_FLAGS if flag in machine.cpu().get("flags", "").split()]
    ratio = float(facts["bf16_slowdown"])
    slow_bf16 = ratio > BF16_SLOWER and len(devices) == 1
    text = f"bf16 takes {ratio:.2g} x the time of fp32; CPU flags: {', '.join(flags) or 'none'}"
    cure = "keep model.backbone.precision at fp32 on this CPU" if slow_bf16 else ""
    yield Finding("bf16", "warn" if slow_bf16 else "ok", text, cure)


def check_torchvision(machine: Machine) -> Iterator[Finding]:
    """Whether torchvision was built for the torch that is here."""
    code, text = machine.run_child(["-c", "import torchvision; print(torchvision.__version__)"])
    torch = machine.version_of("torch") or ""
    if code == 0:
        yield Finding("torchvision import", "ok", "imports with this torch")
        return
    reason = (text.strip().splitlines() or [f"exit code {code}"])[-1]
    if BROKEN_PAIR in text:
        reason = f"torchvision {machine.version_of('torchvision')} does not fit torch {torch}"
    yield Finding("torchvision import", "fail", reason, _matching_pair(torch))


def _matching_pair(torch: str) -> str:
    """Compose the pip line of a torch with its torchvision: 2.N goes with 0.(N + 15)."""
    minor = re.match(r"2\.(\d+)", torch)
    number = int(minor[1]) if minor else 14
    if torch.startswith("2.13.0") and "cpu" in torch:  # its CPU wheels do not work together
        number = 14
    return f"pip install 'torch==2.{number}.*' 'torchvision==0.{number + 15}.*'"


def check_storage(machine: Machine) -> Iterator[Finding]:
    """The cache folder, the base weights in it, and free disk."""
    from sam_crack.weights import cache
    from sam_crack.weights.base import WEIGHTS, find

    folder = home()
    try:
        cache.writable(folder)
    except BadInput as error:
        yield Finding("cache", "fail", error.given, error.todo)
    else:
        yield Finding("cache", "ok", str(folder))
    present: list[str] = []
    for name, spec in WEIGHTS.items():
        path = find(name)
        if path is not None and path.stat().st_size != spec.size:
            cure = f"sam-crack weights fetch {name}"
            yield Finding(f"weights {name}", "fail", f"{path} has the wrong size", cure)
        elif path is not None:
            present.append(name)
    cure = "" if "mobile_sam" in present else "sam-crack weights fetch mobile_sam"
    yield Finding(
        "weights", "warn" if cure else "ok", ", ".join(present) or "none whole here", cure
    )
    for name, place in {"disk of the cache": folder, "disk of this folder": Path.cwd()}.items():
        free = machine.free_bytes(place)
        verdict: Verdict = "fail" if free < LEAST_DISK else "warn" if free < GOOD_DISK else "ok"
        cure = "" if verdict == "ok" else "free some space, or set SAM_CRACK_HOME elsewhere"
        yield Finding(name, verdict, f"{free / GIB:.1f} GiB free", cure)


def check_video(machine: Machine) -> Iterator[Finding]:
    """What videos are read and written with; a program of that name is not needed."""
    ffmpeg = machine.which("ffmpeg")
    text = f"OpenCV's own FFmpeg; the program ffmpeg {'present' if ffmpeg else 'absent'}, not used"
    yield Finding("video", "ok", text)


CHECKS = (
    check_python,
    check_packages,
    check_opencv,
    check_torch,
    check_torchvision,
    check_storage,
    check_video,
)


def examine(machine: Machine) -> list[Finding]:
    """Run every check; one that itself fails becomes a finding."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check(machine)
        except Exception as error:  # a sick machine must not silence the doctor
            text = f"{type(error).__name__}: {error}"
            findings.append(Finding(check.__name__, "fail", text, "please report this"))
    return findings


def run_doctor(_options: DoctorOptions, console: Console) -> dict[str, object]:
    """Print every finding; the exit code is 3 when one of them is a failure, else 0."""
    findings = examine(Machine())
    console.table(
        ("", "what", "finding"), [(found.verdict, found.name, found.text) for found in findings]
    )
    for found in findings:
        if found.cure:
            console.say(f"{found.verdict}: {found.name}: {found.cure}")
    failed = any(found.verdict == "fail" for found in findings)
    return {
        "findings": [asdict(found) for found in findings],
        "exit_code": BadInput.exit_code if failed else 0,
    }
