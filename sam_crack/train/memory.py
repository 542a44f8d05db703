"""How much memory training takes, and what to change when it is too much."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from sam_crack.config.schema import RunConfig
from sam_crack.errors import BadInput, UsageError, memory_is_full

GB = 1e9


def peak_bytes(device: torch.device) -> int:
    """Return the most memory used so far: on the GPU, or by this process without one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(UsageError):
        return _kilobytes(Path("/proc/self/status"), "VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak(device: torch.device) -> None:
    """Let `peak_bytes` count from here, where the system can: on a GPU, and on Linux."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def room_bytes(device: torch.device) -> int:
    """Return what this process may take in all: what it has, and what is free beside it.

    On the CPU the smaller of the machine's and the container's free memory.
    """
    if device.type == "cuda":
        beside, _ = torch.cuda.mem_get_info(device)
        return int(beside) + torch.cuda.memory_reserved(device)
    free = [_kilobytes(Path("/proc/meminfo"), "MemAvailable")]
    with suppress(OSError, ValueError):  # no such group, or one without a limit
        group = Path("/sys/fs/cgroup")
        most, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        free.append(most - used)
    return min(free) + _kilobytes(Path("/proc/self/status"), "VmRSS")


def _kilobytes(path: Path, name: str) -> int:
    """Read a line such as `MemAvailable: 123 kB`, in bytes."""
    try:
        lines = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        return int(lines[name].split()[0]) * 1024
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(
            "train.probe_batch: this system does not tell how much memory is free",
            "Linux, or a CUDA GPU",
            "set train.batch_size and train.accumulate by hand",
        ) from error


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there is no more memory: a GPU has a class for it, a CPU words."""
    return isinstance(error, torch.OutOfMemoryError) or memory_is_full(error)


def too_small(config: RunConfig, device: torch.device, *, at_rest: int) -> BadInput:
    """Compose the error for a step that did not fit.

    Args:
        config: The run.
        device: Where it ran.
        at_rest: Bytes in use before the first step: weights, and nothing that grows with a batch.
    """
    train, (height, width) = config.train, config.crop
    used = peak_bytes(device)
    per_crop = max(0, used - at_rest) / train.batch_size
    total = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else used
    changes = []
    if train.batch_size > 1:
        half = train.batch_size // 2
        changes.append(f"--train.batch_size {half} --train.accumulate {2 * train.accumulate}")
    if not train.recompute and config.model.adapter.method != "head_only":
        changes.append("--train.recompute true")
    if config.model.backbone.precision == "fp32" and device.type == "cuda":
        changes.append("--model.backbone.precision bf16")
    changes.append(f"smaller crops than --data.crop {height},{width}")
    return BadInput(
        f"a step of {train.batch_size} crops of {height}x{width} px does not fit into "
        f"{total / GB:.1f} GB",
        f"{at_rest / GB:.1f} GB are taken before the first crop, each needs {per_crop / GB:.2f} GB "
        f"or more",
        f"try {', or '.join(changes)}",
    )
