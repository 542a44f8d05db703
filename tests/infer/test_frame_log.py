import json

import pytest

from sam_crack.errors import IntegrityError
from sam_crack.infer.frame_log import FrameLog


def record(source, index):
    return {
        "name": f"{source}/{index}",
        "source_name": source,
        "source": f"/drive/{source}",
        "source_bytes": 9,
        "index": index,
        "value": "ü" * index,
    }


def fill(path, *names):
    with FrameLog(path) as log:
        for source, index in names:
            log.append(record(source, index))
    return log


def test_records_come_back_in_the_order_of_the_stream(tmp_path):
    log = fill(tmp_path / "log", ("b", 10), ("b", 9), ("a", 1), ("gone", 0))
    names = [entry["name"] for entry in log.records(["a", "b"])]
    assert names == ["a/1", "b/9", "b/10", "gone/0"]


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_half_line_at_the_end_is_cut_off_and_written_again(tmp_path, cut):
    path = tmp_path / "log"
    fill(path, ("a", 0), ("a", 1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with FrameLog(path) as log:
        assert "a/0" in log
        assert "a/1" not in log
        log.append(record("a", 1))
    assert path.read_bytes() == whole
    assert [entry["index"] for entry in log.records(["a"])] == [0, 1]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "log"
    fill(path, ("a", 0), ("a", 1), ("a", 2))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"name":1\n' + lines[2])
    with pytest.raises(IntegrityError, match="line 2"):
        FrameLog(path)


def test_values_that_json_does_not_know_are_refused(tmp_path):
    with FrameLog(tmp_path / "log") as log, pytest.raises(ValueError, match="JSON"):
        log.append(record("a", 0) | {"value": float("nan")})


def test_every_line_is_json(tmp_path):
    fill(tmp_path / "log", ("a", 3))
    assert json.loads((tmp_path / "log").read_text("utf-8")) == record("a", 3)
