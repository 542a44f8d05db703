"""Peak memory, each measured in a fresh process, against segment_anything with peft."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = Path(__file__).with_name("memory_probe.py")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def probe(kind, mode, width, depth, side=1024):
    """Extra bytes of one pass; the environment's own allocator settings are left out."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    env["PYTHONPATH"] = str(PROBE.parents[2])
    sizes = map(str, (width, depth, side))
    done = subprocess.run(
        [sys.executable, str(PROBE), kind, mode, *sizes],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@linux
@pytest.mark.parametrize(("mode", "at_least"), [("forward", 4), ("step", 3)])
def test_two_blocks_need_far_less_memory(mode, at_least):
    ours, reference = (probe(kind, mode, 192, 2) for kind in ("ours", "reference"))
    assert reference["extra_bytes"] >= at_least * ours["extra_bytes"]
    if mode == "step":
        assert ours["adapted"] == 2 * 2 * 2  # blocks, q and v, two matrices each


@linux
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("mode", "at_least"), [("forward", 4), ("step", 3)])
def test_vit_b_needs_far_less_memory(mode, at_least):
    ours, reference = (probe(kind, mode, 768, 12) for kind in ("ours", "reference"))
    print(mode, ours, reference)
    assert reference["extra_bytes"] >= at_least * ours["extra_bytes"]
