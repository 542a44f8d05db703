"""Every setting explains itself."""

import pytest

from sam_crack.config import data_verbs, verbs
from sam_crack.config.docs import field_docs
from sam_crack.config.kinds import choices_of
from sam_crack.config.load import leaves
from sam_crack.config.schema import DataConfig, RunConfig

OPTIONS = [RunConfig] + [
    found
    for module in (verbs, data_verbs)
    for name, found in vars(module).items()
    if name.endswith("Options")
]


def test_a_docstring_belongs_to_the_field_above_it():
    docs = field_docs(DataConfig)
    assert docs["val"].startswith("Split on which the threshold")
    assert set(docs) == set(DataConfig.__dataclass_fields__)


@pytest.mark.parametrize("name", sorted(leaves(RunConfig)))
def test_every_setting_of_a_run_is_documented(name):
    text = field_docs(leaves(RunConfig)[name].owner)[name.rpartition(".")[2]]
    assert text.endswith(".")


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.__name__)
def test_what_is_neither_a_switch_nor_a_choice_has_an_example(options):
    for name, leaf in leaves(options).items():
        text = field_docs(leaf.owner)[name.rpartition(".")[2]]
        assert "Example: " in text or leaf.kind is bool or choices_of(leaf.kind), name


def test_without_source_there_are_no_docs():
    made = type("Made", (), {"__module__": "not.there"})
    assert field_docs(made) == {}
