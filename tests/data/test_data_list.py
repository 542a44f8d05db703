"""The verb that lists the data sets."""

import json

import pytest

from sam_crack.data.sets.catalogue import DATASETS


def test_every_set_is_listed_with_its_counts(run_cli):
    code, out, _ = run_cli("data", "list")
    assert code == 0
    for name in DATASETS:
        assert f"\n{name} " in out
    assert "train 2,478, val 354, test 708" in out


def test_json_holds_every_fact(run_cli):
    code, out, _ = run_cli("data", "list", "--json")
    answer = json.loads(out)
    sets = answer.get("result", answer)["sets"]
    assert code == 0
    assert [each["name"] for each in sets] == list(DATASETS)
    for each in sets:
        assert each["url"]
        assert each["licence"]
        assert each["layout"]


def test_one_set_whole(run_cli):
    code, out, _ = run_cli("data", "list", "--name", "citypersons")
    assert code == 0
    assert "1,575 test frames; Cityscapes itself has 1,525" in out


def test_an_unknown_name_is_a_usage_error(run_cli):
    code, _, err = run_cli("data", "list", "--name", "citipersons")
    assert code == 2
    assert "did you mean citypersons" in err


@pytest.mark.parametrize("name", DATASETS)
def test_class_names_are_unique_and_fit_in_a_flag(name: str):
    names = [each.name for each in DATASETS[name].classes]
    assert len(set(names)) == len(names)
    assert not any("," in each or "=" in each for each in names)


@pytest.mark.parametrize(("name", "number"), [("cityscapes", 19), ("voc", 20), ("cocostuff", 171)])
def test_published_numbers_of_classes(name: str, number: int):
    assert len(DATASETS[name].classes) == number
