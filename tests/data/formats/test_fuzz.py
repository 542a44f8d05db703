"""Every parser, fed damaged files: a result or a clear error, never a crash, a hang or a flood."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.formats.fuzz import PARSERS

ROOT = Path(__file__).parents[3]


def _run(name: str, cases: int, seed: int, folder: Path) -> dict:
    command = [sys.executable, "-m", "tests.data.formats.fuzz", name, str(cases), str(seed)]
    quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(folder)],
        cwd=ROOT,
        env=os.environ | quiet,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def _check(report: dict, cases: int) -> None:
    assert report["wrong"] == []
    assert 0.05 * cases < report["refused"] < cases
    assert report["slowest_s"] < 5
    assert report["peak_mb"] < 1000


@pytest.mark.parametrize("name", PARSERS)
def test_a_hundred_damaged_files(name: str, tmp_path: Path):
    _check(_run(name, 100, 1, tmp_path), 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_two_thousand_damaged_files(name: str, tmp_path: Path):
    _check(_run(name, 2000, 2, tmp_path), 2000)
