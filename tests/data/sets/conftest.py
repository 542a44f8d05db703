"""Converted MATLAB files of these tests stay out of the user's cache."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mat_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all: its keys hold path, size and time."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(mat_cache: Path, monkeypatch: pytest.MonkeyPatch):
    """Point the cache away from the user's."""
    monkeypatch.setenv("SAM_CRACK_HOME", str(mat_cache))
