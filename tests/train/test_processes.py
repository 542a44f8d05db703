"""Real processes: killed at random and resumed, and two that share the work of one."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sam_crack.adapt.methods import METHODS
from sam_crack.console import Console
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.train import state
from sam_crack.train.session import CHECKPOINT
from tests.train.tiny_run import session, with_train

SCRIPT = Path(__file__).with_name("train_tiny.py")
ENV = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


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
    kill_and_resume(tmp_path, kills=4, steps=8)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_thirty_times(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=30, steps=60)


FAST = ("lora", "two_level")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def torchrun() -> tuple[str, ...]:
    return ("-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}")


def check_two_equal_one(tmp_path: Path, methods: Sequence[str]) -> None:
    """At the same global batch, two processes see the losses and the validations of one."""
    finish(start(tmp_path / "one", 4, 4, ",".join(methods)))
    finish(start(tmp_path / "two", 4, 2, ",".join(methods), launcher=torchrun()))
    for method in methods:
        rows = [
            json.loads((tmp_path / name / method / "result.json").read_text())
            for name in ("one", "two")
        ]
        losses = [torch.tensor([row["loss"] for row in run if "loss" in row]) for run in rows]
        scores = [[row["validation"] for row in run if "validation" in row] for run in rows]
        assert losses[0].tolist() == pytest.approx(losses[1].tolist(), abs=1e-5), method
        assert rows[0][0]["before"] == rows[1][0]["before"], method
        assert scores[0][0]["f1"] == pytest.approx(scores[1][0]["f1"], abs=1e-3), method


def test_two_processes_equal_one(tmp_path: Path) -> None:
    check_two_equal_one(tmp_path, FAST)


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in METHODS if name not in FAST])
def test_two_processes_equal_one_with_every_adapter(tmp_path: Path, method: str) -> None:
    check_two_equal_one(tmp_path, [method])


@pytest.mark.slow
def test_accelerate_launches_the_command_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(3):
            mask = np.zeros((72, 80), np.uint8)
            mask[20 + 9 * number : 26 + 9 * number, 8:70] = 255
            image = rng.integers(90, 160, (72, 80, 3), dtype=np.uint8) - mask[..., None] // 4
            for kind, array in (("images", image), ("masks", mask)):
                (tmp_path / split / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(tmp_path / split / kind / f"{number}.png")
    # Its own --cpu starts a single process.
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2"]
    launch += [f"--main_process_port={free_port()}", "--mixed_precision=no", "--num_machines=1"]
    launch += ["--dynamo_backend=no", "--num_cpu_threads_per_process=1", "-m", "sam_crack", "train"]
    flags = ["--model.backbone.name=tiny", "--model.backbone.pretrained=false"]
    flags += ["--model.window=64,64", f"--data.root={tmp_path}", "--train.steps=3"]
    flags += ["--train.batch_size=1", "--train.warmup=0", "--out", str(tmp_path / "run")]
    words = [sys.executable, *launch, *flags]
    done = subprocess.run(words, env=ENV, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    said = done.stdout.decode()
    assert said.count("3 steps of 2 crops") == 1
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"] == 3
    assert (tmp_path / "run" / "checkpoint" / "model.json").is_file()


@pytest.mark.slow
def test_weights_in_parts_learn_the_same_and_resume_exactly(tmp_path: Path) -> None:
    def sharded() -> None:
        script = Path(__file__).with_name("train_sharded.py")
        words = [sys.executable, *torchrun(), str(script), str(tmp_path / "parts"), "4"]
        finish(subprocess.Popen(words, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))

    config = with_train(steps=4, batch_size=4, save_every=1, ema=0.5)
    adapter = dataclasses.replace(config.model.adapter, method="full")
    model = dataclasses.replace(config.model, adapter=adapter)
    alone = session(tmp_path / "one", dataclasses.replace(config, model=model)).fit(resume=False)
    sharded()
    rows = json.loads((tmp_path / "parts" / "result.json").read_text())
    losses = [[row["loss"] for row in run if "loss" in row] for run in (rows, alone.history)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    saved = tmp_path / "parts" / "state"
    one, other = final(tmp_path / "one" / "state"), final(saved)
    for part in ("trainable", "average"):
        for name, value in getattr(one, part).items():
            torch.testing.assert_close(getattr(other, part)[name], value, rtol=0, atol=5e-4)
    (saved / "step-00000004").rename(saved / "gone")
    sharded()
    again = final(saved)
    assert again.step == 4
    for part in ("trainable", "average", "optimizer"):
        values = getattr(other, part)
        assert values
        assert all(torch.equal(values[name], value) for name, value in getattr(again, part).items())
    assert load_checkpoint(tmp_path / "parts" / CHECKPOINT)[1].steps > 0


def final(folder: Path) -> state.State:
    found = state.load_latest(folder, Console())
    assert found is not None
    return found
