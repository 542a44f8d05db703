"""`sam-crack train` leaves a run folder that explains itself, and refuses what cannot be meant."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_crack.config.schema import TrainConfig
from sam_crack.studies.training.verb import without_effect
from sam_crack.train.state import FolderLock

SMALL = {
    "model.backbone.name": "tiny",
    "model.backbone.pretrained": "false",
    "model.window": "64,64",
    "train.steps": "4",
    "train.batch_size": "2",
    "train.warmup": "1",
    "train.validate_every": "2",
}


def write_set(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            image = rng.integers(90, 160, (80, 96, 3), dtype=np.uint8)
            mask = np.zeros((80, 96), np.uint8)
            mask[20 + 9 * number : 24 + 9 * number, 10:80] = 255
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


def test_another_configuration_is_named_and_leaves_the_run_as_it_was(train, tmp_path):
    run = tmp_path / "run"
    assert train("--out", run)[0] == 0
    before = {name: (run / name).read_bytes() for name in ("config.yaml", "run.json")}
    code, _, err = train("--resume", run, **{"train.lr": "1e-4"})
    assert code == 2
    assert "train.lr 0.0005, not 0.0001" in err
    assert train("--resume", run)[0] == 0
    assert before == {name: (run / name).read_bytes() for name in before}
    assert train("--resume", run, "--allow-changes", **{"train.lr": "1e-4"})[0] == 0
    assert "lr: 0.0001" in (run / "config.yaml").read_text()


def test_a_running_run_is_left_alone(train, tmp_path):
    folder = tmp_path / "run"
    with FolderLock(folder):
        code, _, err = train("--out", folder)
    assert (code, "another run is writing here" in err) == (2, True)
    assert [path.name for path in folder.iterdir()] == ["run.lock"]


def test_only_a_run_is_gone_on_with(train, tmp_path):
    before = sorted((tmp_path / "data").rglob("*"))
    code, _, err = train("--resume", tmp_path / "data")
    assert (code, "no such run" in err) == (3, True)
    assert sorted((tmp_path / "data").rglob("*")) == before


def test_a_run_goes_on_in_its_own_folder(train, tmp_path):
    assert train("--out", tmp_path / "run")[0] == 0
    code, _, err = train("--resume", tmp_path / "run", "--out", tmp_path / "other")
    assert (code, "in its own folder" in err) == (2, True)


@pytest.mark.parametrize("split", ["train", "val"])
def test_masks_without_foreground_are_refused(train, tmp_path, split):
    for path in (tmp_path / "data" / split / "masks").iterdir():
        Image.fromarray(np.zeros((80, 96), np.uint8)).save(path)
    code, _, err = train("--out", tmp_path / "run")
    assert code == 3
    assert "no foreground in any of the" in err
    assert f"frames of {split};" in err


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"warmup": 5, "steps": 4}, "train.warmup 5 of 4 steps"),
        ({"patience": 2, "validate_every": 0}, "train.patience 2 has no effect"),
        ({"patience": 2, "validate_every": 100, "steps": 300}, "needs 3 validations before"),
    ],
)
def test_settings_that_do_nothing_are_said(settings, told):
    (said,) = without_effect(TrainConfig(**settings))
    assert told in said


def test_settings_that_work_are_not_spoken_of():
    assert not without_effect(TrainConfig(patience=2, validate_every=100, steps=301))


def test_dry_run_trains_nothing(train, tmp_path):
    code, out, _ = train("--dry-run", "--out", tmp_path / "run")
    assert code == 0
    assert "4 steps of 2 crops" in out
    assert "of the pixels of 3 frames: background 9" in out
    assert "s a step, about" in out
    assert "peak memory" in out
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_learning_the_head_alone_is_told_that_features_can_be_kept(train, tmp_path):
    method = {"model.adapter.method": "head_only"}
    _, out, _ = train("--dry-run", "--out", tmp_path / "run", **method)
    assert "--train.cache_crops N" in out
    _, out, _ = train("--dry-run", "--out", tmp_path / "run", **method, **{"train.cache_crops": 4})
    assert "--train.cache_crops N" not in out


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
