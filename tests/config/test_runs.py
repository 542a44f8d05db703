"""Run folders: never shared, and complete about how the run began."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from sam_crack.config.load import config_hash, load_config
from sam_crack.config.runs import new_run_folder, write_run_header
from sam_crack.config.schema import RunConfig, TrainConfig
from sam_crack.errors import UsageError


def test_folders_are_numbered_by_name(tmp_path):
    names = [new_run_folder(tmp_path, "data synth", n).name for n in ("a", "a", "b", "a")]
    assert names == ["a-1", "a-2", "b-1", "a-3"]
    assert (tmp_path / "data-synth" / "a-3").is_dir()


def test_the_number_after_the_largest_is_taken(tmp_path):
    for folder in ("a-7", "a-b-9", "ab-30", "a-x"):
        (tmp_path / "train" / folder).mkdir(parents=True)
    assert new_run_folder(tmp_path, "train", "a").name == "a-8"


def test_racing_runs_never_share_a_folder(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: new_run_folder(tmp_path, "train", "r"), range(64)))
    assert len(set(made)) == 64


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a\nb", "x" * 101, "a\0"])
def test_a_name_that_is_no_folder_is_refused(name, tmp_path):
    with pytest.raises(UsageError, match="run name"):
        new_run_folder(tmp_path, "train", name)
    assert not os.listdir(tmp_path)  # noqa: PTH208


def test_the_header_holds_config_command_and_versions(tmp_path):
    config = RunConfig(train=TrainConfig(lr=1e-4), name="é: #1")
    write_run_header(tmp_path, config, ["/opt/bin/sam-crack", "train", "a b.yaml"])
    assert load_config(RunConfig, file=tmp_path / "config.yaml") == config
    header = json.loads((tmp_path / "run.json").read_text())
    assert header["command"] == "sam-crack train 'a b.yaml'"
    assert header["config_sha256"] == config_hash(config)
    assert header["packages"]["numpy"].count(".") == 2
    assert os.uname().nodename not in (tmp_path / "run.json").read_text()
