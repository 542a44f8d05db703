"""Real processes: killed at random and resumed, and two that share the work of one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sam_crack.console import Console
from sam_crack.train import state

SCRIPT = Path(__file__).with_name("train_tiny.py")
ENV = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


def start(*args: object, launcher: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    words = [sys.executable, *launcher, str(SCRIPT), *map(str, args)]
    return subprocess.Popen(words, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err.decode()[-2000:]


def kill_and_resume(tmp_path: Path, kills: int, steps: int) -> None:
    finish(start(tmp_path / "whole", steps))
    rng, deaths = random.Random(5), 0
    while deaths < kills:
        process = start(tmp_path / "broken", steps)
        folder, before = tmp_path / "broken" / "state", None
        while process.poll() is None:
            # Die at a random moment after a state has appeared, the writing of the next included.
            now = sorted(path.name for path in folder.glob("step-*")) if folder.exists() else []
            if before is not None and now != before:
                time.sleep(rng.random() * 0.3)
                process.send_signal(signal.SIGKILL)
                deaths += 1
                break
            before = now if before is None else before
            time.sleep(0.005)
        process.communicate()
        if process.returncode == 0:
            break
    assert deaths > 0
    finish(start(tmp_path / "broken", steps))
    whole, broken = (
        state.load_latest(tmp_path / name / "state", Console()) for name in ("whole", "broken")
    )
    assert whole is not None
    assert broken is not None
    assert whole.step == broken.step == steps
    assert all(torch.equal(value, broken.trainable[key]) for key, value in whole.trainable.items())
    assert all(torch.equal(value, broken.optimizer[key]) for key, value in whole.optimizer.items())


def test_killed_and_resumed_equals_unbroken(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=3, steps=8)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_thirty_times(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=30, steps=60)


def test_two_processes_equal_one(tmp_path: Path) -> None:
    finish(start(tmp_path / "one", 4, 4))
    port = 20000 + os.getpid() % 20000
    launch = ("-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}")
    finish(start(tmp_path / "two", 4, 2, launcher=launch))
    rows = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two")]
    losses = [[row["loss"] for row in run if "loss" in row] for run in rows]
    scores = [[row["validation"] for row in run if "validation" in row] for run in rows]
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=0, atol=1e-5)
    assert scores[0][0]["f1"] == pytest.approx(scores[1][0]["f1"], abs=1e-3)
