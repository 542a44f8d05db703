"""The verb that compares methods counts what is really there, and quickly."""

import json

from sam_crack.adapt.methods import METHODS
from sam_crack.config.verbs import AdaptersOptions
from sam_crack.console import Console
from sam_crack.model.adapters_table import run_adapters


def table(backbone):
    found = run_adapters(AdaptersOptions(backbone=backbone), Console(quiet=True))
    return {row["method"]: row for row in found["methods"]}


def test_counts_are_those_of_a_real_encoder(bench):
    rows = table("tiny")
    assert list(rows) == list(METHODS)
    for method, row in rows.items():
        facts = bench(method).adapted.adaptation
        assert (row["trainable"], row["matched"]) == (facts.trainable, len(facts.matched)), method
        assert row["adapter_bytes"] == facts.adapter_bytes
        assert row["share"] == facts.trainable / facts.total


def test_counts_of_the_large_encoder_follow_from_its_size():
    rows = table("vit_h")
    assert rows["lora"]["trainable"] == 32 * 2 * 8 * (1280 + 1280)
    assert rows["norm"]["trainable"] == 32 * 2 * 2 * 1280 + 2 * 2 * 256
    assert rows["bottleneck"]["trainable"] == 32 * 2 * (2 * 1280 * 32 + 1280 + 32)
    assert rows["full"]["share"] == 1.0


def test_the_command_prints_every_method(run_cli):
    code, out, err = run_cli("adapters", "--backbone", "tiny")
    assert code == 0, err
    assert all(f"\n{method} " in out for method in METHODS)


def test_the_command_prints_one_document(run_cli):
    code, out, _ = run_cli("adapters", "--backbone", "tiny", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["backbone"] == "tiny"
    assert [row["method"] for row in found["methods"]] == list(METHODS)
