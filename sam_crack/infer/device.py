"""Where to compute: the device of a name, and the processes that share the work."""

from __future__ import annotations

import os

import torch
from accelerate import PartialState

from sam_crack.errors import UsageError


def choose_device(name: str) -> torch.device:
    """Return the device of a name; `auto` takes a GPU if there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"device {name!r} is not available here", "auto, cpu, cuda or cuda:N", "use auto"
        ) from error
    return device


def join_processes() -> PartialState:
    """Return the processes of this run, started by torchrun or accelerate; usually one.

    Accelerate forms a group of CPU processes only when told that there is no GPU; otherwise each
    of them would take itself for the only one.
    """
    cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    return PartialState(cpu=cpu or not torch.cuda.is_available())
