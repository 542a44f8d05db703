"""`sam-crack train` leaves a run folder that explains itself, and refuses what cannot be meant."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SMALL = {
    "model.backbone.name": "tiny",
    "model.backbone.pretrained": "false",
    "model.window": "64,64",
    "train.steps": "4",
    "train.batch_size": "2",
    "train.warmup": "1",
    "train.validate_every": "2",
}


def write_set(root: Path, *, line: int = 255) -> Path:
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            image = rng.integers(90, 160, (80, 96, 3), dtype=np.uint8)
            mask = np.zeros((80, 96), np.uint8)
            mask[20 + 9 * number : 24 + 9 * number, 10:80] = line
            for kind, array in (("images", image), ("masks", mask)):
                folder = root / split / kind
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(folder / f"{number}.png")
    return root


@pytest.fixture
def train(tmp_path, run_cli):
    write_set(tmp_path / "data")

    def run(*words: object, **flags: object) -> tuple[int, str, str]:
        given = SMALL | {"data.root": tmp_path / "data"} | flags
        return run_cli("train", *words, *(f"--{name}={value}" for name, value in given.items()))

    return run


def test_run_folder_explains_itself(train, tmp_path):
    code, out, err = train("--json", "--out", tmp_path / "run")
    assert code == 0, err
    folder = tmp_path / "run"
    pages = sorted(path.name for path in (folder / "samples").iterdir())
    assert pages == ["step-00000002.png", "step-00000004.png"]
    with Image.open(folder / "samples" / pages[0]) as page:
        assert page.width > 1600
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["steps"] == 4
    assert summary["best"]["f1"] == json.loads(out)["best"]["f1"]
    assert f"{summary['best']['f1']:.3f}" in (folder / "CARD.md").read_text()
    assert (folder / "curves.png").stat().st_size > 10_000


def test_other_data_is_refused_on_resume_unless_allowed(train, tmp_path):
    assert train("--out", tmp_path / "run")[0] == 0
    for kind in ("images", "masks"):
        (tmp_path / "data" / "train" / kind / "2.png").unlink()
    code, _, err = train("--resume", tmp_path / "run")
    assert (code, "another set of samples" in err) == (2, True)
    code, _, err = train("--resume", tmp_path / "run", "--allow-changes")
    assert code == 0, err


def test_masks_without_foreground_are_refused(train, tmp_path):
    write_set(tmp_path / "data", line=0)
    code, _, err = train("--out", tmp_path / "run")
    assert code == 3
    assert "foreground" in err


def test_dry_run_trains_nothing(train, tmp_path):
    code, out, _ = train("--dry-run", "--out", tmp_path / "run")
    assert code == 0
    assert "4 steps of 2 crops" in out
    assert "of the pixels background 9" in out
    assert "s a step, about" in out
    assert "peak memory" in out
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_run_starts_from_another(train, tmp_path):
    assert train("--out", tmp_path / "first", **{"train.steps": 30})[0] == 0
    cold = train("--json", "--out", tmp_path / "cold", **{"train.steps": 1})
    warm = train(
        "--json", "--out", tmp_path / "warm", "--init", tmp_path / "first", **{"train.steps": 1}
    )
    assert warm[0] == 0, warm[2]
    before, after = (json.loads(out)["best"]["f1"] for _, out, _ in (cold, warm))
    first = json.loads((tmp_path / "first" / "summary.json").read_text())["best"]["f1"]
    assert after > before
    assert after == pytest.approx(first, abs=0.15)


def test_another_model_is_refused_as_start(train, tmp_path):
    assert train("--out", tmp_path / "first")[0] == 0
    flags = {"model.adapter.rank": 4}
    code, _, err = train("--out", tmp_path / "second", "--init", tmp_path / "first", **flags)
    assert code == 2
    assert "another model" in err
