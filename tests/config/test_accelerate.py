"""The launch files are ones that Accelerate itself accepts, and say who should take them."""

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

FOLDER = Path(__file__).parents[2] / "configs" / "accelerate"
KINDS = {
    "single": ("NO", 1, 1),
    "ddp": ("MULTI_GPU", 1, 8),
    "fsdp2": ("FSDP", 1, 8),
    "deepspeed_zero2": ("DEEPSPEED", 1, 8),
    "two_nodes": ("MULTI_GPU", 2, 16),
}


def test_every_file_is_known():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_reads_it(name):
    config = load_config_from_file(str(FOLDER / f"{name}.yaml"))
    found = (str(config.distributed_type.value), config.num_machines, config.num_processes)
    assert found == KINDS[name]
    assert config.mixed_precision == "no"


@pytest.mark.parametrize("name", KINDS)
def test_first_line_says_when_to_take_it(name):
    first = (FOLDER / f"{name}.yaml").read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) > 60


def test_fsdp_is_the_second_version_and_wraps_our_blocks():
    from sam_crack.model import vit

    settings = load_config_from_file(str(FOLDER / "fsdp2.yaml")).fsdp_config
    assert settings["fsdp_version"] == 2
    assert hasattr(vit, settings["fsdp_transformer_layer_cls_to_wrap"])


def test_the_readme_says_when_to_take_each_file():
    text = (FOLDER / "README.md").read_text()
    assert all(f"`{name}.yaml`" in text for name in KINDS)
