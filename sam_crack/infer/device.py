"""Where to compute, by the name a user gives."""

from __future__ import annotations

import torch

from sam_crack.errors import UsageError


def choose_device(name: str, *, process: int = 0) -> torch.device:
    """Return the device of a name; `auto` takes a GPU if there is one.

    Args:
        name: auto, cpu, cuda or cuda:N.
        process: Number of this process on its machine; with `auto` each gets a GPU of its own.
    """
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device(f"cuda:{process % torch.cuda.device_count()}" if process else "cuda")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"device {name!r} is not available here", "auto, cpu, cuda or cuda:N", "use auto"
        ) from error
    return device
