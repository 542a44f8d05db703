"""A small drive, rendered once, and an empty straight road to put cracks on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sam_crack.config.verbs import SynthOptions
from sam_crack.console import Console
from sam_crack.data.synth.drive import run_synth
from sam_crack.data.synth.frame import view_of
from sam_crack.data.synth.view import View

SMALL = (270, 480)


def options(out: Path, **changes: object) -> SynthOptions:
    base = SynthOptions(out=out, frames=3, seed=9, size=SMALL, video="none")
    return replace(base, **changes)


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synth") / "drive"
    run_synth(options(root, frames=8, video="mjpeg"), Console(quiet=True))
    return root


@pytest.fixture(scope="session")
def view() -> View:
    """A 4K camera on the first frame's pose; only geometry, nothing is rendered."""
    return view_of(9, 0, (2160, 3840))
