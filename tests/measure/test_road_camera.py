"""Every kind of camera through the same door: the same road gives the same millimetres."""

import numpy as np
import pytest
from skimage.draw import polygon2mask

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.cracks import measure_cracks
from sam_crack.measure.plane import PlaneCamera
from sam_crack.measure.sampling import SamplingMap

SIZE = (1080, 1920)
STRAIGHT = Camera(height_m=1.4, pitch_deg=12, focal_px=1300, size=SIZE)
BENT = Camera(
    height_m=1.4,
    pitch_deg=12,
    focal_px=1300,
    size=SIZE,
    roll_deg=4,
    distortion=(-0.2, 0.04, 0.001, -0.001, 0.0),
)


def plane_of(camera):
    ground = np.array([[-1.5, 4.0], [1.5, 4.0], [-1.5, 9.0], [1.5, 9.0]])
    table = np.column_stack([camera.to_pixels(ground), ground])
    return PlaneCamera(size=SIZE, points=tuple(map(tuple, table.tolist())))


def table_of(camera):
    rows = np.linspace(500, 1079, 10)
    pixels = np.column_stack([rows, np.full(10, 959.5)])
    down, across = camera.millimetres_per_pixel(pixels).T
    return SamplingMap(
        size=SIZE,
        rows=tuple(rows.tolist()),
        across_mm=tuple((value,) for value in across.tolist()),
        down_mm=tuple((value,) for value in down.tolist()),
        nearest_m=float(camera.to_ground([1079.0, 959.5])[1]),
    )


def drawn(camera, angle_deg, length_m=1.6, width_m=0.03, at=(0.4, 4.5)):
    """The mask of a straight crack on the road, as a camera sees it."""
    turn = np.radians(angle_deg)
    ahead = np.array([np.sin(turn), np.cos(turn)])
    along = np.linspace(-length_m / 2, length_m / 2, 200)[:, None] * ahead
    side = np.array([ahead[1], -ahead[0]]) * width_m / 2
    outline = np.concatenate([along - side, (along + side)[::-1]]) + at
    return polygon2mask(SIZE, camera.to_pixels(outline))


@pytest.mark.parametrize("angle_deg", [0, 35, 90])
@pytest.mark.parametrize(
    ("shows", "measures"),
    [
        (STRAIGHT, STRAIGHT),
        (STRAIGHT, plane_of(STRAIGHT)),
        (STRAIGHT, table_of(STRAIGHT)),
        (BENT, BENT),
    ],
    ids=["lens", "points", "table", "bent lens"],
)
def test_a_crack_is_as_long_and_wide_as_it_was_drawn(shows, measures, angle_deg):
    (crack,) = measure_cracks(drawn(shows, angle_deg), camera=measures)
    pixel_mm = crack.ground.smallest_width_mm
    assert crack.ground.length_mm == pytest.approx(1600, rel=0.03)
    assert crack.ground.width_mean_mm == pytest.approx(30, abs=max(3, pixel_mm / 2))
    assert (crack.ground.x_m, crack.ground.z_m) == pytest.approx((0.4, 4.5), abs=0.1)
    assert abs(crack.orientation_deg) == pytest.approx(angle_deg, abs=3)


def test_a_bent_lens_taken_for_a_straight_one_is_wrong():
    blind = Camera(height_m=1.4, pitch_deg=12, focal_px=1300, size=SIZE, roll_deg=4)
    far = drawn(BENT, 90, at=(-1.7, 4.0))
    (right,), (wrong,) = (measure_cracks(far, camera=camera) for camera in (BENT, blind))
    assert right.ground.length_mm == pytest.approx(1600, rel=0.02)
    assert abs(wrong.ground.length_mm - 1600) > 40


@pytest.mark.parametrize("camera", [STRAIGHT, plane_of(STRAIGHT), table_of(STRAIGHT)])
def test_every_row_says_how_fine_the_road_is_seen_there(camera):
    (crack,) = measure_cracks(drawn(camera, 90), camera=camera)
    row = crack.row()
    down, across = STRAIGHT.millimetres_per_pixel(STRAIGHT.to_pixels([0.4, 4.5]))
    assert row["gsd_down_mm"] == pytest.approx(down, rel=0.03)
    assert row["gsd_across_mm"] == pytest.approx(across, rel=0.03)
    assert row["smallest_width_mm"] == pytest.approx(down, rel=0.03)  # it lies across the lane


@pytest.mark.parametrize("camera", [STRAIGHT, plane_of(STRAIGHT), table_of(STRAIGHT)])
def test_a_camera_of_frames_of_another_size_is_refused(camera):
    with pytest.raises(BadInput, match="1080 x 1920"):
        measure_cracks(np.zeros((540, 960), np.uint8), camera=camera)
    assert measure_cracks(np.zeros((540, 960), np.uint8), camera=camera.resized((540, 960))) == []
