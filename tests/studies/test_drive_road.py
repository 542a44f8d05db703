"""`predict --road`: what is said and what is written when a part of the frame is looked at."""

import json

import cv2
import numpy as np
import pytest

from tests.studies.tiny_road import write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model") / "tiny", threshold=0.01)


@pytest.fixture
def predict(run_cli, checkpoint, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(3):
        image = rng.integers(0, 256, (160, 200, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), image)

    def run(road):
        out = tmp_path / f"out-{road[:4]}"
        line = ["predict", checkpoint, tmp_path / "in", "--out", out, "--no-report"]
        code, said, err = run_cli(*line, "--road", road, "--json")
        return code, json.loads(said), err, out

    return run


def masks(out):
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(out.glob("masks/*.png"))]


def test_where_no_road_is_found_all_is_looked_at_and_it_is_said_once(predict):
    code, _, err, out = predict("auto")  # drawn weights, which know no road
    assert code == 0
    assert err.count("looked at everywhere") == 1
    *_, plain = predict("all")
    assert len(masks(plain)) == 3
    np.testing.assert_array_equal(masks(out), masks(plain))


def test_nothing_is_found_outside_of_a_drawn_road(predict, tmp_path):
    (tmp_path / "road.json").write_text("[[1, 0], [0.6, 0], [0.6, 0.5], [1, 0.5]]")
    code, _, _, out = predict(f"mask:{tmp_path / 'road.json'}")
    *_, plain = predict("all")
    assert code == 0
    for mask, whole in zip(masks(out), masks(plain), strict=True):
        assert whole[:85].mean() > 0.8 * 255
        assert mask[100:, :98].mean() > 0.8 * 255
        assert not mask[:85].any()
        assert not mask[:, 112:].any()


@pytest.mark.parametrize(("road", "exit_code"), [("mask:none.png", 3), ("lane", 2)])
def test_a_road_that_cannot_be_read_ends_before_anything_is_written(road, exit_code, predict):
    code, _, _, out = predict(road)
    assert code == exit_code
    assert not out.exists()
