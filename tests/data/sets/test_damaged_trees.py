"""Whole trees with one damaged, emptied or misplaced file: a sample or a clear error."""

import shutil
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from sam_crack.data.dataset import open_dataset
from sam_crack.errors import SamCrackError
from tests.data.formats.fuzz import damage
from tests.data.sets.test_every_set import FORMS


def _harm(path: Path, files: list[Path], rng: np.random.Generator) -> None:
    match int(rng.integers(5)):
        case 0:
            path.write_bytes(b"")
        case 1:
            path.unlink()
        case 2:
            path.write_bytes(files[int(rng.integers(len(files)))].read_bytes())
        case _:
            path.write_bytes(damage(path.read_bytes(), rng))


def _survive(form: str, cases: int, seed: int, folder: Path) -> int:
    name, writer = FORMS[form]
    rng = np.random.default_rng(seed)
    whole = folder / "whole"
    whole.mkdir()
    writer(whole)
    read = 0
    for case in range(cases):
        root = folder / f"{case}"
        shutil.copytree(whole, root)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        _harm(files[int(rng.integers(len(files)))], files, rng)
        with suppress(SamCrackError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders remark on what they forgive
            dataset = open_dataset(name, root)
            for index in range(len(dataset)):
                with suppress(SamCrackError):
                    read += dataset[index].mask.ndim == 2
        shutil.rmtree(root)
    return read


@pytest.mark.parametrize("form", FORMS)
def test_a_few_damaged_trees(form: str, tmp_path: Path):
    _survive(form, 3, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_many_damaged_trees(form: str, tmp_path: Path):
    assert _survive(form, 60, 2, tmp_path) > 0
