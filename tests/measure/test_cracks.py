import time

import cv2
import numpy as np
import pytest

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.cracks import measure_cracks
from sam_crack.measure.ground import grade

ANGLES = [0, 3, 11, 22.5, 37, 45, 58, 71, 86, 90, 104, 135, 151, 178]


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("width", [1, 2, 5, 12])
def test_a_bar_has_its_length_and_width_at_any_angle(bar, angle, width):
    mask = bar(angle, 400, width)
    (crack,) = measure_cracks(mask)
    assert crack.length_px == pytest.approx(400, rel=0.01)
    assert crack.width_mean_px == pytest.approx(mask.sum() / 400, abs=0.2)
    assert crack.width_mean_px == pytest.approx(width, abs=0.5)
    assert crack.width_max_px == pytest.approx(width, abs=0.8)
    assert crack.num_branches == 1


@pytest.mark.parametrize("angle", [-60, -20, 0, 20, 45, 70, 90])
def test_orientation_is_zero_ahead_and_positive_to_the_right(bar, angle):
    (crack,) = measure_cracks(bar(angle - 90, 200, 4))
    turn = (crack.orientation_deg - angle + 90) % 180 - 90
    assert abs(turn) < 1.0


@pytest.mark.parametrize("radius", [40, 60, 150])
def test_a_ring_is_measured_along_its_circle(radius):
    y, x = np.mgrid[:400, :400]
    distance = np.hypot(y - 200, x - 200)
    (crack,) = measure_cracks(np.abs(distance - radius) <= 3)
    assert crack.length_px == pytest.approx(2 * np.pi * radius, rel=0.02)
    assert crack.width_mean_px == pytest.approx(6, abs=0.3)
    assert crack.num_loops == 1


def test_a_wave_is_measured_along_its_arc():
    t = np.linspace(0, 700, 20000)
    y, x = 200 + 40 * np.sin(t / 50), 40 + t
    mask = np.zeros((400, 800), np.uint8)
    points = (np.stack([x, y], 1) * 16).round().astype(np.int32)
    cv2.polylines(mask, [points], isClosed=False, color=1, thickness=5, shift=4)
    (crack,) = measure_cracks(mask)
    arc = np.hypot(np.diff(x), np.diff(y)).sum() + 5  # round caps add half a width each
    assert crack.length_px == pytest.approx(arc, rel=0.015)


def test_length_holds_every_branch(bar):
    (crack,) = measure_cracks(bar(0, 300, 3) | bar(90, 300, 3))
    assert crack.length_px == pytest.approx(600, rel=0.02)
    assert crack.num_branches == 4


def test_gaps_of_four_pixels_close_and_of_six_do_not():
    for gap, cracks in ((4, 1), (6, 2)):
        mask = np.zeros((60, 200), bool)
        mask[30:33, 20:90] = mask[30:33, 90 + gap : 170] = True
        found = measure_cracks(mask)
        assert len(found) == cracks
        assert sum(crack.area_px for crack in found) == mask.sum()


def test_a_net_is_alligator_and_a_line_is_not(bar):
    mask = np.zeros((200, 200), np.uint8)
    for place in range(20, 181, 40):
        mask[place : place + 3, 20:183] = mask[20:183, place : place + 3] = 1
    (net,) = measure_cracks(mask)
    assert (net.kind, net.num_loops) == ("alligator", 16)
    kinds = [measure_cracks(bar(angle, 200, 3))[0].kind for angle in (0, 45, 90)]
    assert kinds == ["transverse", "diagonal", "longitudinal"]


def test_short_ones_and_specks_are_left_out(bar):
    mask = bar(30, 200, 4)
    mask[5:9, 5:9] = mask[500:503, 10:40] = True
    lengths = [crack.length_px for crack in measure_cracks(mask, min_length_px=40)]
    assert lengths == [pytest.approx(200, rel=0.01)]
    assert len(measure_cracks(mask, min_length_px=20)) == 2


def test_probability_is_the_mean_over_the_crack(bar):
    mask = bar(20, 300, 6)
    prob = np.where(mask, 204, 255).astype(np.uint8)
    (crack,) = measure_cracks(mask, prob=prob)
    assert crack.mean_prob == pytest.approx(0.8)
    assert crack.area_px == mask.sum()


def test_a_moved_crack_is_the_same_crack(bar):
    mask = bar(33, 200, 4)
    (here,), (there,) = measure_cracks(mask), measure_cracks(np.pad(mask, ((900, 0), (0, 700))))
    assert there.length_px == pytest.approx(here.length_px)
    np.testing.assert_allclose(there.lines[0], here.lines[0] + (900, 0), atol=1e-3)
    assert there.bbox == (here.bbox[0] + 900, here.bbox[1], here.bbox[2] + 900, here.bbox[3])


def test_cracks_at_the_frame_edge_are_measured(bar):
    mask = bar(0, 560, 5)[278:282]
    (crack,) = measure_cracks(mask)
    assert crack.length_px == pytest.approx(560, rel=0.01)


@pytest.mark.parametrize("mask", [np.zeros((5, 5), bool), np.ones((1, 1), bool)])
def test_nothing_to_measure_gives_no_crack(mask):
    assert measure_cracks(mask) == []


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_survived(seed):
    noise = np.random.default_rng(seed).random((300, 300)) < (0.05, 0.2, 0.5, 0.97)[seed]
    for crack in measure_cracks(noise, min_length_px=0):
        assert np.isfinite(list(crack.row().values())[1]).all()
        assert crack.width_mean_px > 0


def test_thick_blobs_are_measured_coarsely_and_thin_cracks_beside_them_finely(bar):
    thick, fine = bar(20, 900, 200, size=(1000, 1000), centre=(600, 500)), bar(0, 300, 3)
    mask = np.zeros((1000, 1000), bool)
    mask[:560, :560] |= np.roll(fine, -240, axis=0)
    (alone,) = measure_cracks(mask)
    blob, crack = sorted(measure_cracks(mask | thick), key=lambda crack: -crack.area_px)
    assert crack.length_px == pytest.approx(alone.length_px)
    assert crack.width_mean_px == pytest.approx(alone.width_mean_px)
    assert blob.width_mean_px == pytest.approx(200, rel=0.06)
    assert blob.length_px == pytest.approx(900, rel=0.06)
    assert blob.area_px == thick.sum()


def test_a_mask_full_of_foreground_takes_no_minutes():
    start = time.process_time()
    (crack,) = measure_cracks(np.ones((2160, 3840), bool))
    assert time.process_time() - start < 3
    assert crack.area_px == 2160 * 3840


def test_other_sizes_are_refused(bar, dashcam):
    with pytest.raises(BadInput, match="2160 x 3840"):
        measure_cracks(bar(0, 100, 3), camera=dashcam)
    with pytest.raises(BadInput, match="probability"):
        measure_cracks(bar(0, 100, 3), prob=np.zeros((3, 3), np.uint8))


# --- on the road


@pytest.fixture(scope="module")
def on_road(dashcam):
    """Mask of a straight crack given in metres on the road."""
    rows, columns = np.mgrid[:2160, :3840]
    ground = dashcam.to_ground(np.stack([rows, columns], axis=-1))

    def draw(x, z, angle_deg, *, length_m, width_m):
        right, ahead = np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))
        along = (ground[..., 0] - x) * right + (ground[..., 1] - z) * ahead
        across = (ground[..., 0] - x) * ahead - (ground[..., 1] - z) * right
        return (np.abs(along) <= length_m / 2) & (np.abs(across) <= width_m / 2)

    return draw


@pytest.mark.parametrize("z", [5, 9, 13])
@pytest.mark.parametrize("angle", [0, 25, 50, 75])
def test_millimetres_on_the_road(on_road, dashcam, z, angle):
    mask = on_road(0.6, z, angle, length_m=2.0, width_m=0.06)
    (crack,) = measure_cracks(mask, camera=dashcam)
    ground = crack.ground
    assert ground.length_mm == pytest.approx(2000, rel=0.03)
    slack = max(6.0, ground.smallest_width_mm / 2)
    assert ground.width_mean_mm == pytest.approx(60, abs=slack)
    assert (ground.x_m, ground.z_m) == (pytest.approx(0.6, abs=0.1), pytest.approx(z, abs=0.2))
    assert crack.orientation_deg == pytest.approx(angle, abs=2.5)


def test_the_smallest_width_is_a_pixel_across_the_crack(on_road, dashcam):
    (crack,) = measure_cracks(on_road(0, 8, 0, length_m=1.0, width_m=0.05), camera=dashcam)
    _, across = dashcam.millimetres_per_pixel(dashcam.to_pixels([0.0, 8.0]))
    assert crack.ground.smallest_width_mm == pytest.approx(across, rel=0.03)
    assert crack.ground.gsd_across_mm == pytest.approx(across, rel=0.03)


def test_a_crack_in_the_sky_has_pixels_only(dashcam):
    mask = np.zeros((2160, 3840), bool)
    mask[100:104, 500:900] = True
    (crack,) = measure_cracks(mask, camera=dashcam)
    assert crack.ground is None
    assert crack.row()["length_mm"] is None


def test_rows_share_one_order_with_and_without_camera(bar):
    mask = bar(60, 200, 4)
    camera = Camera(height_m=1.2, pitch_deg=40, focal_px=500, size=mask.shape)
    (plain,), (placed,) = measure_cracks(mask), measure_cracks(mask, camera=camera)
    assert list(plain.row()) == list(placed.row())
    assert placed.row()["severity"] in ("low", "medium", "high")


@pytest.mark.parametrize(
    ("width_mm", "scheme", "severity"),
    [
        (9.9, "astm-ac", "low"),
        (10, "astm-ac", "medium"),
        (75.1, "astm-ac", "high"),
        (6, "ltpp", "low"),
        (6.1, "ltpp", "medium"),
        (19.1, "ltpp", "high"),
    ],
)
def test_severity_follows_the_named_scheme(width_mm, scheme, severity):
    assert grade(width_mm, scheme) == severity


@pytest.mark.slow
def test_25_cracks_of_a_4k_mask_are_measured_in_150_ms():
    rng = np.random.default_rng(0)
    mask = np.zeros((2160, 3840), np.uint8)
    for number in range(25):
        steps = rng.normal(0, 3, (100, 2)) + rng.uniform(-5, 5, 2)
        origin = np.array([300 + number % 5 * 740, 1000 + number // 5 * 230])
        walk = np.cumsum(steps, 0) + origin
        thickness = int(rng.integers(2, 7))
        cv2.polylines(
            mask, [walk.round().astype(np.int32)], isClosed=False, color=1, thickness=thickness
        )
    times = []
    for _ in range(5):
        start = time.process_time()
        cracks = measure_cracks(mask)
        times.append(time.process_time() - start)
    assert 15 <= len(cracks) <= 25
    assert min(times) < 0.3
