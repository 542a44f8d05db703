import time

import numpy as np
import pytest

from sam_crack.data.synth.backdrop import draw_backdrop
from sam_crack.data.synth.frame import render_frame, view_of
from sam_crack.data.synth.layers import draw_layers
from sam_crack.data.synth.look import look_of
from sam_crack.data.synth.scene import stretches
from sam_crack.data.synth.track import Track
from sam_crack.data.synth.view import View


def test_a_scene_without_cracks_has_an_empty_mask():
    view = view_of(3, 2, (540, 960))
    layers = draw_layers(view, stretches(3, view.pose.station_m), [])
    assert layers.paint.max() == pytest.approx(1.0, abs=1e-4)
    assert not layers.mask.any()


def test_a_frame_is_a_pure_function():
    one, other = (render_frame(2, 5, (135, 240)) for _ in range(2))
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.mask, other.mask)


def test_drives_differ_in_light_and_all_are_exposed():
    means = [render_frame(seed, 0, (135, 240)).image.mean() for seed in range(4)]
    assert 60 < min(means) < max(means) < 210
    assert np.std(means) > 3


def test_road_coordinates_of_a_pixel_lead_back_to_it():
    view = view_of(6, 7, (540, 960))
    rows = slice(150, 350, 50)
    station, offset = view.road_coordinates(rows)
    picked = np.arange(view.horizon, 540)[rows]
    found = view.project_road(
        np.stack([station + view.pose.station_m, offset], axis=-1)[:, 300:900:100]
    )
    np.testing.assert_allclose(found[..., 0], np.repeat(picked[:, None], 6, 1), atol=0.6)
    np.testing.assert_allclose(found[..., 1], np.tile(np.arange(300, 900, 100.0), (4, 1)), atol=0.6)


def test_plan_and_camera_axes_are_inverse():
    pose = view_of(1, 3, (135, 240)).pose
    ground = np.array([[1.5, 7.0], [-2.0, 30.0]])
    np.testing.assert_allclose(pose.to_camera(pose.to_plan(ground)), ground, atol=1e-9)
    assert pose.to_camera(pose.to_plan((0.0, 1.0)))[1] == pytest.approx(1.0)


def test_track_does_not_depend_on_how_long_it_is_made():
    station = np.linspace(-40, 200, 30)
    np.testing.assert_array_equal(
        Track(4, 210.0).plan(station, 1.0), Track(4, 5000.0).plan(station, 1.0)
    )


def test_nothing_above_the_horizon_is_road():
    frame = render_frame(5, 1, (270, 480))
    assert not frame.mask[: frame.view.horizon].any()
    assert not frame.lane[: frame.view.horizon].any()
    assert not (frame.mask[frame.front] > 0).any()


def test_sky_is_brighter_than_the_treeline():
    look = look_of(1)
    view = view_of(1, 0, (270, 480))
    sky = draw_backdrop(View(look.camera((270, 480)), view.pose, view.track, look), view.horizon)
    assert sky[:20].mean() > sky[-3:].mean()


@pytest.mark.slow
def test_a_4k_frame_takes_at_most_four_seconds_of_one_core():
    render_frame(1, 0)
    start = time.process_time()
    for index in (1, 2, 3):
        render_frame(1, index)
    assert (time.process_time() - start) / 3 < 4.0
