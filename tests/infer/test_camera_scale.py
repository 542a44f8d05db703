import dataclasses

import pytest

from sam_crack.errors import BadInput, UsageError
from sam_crack.infer.camera_scale import camera_factor, camera_parts, trained_gsd
from sam_crack.infer.parts import whole_frame
from sam_crack.measure.camera import Camera
from sam_crack.measure.road_scale import millimetres_across
from sam_crack.model.trained_scale import TrainedScale

CAMERA = Camera(height_m=1.4, pitch_deg=8, focal_px=2600, size=(2160, 3840))
OWN_MM = millimetres_across(CAMERA)


def test_the_camera_of_the_training_needs_no_resizing():
    assert camera_factor(CAMERA, OWN_MM) == 1


@pytest.mark.parametrize("height", [540, 1080, 4320])
def test_frames_of_another_size_are_brought_to_the_same(height):
    _, parts = camera_parts(CAMERA, OWN_MM, strips=False)
    (whole,) = parts((height, height * 16 // 9))
    assert whole.factor == pytest.approx(2160 / height, rel=0.01)


def test_a_lens_twice_as_high_asks_for_twice_the_pixels():
    higher = dataclasses.replace(CAMERA, height_m=2.8)
    assert camera_factor(higher, OWN_MM) == pytest.approx(2)


def test_strips_are_finer_far_away_and_coarser_near():
    factor, parts = camera_parts(CAMERA, OWN_MM, strips=True)
    found = [part.factor for part in parts(CAMERA.size)]
    assert factor == 1
    assert found == pytest.approx([2, 4 / 3, 2 / 3], rel=0.05)
    assert found[0] <= 2


def test_frames_of_another_shape_get_the_same_factor():
    factor, parts = camera_parts(CAMERA, OWN_MM / 2, strips=True)
    assert parts((500, 500)) == whole_frame((500, 500), factor)


@pytest.mark.parametrize("gsd_mm", [OWN_MM / 100, OWN_MM * 100])
def test_what_cannot_be_bridged_is_refused(gsd_mm):
    with pytest.raises(BadInput, match=r"mm per pixel and a model trained at .*; a factor from"):
        camera_parts(CAMERA, gsd_mm, strips=False)


def test_without_a_camera_it_is_asked_for():
    with pytest.raises(UsageError, match=r"without a camera; .*; add --camera FILE"):
        trained_gsd(TrainedScale(gsd_mm=2.0), None)


@pytest.mark.parametrize("trained", [None, TrainedScale(width_px=3.0)])
def test_a_checkpoint_without_ground_resolution_says_what_to_do(trained):
    with pytest.raises(BadInput, match=r"does not know .*; one trained on .*; use --scale calib"):
        trained_gsd(trained, CAMERA)
