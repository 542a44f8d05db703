"""A run goes on as what it is, or says why it does not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_crack.console import Console
from sam_crack.data.mixture import Mixture, Part
from sam_crack.data.opening import open_samples
from sam_crack.studies.training.record import data_hash
from sam_crack.train.state import load_latest
from tests.studies.test_training import SMALL, write_set


@pytest.fixture
def train(tmp_path, run_cli, monkeypatch):
    """Runs `train` in a folder of its own, on data that lie in it."""
    monkeypatch.chdir(tmp_path)
    write_set(Path("data"))

    def run(*words, **flags):
        given = SMALL | {"data.root": "data"} | flags
        return run_cli("train", *words, *(f"--{name}={value}" for name, value in given.items()))

    return run


def test_beginning_anew_is_said_and_keeps_the_record(train):
    run = Path("run")
    assert train("--out", run)[0] == 0
    shutil.rmtree(run / "state")
    before = (run / "metrics.jsonl").read_bytes()
    code, _, err = train("--resume", run)
    assert code == 0
    assert "run holds no state to go on from: beginning at step 0" in err
    assert (run / "metrics.before-1.jsonl").read_bytes() == before


def test_a_run_knows_what_it_began_from(train):
    first, run = Path("first"), Path("run")
    assert train("--out", first)[0] == 0
    assert train("--out", run, "--init", first)[0] == 0
    noted = json.loads((run / "run.json").read_text())["begun_from"]
    assert noted["checkpoint"] == "first"
    assert load_latest(run / "state", Console()).facts["begun_from"] == noted
    told = f"| begun from | first, sha256 of its weights {noted['weights_sha256'][:16]} |"
    assert told in (run / "CARD.md").read_text()
    code, out, err = train("--resume", run)
    assert (code, "starting from" in out) == (0, False), err
    assert told in (run / "CARD.md").read_text()
    assert "no effect" in train("--resume", run, "--init", run)[2]
    shutil.rmtree(run / "state")
    code, out, err = train("--resume", run)
    assert (code, "starting from first, trained for" in out) == (0, True), err
    shutil.rmtree(run / "state")
    first.rename("elsewhere")
    code, _, err = train("--resume", run)
    assert (code, "the run began from first, which cannot be taken" in err) == (3, True)
    code, out, _ = train("--resume", run, "--init", "elsewhere")
    assert (code, "starting from elsewhere" in out) == (0, True)
    assert json.loads((run / "run.json").read_text())["begun_from"]["checkpoint"] == "elsewhere"


@pytest.mark.parametrize(
    ("words", "flags", "code"),
    [
        ((), {"train.losses": "hope=1"}, 2),
        ((), {"model.head.boundary": "true"}, 2),
        (("--init", "nowhere"), {}, 3),
    ],
)
def test_what_is_refused_beforehand_leaves_no_folder(train, words, flags, code):
    assert train(*words, **flags)[0] == code
    assert not Path("runs").exists()


def test_auto_takes_the_newest_run_in_which_something_began(train):
    runs = Path("runs/train")
    code, out, err = train("--resume", "auto")
    assert (code, "going on" in out) == (0, False)
    assert "tried: " in out  # a new run tells what a step costs, however it was begun
    assert "holds no state" not in err
    for number in (2, 3):
        (runs / f"run-{number}").mkdir()
        shutil.copy(runs / "run-1" / "config.yaml", runs / f"run-{number}")
    (runs / "run-2" / "metrics.jsonl").write_text('{"step": 1}\n')
    code, out, _ = train("--resume", "auto")
    assert (code, "going on with runs/train/run-1\n" in out) == (0, True)
    shutil.rmtree(runs / "run-1")
    assert "going on with runs/train/run-2\n" in train("--resume", "auto")[1]
    shutil.rmtree(runs / "run-2")
    code, out, _ = train("--resume", "auto")
    assert (code, "checkpoint: runs/train/run-4/checkpoint" in out) == (0, True)


def test_a_state_is_no_place_to_begin_another_run(train):
    assert train("--out", "run")[0] == 0
    Path("run/metrics.jsonl").unlink()
    code, _, err = train("--out", "run")
    assert (code, "holds a run already" in err) == (2, True)


def test_crops_of_a_step_stay_the_same(train):
    assert train("--out", "run")[0] == 0
    code, _, err = train("--resume", "run", **{"train.batch_size": 4})
    assert (code, "processes): 2, not 4" in err) == (2, True)
    code, _, err = train("--resume", "run", **{"train.batch_size": 1, "train.accumulate": 2})
    assert code == 0, err
    assert "accumulate: 2" in Path("run/config.yaml").read_text()
    assert train("--resume", "run", "--allow-changes", **{"train.batch_size": 4})[0] == 0


def test_changes_that_cannot_be_taken_up_leave_the_run_as_it_was(train):
    assert train("--out", "run")[0] == 0
    before = {name: Path("run", name).read_bytes() for name in ("config.yaml", "run.json")}
    rank = {"model.adapter.rank": 4}
    code, _, err = train("--resume", "run", "--allow-changes", **rank)
    assert (code, "the saved state and this model differ" in err) == (2, True)
    assert before == {name: Path("run", name).read_bytes() for name in before}
    assert train("--resume", "run")[0] == 0
    code, _, err = train("--resume", "run", "--allow-changes", **{"train.ema": 0.9})
    assert code == 0, err
    assert "ema: 0.9" in Path("run/config.yaml").read_text()


def test_what_changes_no_result_may_change(train, tmp_path):
    assert train("--out", "run")[0] == 0
    before = Path("run/config.yaml").read_bytes()
    flags = {"data.root": tmp_path / "data", "data.num_workers": 1, "train.save_every": 1}
    code, _, err = train("--resume", "run", **flags)
    assert code == 0, err
    assert Path("run/config.yaml").read_bytes() == before
    shutil.copytree("data", "other")
    code, _, err = train("--resume", "run", **{"data.root": "other"})
    assert (code, "data.root data, not other" in err) == (2, True)
    assert train("--resume", "run", "--allow-changes", **{"data.root": "other"})[0] == 0


def test_a_changed_mask_is_another_set_of_samples(train):
    assert train("--out", "run")[0] == 0
    Image.fromarray(np.eye(80, 96, dtype=np.uint8) * 255).save("data/train/masks/0.png")
    code, _, err = train("--resume", "run")
    assert (code, "another set of samples" in err) == (2, True)


def test_the_hash_of_data_sees_each_part_and_each_file(tmp_path):
    root = write_set(tmp_path / "data")
    first, val = (open_samples("folder", root, split=split) for split in ("train", "val"))
    alone = data_hash(first, val)
    mixed = Mixture(parts=(Part(name="a", samples=first), Part(name="b", samples=val)))
    both = data_hash(mixed, val)
    assert alone != both
    (root / "val" / "images" / "1.png").unlink()
    assert data_hash(mixed, val) != both
    assert data_hash(first, val) != alone


def test_the_hash_of_a_store_is_that_of_its_frames(tmp_path, run_cli):
    root = write_set(tmp_path / "data")
    hashes = []
    for name in ("one", "same", "other"):
        if name == "other":
            Image.fromarray(np.eye(80, 96, dtype=np.uint8) * 255).save(root / "val/masks/0.png")
        out = tmp_path / name
        assert run_cli("data", "prepare", "folder", root, "--out", out)[0] == 0
        train, val = (open_samples("folder", out, split=split) for split in ("train", "val"))
        hashes.append(data_hash(train, val))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_finished_run_gets_back_what_was_removed(train):
    assert train("--out", "run")[0] == 0
    shutil.rmtree("run/checkpoint")
    Path("run/metrics.jsonl").unlink()
    Path("run/curves.png").unlink()
    code, _, err = train("--resume", "run")
    assert code == 0, err
    assert "run/checkpoint is gone" in err
    assert Path("run/checkpoint/model.json").is_file()
    assert "curves.png" not in Path("run/CARD.md").read_text()


def test_a_damaged_header_is_no_bug(train):
    assert train("--out", "run")[0] == 0
    Path("run/run.json").write_text("{")
    code, _, err = train("--resume", "run")
    assert (code, "run.json cannot be read" in err) == (0, True)


def test_a_run_does_not_end_before_its_state(train):
    assert train("--out", "run")[0] == 0
    code, _, err = train("--resume", "run", "--allow-changes", **{"train.steps": 2})
    assert code == 2
    assert "train.steps 2, and the state saved last is of step 4" in err


def test_the_folder_of_the_data_is_not_written_into(train):
    code, _, err = train("--out", "data")
    assert (code, "--out data is the folder of the data" in err) == (2, True)
    assert not Path("data/config.yaml").exists()
    assert train("--out", "data", "--resume", "auto")[0] == 2


def test_with_a_state_the_weights_of_the_beginning_are_not_missed(train):
    assert train("--out", "first")[0] == 0
    words = ("--out", "run", "--init", "first", "--resume", "auto")
    assert train(*words)[0] == 0
    Path("first").rename("elsewhere")
    code, out, err = train(*words)
    assert (code, "resumed at step 4 of 4" in out) == (0, True), err
