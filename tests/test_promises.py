"""A promise of data in the environment turns a silent skip into a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import pytest

@pytest.mark.realdata
def test_reads(data_root):
    assert data_root.is_dir()

def test_needs_nothing():
    pytest.skip("no reason that was promised away")
"""


@pytest.mark.parametrize(("promise", "code"), [("0", 0), ("1", 1)])
def test_absent_data_is_a_skip_or_a_failure(promise, code, tmp_path):
    (tmp_path / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (tmp_path / "test_probe.py").write_text(PROBE)
    pytest_here = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    settings = ["-o", "markers=realdata", "-o", f"pythonpath={Path(__file__).parents[1]}"]
    done = subprocess.run(
        [*pytest_here, *settings, str(tmp_path)],
        env={
            **os.environ,
            "SAM_CRACK_DATA": str(tmp_path / "absent"),
            "SAM_CRACK_REQUIRE_DATA": promise,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert "no real data" in done.stdout or promise == "0"
