import dataclasses

import pytest

from sam_crack.config.schema import DataConfig
from sam_crack.data.opening import open_samples
from sam_crack.measure.camera import Camera
from sam_crack.measure.road_scale import millimetres_across
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.train.shown_scale import shown_scale
from tests.train.tiny_run import TINY, bars, session

CAMERA = Camera(height_m=1.4, pitch_deg=8, focal_px=60, size=(80, 96))


@pytest.mark.parametrize(("scale", "width"), [((1.0, 1.0), 6), ((0.5, 2.0), 6), ((2.0, 2.0), 12)])
def test_lines_are_as_wide_as_the_middle_of_the_range_shows_them(scale, width):
    shown = shown_scale(bars(4), DataConfig(scale=scale))
    assert (shown.lowest, shown.highest, shown.gsd_mm) == (*scale, None)
    assert shown.width_px == pytest.approx(width, rel=0.1)


def test_lines_are_as_soft_as_the_middle_of_the_range_shows_them():
    own, smaller = (
        shown_scale(bars(4), DataConfig(scale=scale)).softness_px
        for scale in ((1.0, 1.0), (0.25, 1.0))
    )
    assert own is not None
    assert smaller == pytest.approx(own / 2)


def test_crops_that_keep_their_scale_count_too():
    shown = shown_scale(bars(4), DataConfig(scale=(4.0, 4.0), scale_share=0.5))
    assert shown.width_px == pytest.approx(6 * 2, rel=0.1)


def test_a_camera_beside_the_frames_gives_the_ground_resolution(tmp_path):
    CAMERA.save(tmp_path / "camera.json")
    shown = shown_scale(bars(2), DataConfig(root=tmp_path, scale=(2.0, 2.0)))
    assert shown.gsd_mm == pytest.approx(millimetres_across(CAMERA) / 2)


def test_of_several_drives_the_mean_of_their_cameras_counts(tmp_path):
    higher = dataclasses.replace(CAMERA, height_m=4 * CAMERA.height_m)
    for name, camera in (("a", CAMERA), ("b", higher)):
        (tmp_path / name).mkdir()
        camera.save(tmp_path / name / "camera.json")
    shown = shown_scale(bars(2), DataConfig(root=tmp_path))
    each = millimetres_across(CAMERA) * millimetres_across(higher)
    assert shown.gsd_mm == pytest.approx(each**0.5)


def test_a_camera_of_other_frames_is_left_alone(tmp_path):
    dataclasses.replace(CAMERA, size=(80, 200)).save(tmp_path / "camera.json")
    assert shown_scale(bars(2), DataConfig(root=tmp_path)).gsd_mm is None


def test_a_run_keeps_it_in_its_checkpoint(tmp_path):
    session(tmp_path, TINY).fit(resume=False)
    _, meta = load_checkpoint(tmp_path)
    assert meta.scale == shown_scale(bars(4), TINY.data)
    assert meta.scale.width_px > 0


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "classes", "width"), [("dnit", ("crack",), 3.3), ("uav", (), 4.9), ("cfd", (), 3.8)]
)
def test_the_lines_of_real_sets_are_a_few_pixels_wide(data_root, name, classes, width):
    samples = open_samples(name, data_root / name, classes=classes)
    shown = shown_scale(samples, DataConfig(name=name, scale=(0.5, 2.0)), at_most=12)
    assert shown.width_px == pytest.approx(width, rel=0.35)
