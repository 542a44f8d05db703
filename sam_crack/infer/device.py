"""Where to compute, by the name a user gives."""

from __future__ import annotations

import torch

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
