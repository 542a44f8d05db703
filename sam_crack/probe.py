"""What only torch can tell about this machine; `doctor` runs it in a process that may crash."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

SIDE = 512
ROUNDS = 9
PATIENCE_S = 1.0


def probe() -> dict[str, object]:
    """Return devices, attention kernels and the speed of bf16 against fp32 on the CPU."""
    import torch

    from sam_crack.model.attention import attention_kernel

    devices: dict[str, str] = {"cpu": f"{torch.get_num_threads()} threads"}
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        devices[f"cuda:{index}"] = f"{found.name}, {found.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU"
    kernels = {
        name: attention_kernel(
            torch.device(name), torch.float32 if name == "cpu" else torch.bfloat16
        )
        for name in devices
    }
    return {
        "torch": torch.__version__,
        "built_for_cuda": torch.version.cuda,
        "devices": devices,
        "kernels": kernels,
        "bf16_slowdown": _bf16_slowdown(),
    }


def _bf16_slowdown() -> float:
    """Time a bf16 product over the same in fp32; above 1 it is slower."""
    import torch

    torch.set_num_threads(1)  # two threads on a busy machine wait for each other: 50 x was seen
    exact = torch.rand(SIDE, SIDE)
    rounded = exact.to(torch.bfloat16)
    with torch.inference_mode():
        return _shortest_s(lambda: rounded @ rounded) / _shortest_s(lambda: exact @ exact)


def _shortest_s(work: Callable[[], object]) -> float:
    work()
    start = time.perf_counter()
    times: list[float] = []
    while len(times) < ROUNDS and time.perf_counter() - start < PATIENCE_S:
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return min(times)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe()))
