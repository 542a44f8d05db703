"""What every test may ask for: real data, base weights, the command line in process."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sam_crack.cli import main

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"
REQUIRED = os.environ.get("SAM_CRACK_REQUIRE_DATA") == "1"


def _absent(reason: str) -> None:
    """Skip where a resource is optional; fail where SAM_CRACK_REQUIRE_DATA=1 promises it."""
    if REQUIRED:
        pytest.fail(f"SAM_CRACK_REQUIRE_DATA=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The small real data sets; set SAM_CRACK_DATA to point at them."""
    root = Path(os.environ.get("SAM_CRACK_DATA") or DEFAULT_DATA)
    if not root.is_dir():
        _absent(f"no real data in {root}: set SAM_CRACK_DATA")
    return root


@pytest.fixture(scope="session")
def mobile_sam_path() -> Path:
    """The published MobileSAM weights, fetched once into the cache."""
    from sam_crack.console import Console
    from sam_crack.errors import SamCrackError
    from sam_crack.model import weights

    try:
        return weights.fetch("mobile_sam", Console(quiet=True))
    except (SamCrackError, OSError) as error:
        _absent(f"no MobileSAM weights: {error}")
        raise


@pytest.fixture
def run_cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run one command line in this process: `code, stdout, stderr = run_cli("config", "demo")`."""

    def run(*args: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return code, out, err

    return run
