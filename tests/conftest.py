"""What every test may ask for: real data, base weights, the command line in process."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# tiny models: a second thread costs more than it gives, and on a busy machine minutes
os.environ.setdefault("OMP_NUM_THREADS", "1")

from sam_crack.cli import main

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"
REQUIRED = os.environ.get("SAM_CRACK_REQUIRE_DATA") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Where SAM_CRACK_REQUIRE_DATA=1 promises data and weights, a skip for want of them fails."""
    report = yield
    needs = [name for name in ("realdata", "weights") if item.get_closest_marker(name)]
    if REQUIRED and needs and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} needs {needs}, SAM_CRACK_REQUIRE_DATA=1: {reason}"
    return report


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The small real data sets; set SAM_CRACK_DATA to point at them."""
    root = Path(os.environ.get("SAM_CRACK_DATA") or DEFAULT_DATA)
    if not root.is_dir():
        pytest.skip(f"no real data in {root}: set SAM_CRACK_DATA")
    return root


@pytest.fixture(scope="session")
def mobile_sam_path() -> Path:
    """The published MobileSAM weights, fetched once into the cache."""
    from sam_crack.console import Console
    from sam_crack.errors import SamCrackError
    from sam_crack.weights import base as weights

    try:
        return weights.fetch("mobile_sam", Console(quiet=True))
    except (SamCrackError, OSError) as error:
        pytest.skip(f"no MobileSAM weights: {error}")


@pytest.fixture
def run_cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run one command line in this process: `code, stdout, stderr = run_cli("config", "demo")`."""

    def run(*args: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return code, out, err

    return run
