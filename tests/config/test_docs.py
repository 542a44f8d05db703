"""Every setting explains itself."""

import pytest

from sam_crack.config.docs import field_docs
from sam_crack.config.load import leaves
from sam_crack.config.schema import DataConfig, RunConfig


def test_a_docstring_belongs_to_the_field_above_it():
    docs = field_docs(DataConfig)
    assert docs["val"].startswith("Split on which the threshold")
    assert set(docs) == set(DataConfig.__dataclass_fields__)


@pytest.mark.parametrize("name", sorted(leaves(RunConfig)))
def test_every_setting_of_a_run_is_documented(name):
    text = field_docs(leaves(RunConfig)[name].owner)[name.rpartition(".")[2]]
    assert text.endswith(".")


def test_without_source_there_are_no_docs():
    made = type("Made", (), {"__module__": "not.there"})
    assert field_docs(made) == {}
