import csv
import json

import pytest

from sam_crack.infer.rows import write_csv, write_jsonl


def test_formulas_become_text_and_numbers_stay_numbers(tmp_path):
    rows = [{"name": '=HYPERLINK("x")', "x": -1.5}, {"name": "a,b\n", "x": None}, {"name": "@u"}]
    write_csv(tmp_path / "t.csv", ["name", "x"], rows)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["name", "x"],
            ['\'=HYPERLINK("x")', "-1.5"],
            ["a,b\n", ""],
            ["'@u", ""],
        ]


def test_lines_are_json(tmp_path):
    rows = [{"name": "ü\n", "x": [1, 2]}, {}]
    write_jsonl(tmp_path / "t.jsonl", rows)
    assert [json.loads(x) for x in (tmp_path / "t.jsonl").read_text("utf-8").splitlines()] == rows


def test_a_failure_leaves_the_old_table(tmp_path):
    write_jsonl(tmp_path / "t.jsonl", [{"old": 1}])

    def broken():
        yield {"new": 1}
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_jsonl(tmp_path / "t.jsonl", broken())
    assert (tmp_path / "t.jsonl").read_text() == '{"old":1}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]
