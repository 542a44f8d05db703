import numpy as np
import pytest
from skimage.morphology import skeletonize

from sam_crack.data.synth.cracks import Branch, Crack, network, single
from sam_crack.data.synth.layers import blank_layers, draw_crack
from sam_crack.data.synth.scene import stretch


def straight(view, ends_xz, width_mm) -> Crack:
    """A ruler-straight crack between two points of the camera's ground."""
    share = np.linspace(0, 1, 400)[:, None]
    line = view.pose.to_plan(np.array(ends_xz[0]) + share * np.subtract(ends_xz[1], ends_xz[0]))
    half = np.full(400, width_mm / 2)
    return Crack("c", "longitudinal", (Branch(line, half, half),), 0.9)


def drawn(view, crack):
    layers = blank_layers(view.camera.size)
    draw_crack(view, crack, layers)
    return layers


@pytest.mark.parametrize("ends", [((0.4, 4.0), (0.2, 9.0)), ((-1.2, 6.0), (1.6, 6.4))])
def test_skeleton_of_the_mask_on_the_ground_is_as_long_as_the_crack(view, ends):
    mask = drawn(view, straight(view, ends, 8.0)).mask
    ground = view.camera.to_ground(np.argwhere(skeletonize(mask > 0)))
    along = np.subtract(ends[1], ends[0]) / np.linalg.norm(np.subtract(ends[1], ends[0]))
    reach = ground @ along
    assert reach.max() - reach.min() == pytest.approx(
        np.linalg.norm(np.subtract(ends[1], ends[0])), rel=0.02
    )


@pytest.mark.parametrize("ends", [((0.4, 3.6), (0.2, 6.0)), ((-0.9, 4.1), (0.9, 4.4))])
def test_area_of_the_mask_on_the_ground_over_length_is_the_width(view, ends):
    crack = straight(view, ends, 40.0)
    pixels = np.argwhere(drawn(view, crack).mask > 0)
    footprint_mm2 = view.camera.millimetres_per_pixel(pixels).prod(axis=1)
    assert footprint_mm2.sum() / crack.length_mm == pytest.approx(40.0, rel=0.1)


def test_light_lost_in_a_hairline_is_its_share_of_the_pixel(view):
    crack = straight(view, ((0.0, 5.0), (0.0, 5.4)), 1.0)
    lost = drawn(view, crack).dark / crack.depth
    across_mm = view.camera.millimetres_per_pixel(np.argwhere(lost > 0)).mean(axis=0)[1]
    row = np.argwhere(lost.sum(axis=1) > 0)[3:-3]
    assert lost[row[:, 0]].sum(axis=1).mean() == pytest.approx(1.0 / across_mm, rel=0.03)


def test_hairline_leaves_the_mask_where_it_is_a_quarter_pixel_wide(view):
    crack = straight(view, ((0.3, 3.5), (0.3, 30.0)), 1.0)
    reach = view.camera.to_ground(np.argwhere(drawn(view, crack).mask > 0))[:, 1].max()
    quarter_px_at = 0.001 * view.camera.focal_px / 0.25
    assert reach == pytest.approx(quarter_px_at, rel=0.05)


def test_hairline_in_the_mask_is_one_connected_line(view):
    from scipy.ndimage import label

    mask = drawn(view, straight(view, ((0.3, 3.5), (0.1, 7.0)), 1.2)).mask
    assert label(mask, np.ones((3, 3)))[1] == 1


def test_length_and_widths_follow_from_the_line():
    line = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])
    crack = Crack(
        "c", "transverse", (Branch(line, np.array([1.0, 2, 3]), np.array([1.0, 2, 3])),), 1
    )
    assert crack.length_mm == pytest.approx(6000)
    assert crack.mean_width_mm == pytest.approx((5 * 3 + 1 * 5) / 6)
    assert crack.max_width_mm == 6


def test_cracks_of_all_classes_and_widths_are_met():
    found = [c for seed in range(20) for number in range(3) for c in stretch(seed, number).cracks]
    assert {c.kind for c in found} == {"longitudinal", "transverse", "alligator", "hairline"}
    widths = np.array([crack.mean_width_mm for crack in found])
    assert widths.min() < 2
    assert widths.max() > 20


def test_crack_is_irregular_and_branches():
    rng = np.random.default_rng(3)
    branches = single(rng, (np.array([0.0, 0.0]), np.array([9.0, 0.0])), 8.0)
    assert len(branches) > 1
    trunk = branches[0]
    assert trunk.steps_mm.sum() > 9050
    assert trunk.width_mm.std() > 1


def test_alligator_field_keeps_to_its_place_and_closes_cells():
    branches = network(np.random.default_rng(1), np.array([50.0, 1.0]), (2.0, 0.8), 4.0)
    points = np.concatenate([branch.line for branch in branches])
    assert (np.abs(points - [50, 1]).max(axis=0) < [1.4, 0.8]).all()
    ends = np.round(np.concatenate([branch.line[[0, -1]] for branch in branches]), 3)
    _, meeting = np.unique(ends, axis=0, return_counts=True)
    assert (meeting >= 3).sum() > 10
