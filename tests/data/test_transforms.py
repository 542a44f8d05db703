"""Picture, mask, instances, region and ignored pixels move together, and thin lines survive."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage.color import hed2rgb, rgb2hed

from sam_crack.config.schema import DataConfig
from sam_crack.data import photometrics
from sam_crack.data.crops import CropDrawer, flip
from sam_crack.data.placing import place_crop
from sam_crack.data.resample import View, keep_thin, resample
from sam_crack.data.sample import Sample
from sam_crack.data.sources import CELL, WholeFrame, survey_cells
from tests.data.small_set import scene

SIZE = (96, 128)
PLAIN = DataConfig(weather=0.0)


def shapes(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A mask of a blob and a line."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    (y, x), end = rng.integers(10, 80, 2).tolist(), rng.integers(0, 90, 2).tolist()
    cv2.ellipse(mask, (x, y), (17, 9), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    cv2.line(mask, (5, 5), end, 1, 3)
    return mask


def mirror_of_itself(mask: np.ndarray) -> Sample:
    """A sample whose picture, instances, region and ignored pixels all equal its mask."""
    return Sample(
        id="x",
        image=np.repeat(mask[..., None] * np.uint8(255), 3, 2),
        mask=mask,
        instances=mask.astype(np.int32) * 7,
        region=mask > 0,
        ignore=mask == 0,
    )


def turned(scale: float, degrees: float, size: tuple[int, int], centre: np.ndarray) -> View:
    """Look at a centre (x, y), enlarged and turned, written down without the package's code."""
    a, (h, w) = np.deg2rad(degrees), size
    spin = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) / scale
    matrix = np.eye(3)
    matrix[:2, :2] = spin
    matrix[:2, 2] = centre - spin @ (w / 2, h / 2)
    return View(matrix, size)


def cut(sample: Sample, view: View) -> Sample:
    top, left, *size = view.box()
    return resample(WholeFrame(sample).cut(top, left, tuple(size)), view)


bends = st.fixed_dictionaries(
    {
        "scale": st.sampled_from([(1.0, 1.0), (0.4, 0.9), (1.1, 2.5), (0.3, 3.0)]),
        "rotate": st.sampled_from([0.0, 8.0, 180.0]),
        "perspective": st.sampled_from([0.0, 0.1, 0.2]),
        "flip": st.sampled_from(["none", "mirror", "dihedral"]),
        "bend_share": st.sampled_from([0.0, 1.0]),
    }
)


@settings(max_examples=80, deadline=None)
@given(config=bends, number=st.integers(0, 1000), seed=st.integers(0, 1000))
@example(  # a crop whose corner is on a border: what lies beyond it is not seen
    config={
        "scale": (1.0, 1.0),
        "rotate": 0.0,
        "perspective": 0.1,
        "flip": "none",
        "bend_share": 1.0,
    },
    number=56,
    seed=601,
)
def test_everything_moves_together(config: dict, number: int, seed: int):
    """Where the picture is clear, 130 of 255 and more or 30 and less, all others must agree.

    Between lie border pixels: half covered ones, and crests of what is thinner than a pixel.
    """
    sample = mirror_of_itself(shapes(seed))
    drawer = CropDrawer([sample], (48, 64), config=replace(PLAIN, **config), seed=1)
    crop = drawer.draw(number)
    bright, dark = crop.pixels[..., 0] >= 130, crop.pixels[..., 0] <= 30
    for array in (crop.target, crop.region, crop.valid):
        assert array[bright].all()
        assert not array[dark].any()
    # Instances are picked, not averaged: right wherever the 7 x 7 pixels around agree.
    inner, outer = (
        cv2.erode(
            each.view(np.uint8), np.ones((7, 7)), borderType=cv2.BORDER_CONSTANT, borderValue=0
        )
        > 0
        for each in (bright, dark)
    )
    assert (crop.instances[inner] == 7).all()
    assert (crop.instances[outer] == 0).all()


@pytest.mark.parametrize("how", ["none", "mirror", "dihedral"])
@pytest.mark.parametrize("size", [(40, 40), (40, 56)])
def test_flips_are_exact(how: str, size: tuple[int, int]):
    sample = mirror_of_itself(shapes(3)[: size[0], : size[1]])
    seen = set()
    for seed in range(40):
        part = flip(sample, np.random.default_rng(seed), how)
        assert part.mask.shape == size
        np.testing.assert_array_equal(part.image[..., 2], part.mask * 255)
        np.testing.assert_array_equal(part.instances, part.mask * 7)
        np.testing.assert_array_equal(part.region, ~part.ignore)
        seen.add(part.mask.tobytes())
    expected = {"none": 1, "mirror": 2, "dihedral": 8 if size == (40, 40) else 4}
    assert len(seen) == expected[how]


@pytest.mark.parametrize("degrees", [0.0, 17.0, 60.0])
@pytest.mark.parametrize("scale", [0.5, 0.7, 1.5])
def test_a_view_shows_what_its_matrix_says(scale: float, degrees: float):
    """Every pixel shows the frame at its point: half a pixel off would differ by 3 and more."""
    image = cv2.GaussianBlur(scene(5, SIZE), (0, 0), 1.5)
    view = turned(scale, degrees, (40, 40), np.array([64.0, 48.0]))
    if degrees == 0:
        view = View.upright(20, 30, (40, 40), scale)
    shown = cut(Sample(id="", image=image, mask=np.zeros(SIZE, np.uint8)), view).image
    y, x = np.mgrid[6:34:4, 6:34:4] + 0.5
    points = np.float32(view.points(np.stack([x.ravel(), y.ravel()], 1)) - 0.5)
    expected = cv2.remap(image, points[:, None], None, cv2.INTER_LINEAR)[:, 0].astype(int)
    found = shown[6:34:4, 6:34:4].reshape(-1, 3)
    assert np.abs(expected - found).mean() < 2.0


def line(seed: int, width: float) -> np.ndarray:
    """A straight line of 160 px at any angle and place, drawn by distance."""
    rng = np.random.default_rng(seed)
    angle, centre = rng.uniform(0, np.pi), rng.uniform(100, 156, 2)
    y, x = np.mgrid[:256, :256] + 0.5
    along = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    across = (y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle)
    return ((np.abs(across) <= width / 2) & (np.abs(along) <= 80)).astype(np.uint8)


def pieces(mask: np.ndarray) -> int:
    return cv2.connectedComponents(mask, connectivity=8)[0] - 1


@pytest.mark.parametrize(("scale", "degrees"), [(0.5, 0.0), (0.5, 17.0), (1.0, 17.0), (0.7, 45.0)])
def test_a_line_of_two_pixels_neither_breaks_nor_fades(scale: float, degrees: float):
    nearest_breaks, ratios = 0, []
    for seed in range(30):
        mask = line(seed, 2)
        side = round(256 * scale * 1.5)
        view = turned(scale, degrees, (side, side), np.array([128.0, 128.0]))
        sample = Sample(id="", image=np.zeros((256, 256, 3), np.uint8), mask=mask)
        shown = cut(sample, view).mask
        assert pieces(shown) == 1
        ratios.append(shown.sum() / (mask.sum() * scale**2))
        grid = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), -1)
        x, y = np.floor(view.points(grid.reshape(-1, 2))).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < 256) & (y < 256)
        picked = np.zeros(side * side, np.uint8)
        picked[inside] = mask[y[inside], x[inside]]
        nearest_breaks += pieces(picked.reshape(side, side)) > 1
    assert 0.95 < np.mean(ratios) < 1.1
    assert 0.8 < min(ratios) < max(ratios) < 1.4
    if (scale, degrees) == (0.5, 17.0):
        assert nearest_breaks > 5  # what plain nearest-neighbour sampling does to the same lines


def test_half_covered_pixels_keep_the_width():
    for width in (2, 4, 6):
        cover = np.zeros((10, 20), np.uint8)
        cover[:, 5 : 5 + width // 2 + 1] = 255
        cover[:, 5] = cover[:, 5 + width // 2] = 128
        assert (keep_thin(cover).sum(1) == width // 2).all()
        assert (keep_thin(np.ascontiguousarray(cover.T)).sum(0) == width // 2).all()


def test_classes_keep_their_numbers():
    mask = np.zeros((80, 80), np.uint8)
    mask[10:40, 10:70], mask[50:52, :], mask[60:70, 20:60] = 3, 1, 5
    sample = Sample(id="", image=np.zeros((80, 80, 3), np.uint8), mask=mask)
    shown = cut(sample, turned(0.5, 20.0, (40, 40), np.array([40.0, 40.0])))
    for index in (1, 3, 5):
        assert (shown.mask == index).sum() == pytest.approx((mask == index).sum() / 4, rel=0.3)
    assert set(np.unique(shown.mask)) == {0, 1, 3, 5}


EFFECTS = [
    photometrics.light,
    photometrics.cast_shadow,
    photometrics.rain_film,
    photometrics.motion_blur,
    photometrics.defocus,
    photometrics.sensor_noise,
    photometrics.jpeg_again,
    photometrics.stain_jitter,
]


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
def test_no_effect_moves_the_picture(effect):
    picture = scene(4, (128, 128))
    grey = picture.mean(2).astype(np.float64)
    for seed in range(6):
        before = picture.copy()
        changed = effect(picture, np.random.default_rng(seed), 1.0)
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
        np.testing.assert_array_equal(picture, before)
        (dx, dy), _ = cv2.phaseCorrelate(grey, changed.mean(2).astype(np.float64))
        assert np.hypot(dx, dy) < 0.35
        assert not np.array_equal(changed, picture)


def test_weather_is_seeded_and_can_be_off():
    picture = scene(4, (64, 64))
    looks = [photometrics.road_weather(picture, np.random.default_rng(n), 1.0) for n in (1, 1, 2)]
    np.testing.assert_array_equal(looks[0], looks[1])
    assert not np.array_equal(looks[0], looks[2])
    off = photometrics.road_weather(picture, np.random.default_rng(1), 0.0)
    np.testing.assert_array_equal(off, picture)


@pytest.mark.parametrize(("strength", "share"), [(0.4, 0.0), (1.0, 0.15)])
def test_shadows_fall_outdoors_only(strength: float, share: float, monkeypatch: pytest.MonkeyPatch):
    fallen = []

    def count(pixels, rng, strength):
        fallen.append(1)
        return pixels

    monkeypatch.setattr(photometrics, "cast_shadow", count)
    picture = scene(4, (16, 16))
    for seed in range(400):
        photometrics.road_weather(picture, np.random.default_rng(seed), strength)
    assert len(fallen) / 400 == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("level", [5, 60, 130, 235])
def test_light_leaves_the_road_neither_white_nor_black(level: int):
    picture = np.clip(scene(4, (64, 64)).astype(int) // 8 + level - 15, 0, 255).astype(np.uint8)
    for seed in range(60):
        mean = photometrics.light(picture, np.random.default_rng(seed)).mean()
        assert 15 < mean < 200


def test_stain_jitter_scales_the_stains_that_scikit_image_finds():
    stains = np.zeros((40, 40, 3))
    stains[..., 0], stains[..., 1] = 0.06, 0.04
    tissue = np.round(hed2rgb(stains) * 255).astype(np.uint8)
    before = rgb2hed(tissue)[0, 0, :2]
    looks = [photometrics.stain_jitter(tissue, np.random.default_rng(n)) for n in range(30)]
    ratios = np.array([rgb2hed(look)[0, 0, :2] / before for look in looks])
    assert (np.ptp(ratios, axis=0) > 0.25).all()
    assert (np.abs(np.median(ratios, axis=0) - 1) < 0.15).all()


def joint_frame() -> WholeFrame:
    """Grey noise with a crack at the left and, far from it, a dark joint without a crack."""
    rng = np.random.default_rng(0)
    grey = rng.normal(140, 3, (256, 512))
    mask = np.zeros((256, 512), np.uint8)
    mask[:, 40:43] = 1
    grey[:, 40:43] -= 70
    grey[:, 400:404] -= 60
    image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, 2)
    return WholeFrame(Sample(id="", image=image, mask=mask))


def test_hard_places_are_dark_lines_free_of_foreground():
    cells = joint_frame().cells
    assert cells.filled[:, 40 // CELL].all()
    assert cells.filled.sum() == 8
    assert (np.argmax(cells.hard, axis=1) == 400 // CELL).all()


def test_hard_crops_show_the_joint_and_no_crack():
    config = replace(PLAIN, foreground_share=0.0, hard_share=1.0, bend_share=0.0)
    frame = joint_frame()
    for seed in range(30):
        view = place_crop(frame, (64, 64), config, np.random.default_rng(seed))
        top, left, *size = view.box()
        assert not frame.cut(top, left, tuple(size)).mask.any()
        assert 384 - 64 < left < 384 + CELL  # the joint's square is from 384 on


def test_nothing_hard_is_looked_for_above_the_topmost_foreground():
    sample = joint_frame().sample
    mask = sample.mask.copy()
    mask[:100] = 0
    hard = survey_cells(replace(sample, mask=mask)).hard
    assert not hard[: 100 // CELL].any()
    assert hard[100 // CELL :, 400 // CELL].all()


def test_grey_lines_are_harder_than_leaves():
    sample = joint_frame().sample
    image = sample.image.copy()
    leaves = np.random.default_rng(1).random((32, 20)) < 0.5
    speckled = np.kron(leaves, np.ones((8, 8), bool))
    image[:, 200:360][speckled] = (20, 90, 10)
    image[:, 200:360][~speckled] = (150, 230, 130)
    hard = survey_cells(replace(sample, image=image)).hard
    assert (np.argmax(hard, axis=1) == 400 // CELL).all()


def test_a_region_keeps_hard_places_inside():
    sample = joint_frame().sample
    region = np.zeros(sample.mask.shape, np.bool_)
    region[128:, 100:300] = True
    cells = survey_cells(replace(sample, region=region))
    assert np.flatnonzero(cells.hard.any(0)).tolist() == list(range(100 // CELL, 300 // CELL + 1))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_foreground_share_is_the_share_of_crops_on_foreground(share: float):
    mask = np.zeros((400, 400), np.uint8)
    mask[200, 200] = 1
    frame = WholeFrame(Sample(id="", image=np.zeros((400, 400, 3), np.uint8), mask=mask))
    config = replace(PLAIN, foreground_share=share, hard_share=0.0, bend_share=0.5)
    hits = 0
    for seed in range(200):
        view = place_crop(frame, (16, 16), config, np.random.default_rng(seed))
        top, left, *size = view.box()
        hits += frame.cut(top, left, tuple(size)).mask.any()
    assert hits / 200 == pytest.approx(share, abs=0.1)
