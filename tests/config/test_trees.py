import pytest

from sam_crack.config.schema import RunConfig
from sam_crack.config.trees import load_tree, merged
from sam_crack.errors import UsageError


def test_sections_are_merged_and_values_replaced():
    below = {"train": {"steps": "5", "lr": "1"}, "seed": "3"}
    assert merged(below, {"train": {"lr": "2"}, "name": "x"}) == {
        "train": {"steps": "5", "lr": "2"},
        "seed": "3",
        "name": "x",
    }
    assert below["train"] == {"steps": "5", "lr": "1"}


def test_losses_are_a_value_not_a_section():
    below = {"train": {"losses": {"bce": "1", "dice": "1"}}}
    assert merged(below, {"train": {"losses": {"focal": "1"}}})["train"]["losses"] == {"focal": "1"}


def test_a_tree_becomes_a_config_and_errors_name_the_place():
    config = load_tree(RunConfig, {"train": {"steps": "7"}}, "here")
    assert (config.train.steps, config.seed) == (7, 0)
    with pytest.raises(UsageError, match=r"here: .*train\.stpes"):
        load_tree(RunConfig, {"train": {"stpes": "7"}}, "here")
