import json

import cv2
import numpy as np
import pytest

from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.gate import RAMP, count_gate, gate_scores
from sam_crack.infer.road import WIDER, parse_road

SIZE = (1000, 1600)


def written(path, points):
    path.write_text(json.dumps(points))
    return f"mask:{path}"


@pytest.mark.parametrize("text", ["all", "band:0,1"])
def test_all_of_a_frame_needs_no_gate(text):
    assert parse_road(text).gate(SIZE) is None


@pytest.mark.parametrize(("top", "bottom"), [(0.4, 0.7), (0.411, 0.413), (0, 0.2), (0.93, 1)])
def test_a_band_counts_wholly_and_fades_beyond(top, bottom):
    rows = parse_road(f"band:{top},{bottom}").gate(SIZE).at(SIZE)[:, 800]
    place = (np.arange(1000) + 0.5) / 1000
    assert (rows[(place > top) & (place < bottom)] == 1).all()
    away = np.maximum(top - place, place - bottom)
    assert (rows[away > RAMP + 0.01] == 0).all()
    faded = rows[(away > 0.01) & (away < RAMP)]
    assert ((faded > 0) & (faded < 1)).all()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "band",
        "band:",
        "band:1",
        "band:.5,.5",
        "band:.6,.2",
        "band:0,2",
        "band:a,b",
        "band:nan,1",
        "band:0,.5,1",
        "lane",
        "ALL",
        "all:",
        "auto:x",
        "auto:0",
        "auto:-1",
        "auto:",
        "mask",
        "mask:",
        "prior:",
    ],
)
def test_other_words_are_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"band:0\.4,1"):
        parse_road(text)


def test_a_sliver_of_a_tiny_frame_is_at_least_a_row():
    assert parse_road("band:0.99,1").gate((3, 3)).bounds((3, 3))[0] == (2, 3)


@pytest.mark.parametrize("size", [SIZE, (500, 800), (1600, 1000), (90, 400)])
def test_a_polygon_counts_inside_and_fades_outside(size, tmp_path):
    text = written(tmp_path / "p.json", [[1, 0.1], [0.3, 0.5], [1, 0.9]])
    weight = parse_road(text).gate(size).at(size)
    corners = np.array([[0.1, 1], [0.5, 0.3], [0.9, 1]]) * size[::-1]
    drawn = cv2.fillPoly(np.zeros(size, np.uint8), [corners.astype(np.int32)], 1) > 0
    inside = cv2.erode(drawn.astype(np.uint8), np.ones((5, 5))) > 0
    assert weight[inside].min() > 0.999
    away = cv2.distanceTransform((~drawn).astype(np.uint8), cv2.DIST_L2, 5) / size[0]
    assert weight[away > RAMP + 0.01 + 3 / size[0]].max() == 0


@pytest.mark.parametrize("bright", [1, 255])
def test_a_painted_mask_counts_where_it_is_bright(bright, tmp_path):
    mask = np.zeros((50, 80, 3), np.uint8)
    mask[25:, 40:] = bright
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    weight = parse_road(f"mask:{tmp_path / 'm.png'}").gate(SIZE).at(SIZE)
    assert weight[505:, 805:].min() == 1
    assert weight[:450].max() == weight[:, :750].max() == 0


def test_a_prior_opens_where_nearly_all_was_seen_at_any_frame_size(tmp_path):
    rng = np.random.default_rng(0)
    heat = np.zeros((90, 144), np.float32)
    heat[50:, 30:110] = rng.random((40, 80)) * 1e-3
    np.save(tmp_path / "heat_train.npy", heat)
    road = parse_road(f"prior:{tmp_path / 'heat_train.npy'}")
    for size in (SIZE, (450, 720)):
        weight = road.gate(size).at(size)
        seen = cv2.resize(heat, size[::-1], interpolation=cv2.INTER_NEAREST)
        assert seen[weight >= 0.5].sum() > 0.995 * seen.sum()
        assert weight[: int(0.4 * size[0])].max() == 0
        assert 0.2 < (weight > 0).mean() < 0.5


def test_a_prior_is_wider_than_a_drawing(tmp_path):
    heat = np.zeros((240, 240))
    heat[100:140, 100:140] = 1
    np.save(tmp_path / "h.npy", heat)
    weight = parse_road(f"prior:{tmp_path / 'h.npy'}").gate((240, 240)).at((240, 240))
    assert (weight[120, 100 - int(WIDER * 240) : 140] == 1).all()


def save(path, array):
    np.save(path, array)
    return f"prior:{path}"


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ([[0.5, 0.5], [0.6, 0.6]], "three or more points"),
        ([[0.5, 0.5, 1], [0.6, 0.6, 1], [1, 1, 1]], "three or more points"),
        ([[500, 100], [900, 0], [900, 800]], r"\[500, 100\] is outside"),
        ([[0, 0], [1, float("nan")], [1, 1]], "nan"),
        ([[0.5, 0], [0.5, 0.5], [0.5, 1]], "nothing lies inside"),
        ([[0, 0], [1], [1, 1]], "three or more points"),
        ("a road", "three or more points"),
        ({"points": []}, "three or more points"),
    ],
)
def test_what_is_no_polygon_is_refused_with_three_clauses(points, told, tmp_path):
    with pytest.raises(BadInput, match=told) as caught:
        parse_road(written(tmp_path / "p.json", points))
    assert caught.value.accepted
    assert caught.value.todo


@pytest.mark.parametrize("name", ["none.json", "none.png", "none.npy", "text.png", "text.json"])
@pytest.mark.parametrize("kind", ["mask", "prior"])
def test_what_cannot_be_read_is_refused_with_three_clauses(name, kind, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "text.json").write_text("[[")
    with pytest.raises(BadInput, match=name) as caught:
        parse_road(f"{kind}:{tmp_path / name}")
    assert caught.value.accepted
    assert caught.value.todo


def test_an_empty_mask_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), np.zeros((9, 9), np.uint8))
    with pytest.raises(BadInput, match="nothing lies inside"):
        parse_road(f"mask:{tmp_path / 'm.png'}")


@pytest.mark.parametrize(
    "array",
    [np.zeros((9, 9)), np.full((9, 9), np.nan), -np.ones((9, 9)), np.ones(9), np.array(["a"])],
    ids=["empty", "nan", "negative", "flat", "text"],
)
def test_what_is_no_heat_map_is_refused(array, tmp_path):
    with pytest.raises(BadInput, match="heat_SPLIT"):
        parse_road(save(tmp_path / "h.npy", array))


@pytest.mark.parametrize("text", ["all", "band:0.4,1", "auto", "auto:1"])
def test_what_each_frame_gives_by_itself_is_allowed_alone(text):
    assert parse_road(text, alone=True).every <= 1


@pytest.mark.parametrize("text", ["auto:2", "auto:25"])
def test_what_earlier_frames_decide_is_refused_alone(text):
    assert parse_road(text).every > 1
    with pytest.raises(UsageError, match="use auto"):
        parse_road(text, alone=True)


@pytest.mark.realdata
def test_a_prior_of_real_frames_holds_for_road_never_seen(data_root, tmp_path):
    def damage(split):
        names = (data_root / "dnit" / f"{split}.txt").read_text().split()[::4]
        for name in names:
            path = data_root / "dnit" / "Dataset" / name / f"{name}_CRACK.png"
            yield cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127

    heat = [cv2.resize(m * 1.0, (144, 90), interpolation=cv2.INTER_AREA) for m in damage("train")]
    gate = parse_road(save(tmp_path / "h.npy", np.mean(heat, axis=0)))
    counts = sum(count_gate(gate.gate(mask.shape), mask) for mask in damage("test"))
    scores = gate_scores(counts)
    assert scores["gate_missed"] < 0.01
    assert 0.5 < scores["gate_share"] < 0.75
