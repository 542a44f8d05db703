"""Converted MATLAB files of these tests stay out of the user's cache."""

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Point the cache at a folder of this test."""
    monkeypatch.setenv("SAM_CRACK_CACHE", str(tmp_path_factory.mktemp("cache")))
