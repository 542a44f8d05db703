"""Crops are a pure function of seed and number, and image and mask stay together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sam_crack.config.schema import DataConfig
from sam_crack.data.crops import CropDrawer
from sam_crack.data.placing import place_crop
from sam_crack.data.sample import Sample
from sam_crack.data.sources import WholeFrame
from sam_crack.errors import BadInput, UsageError


def sample(size: tuple[int, int] = (60, 90), at: tuple[int, int] = (40, 70)) -> Sample:
    mask = np.zeros(size, np.uint8)
    mask[at[0] : at[0] + 8, at[1] : at[1] + 8] = 1
    return Sample(id=str(size), image=np.repeat(mask[..., None] * 200, 3, 2), mask=mask)


def drawer(**config: object) -> CropDrawer:
    samples = [sample(), sample((30, 200), (5, 150)), sample((40, 40), (2, 2))]
    return CropDrawer(samples, (32, 48), config=DataConfig(**config), seed=3)  # type: ignore[arg-type]


def test_same_number_gives_same_crop_in_any_order() -> None:
    forward = [drawer().draw(number) for number in range(6)]
    other = drawer()
    backward = [other.draw(number) for number in reversed(range(6))][::-1]
    for first, second in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(first.pixels, second.pixels)
        np.testing.assert_array_equal(first.target, second.target)


def test_every_sample_comes_once_per_epoch() -> None:
    one = drawer()
    for epoch in range(3):
        seen = {one.draw(3 * epoch + place).sample_id for place in range(3)}
        assert len(seen) == 3


def test_several_crops_are_cut_from_a_frame_while_it_is_open() -> None:
    one = drawer(crops_per_frame=4, weather=0, flip="none")
    crops = [one.draw(number) for number in range(12)]
    runs = [{crop.sample_id for crop in crops[first : first + 4]} for first in (0, 4, 8)]
    assert [len(ids) for ids in runs] == [1, 1, 1]
    assert len(set.union(*runs)) == 3
    assert len({crop.pixels.tobytes() for crop in crops}) > 9  # not one crop four times


def test_foreground_share_one_always_shows_foreground() -> None:
    one = drawer(foreground_share=1.0)
    assert all(one.draw(number).target.any() for number in range(30))


@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.4, 2.5)])
def test_mask_lies_on_its_image(scale: tuple[float, float]) -> None:
    one = drawer(scale=scale, foreground_share=1.0)
    for number in range(40):
        crop = one.draw(number)
        assert crop.pixels.shape == (32, 48, 3)
        inside, outside = crop.pixels[crop.target == 1], crop.pixels[crop.target == 0]
        if len(inside) > 20 and len(outside) > 20:
            assert inside.mean() > outside.mean() + 40


def test_outside_the_frame_is_not_valid() -> None:
    one = CropDrawer([sample((20, 20), (4, 4))], (32, 48), config=DataConfig(), seed=0)
    crop = one.draw(0)
    assert crop.valid.sum() == 400
    assert crop.target.sum() == 64


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    wanted=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 1000),
)
def test_window_holds_all_of_a_small_frame(
    size: tuple[int, int], wanted: tuple[int, int], seed: int
) -> None:
    mask = np.ones(size, np.uint8)
    frame = WholeFrame(Sample(id="", image=np.zeros((*size, 3), np.uint8), mask=mask))
    config = DataConfig(foreground_share=0.5, bend_share=0.0)
    top, left, *extent = place_crop(frame, wanted, config, np.random.default_rng(seed)).box()
    cut = frame.cut(top, left, wanted).mask
    assert tuple(extent) == cut.shape == wanted
    assert cut.sum() == min(size[0], wanted[0]) * min(size[1], wanted[1])


def test_no_samples_is_an_error() -> None:
    with pytest.raises(BadInput, match="no samples"):
        CropDrawer([], (32, 32), config=DataConfig(), seed=0)


def test_part_of_the_crops_keep_the_scale_of_their_frame() -> None:
    native, wide = drawer(bend_share=0.0), drawer(bend_share=0.0, scale=(0.25, 0.25))
    mixed = drawer(bend_share=0.0, scale=(0.25, 0.25), scale_share=0.5)
    kept = []
    for number in range(40):
        crop, options = mixed.draw(number), (native.draw(number), wide.draw(number))
        same = [np.array_equal(crop.pixels, other.pixels) for other in options]
        assert any(same)  # where and how a crop looks does not depend on the share
        kept.append(same[0] and not same[1])
    assert 10 < sum(kept) < 30


@pytest.mark.parametrize("scale", [(0.0, 1.0), (2.0, 1.0), (1.0, 100.0), (float("nan"), 1.0)])
def test_scales_that_no_crop_can_have_are_refused(scale: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match=r"data\.scale.*smallest before largest"):
        DataConfig(scale=scale)


def test_outside_the_region_nothing_counts_when_asked() -> None:
    whole = sample()
    region, ignore = np.zeros((60, 90), np.bool_), np.zeros((60, 90), np.bool_)
    region[:, 45:], ignore[50:] = True, True
    whole = replace(whole, region=region, ignore=ignore)
    plain = {"scale": (1.0, 1.0), "flip": "none", "bend_share": 0.0, "weather": 0.0}

    def valid(region_only: bool) -> NDArray[np.bool_]:
        config = DataConfig(region_only=region_only, **plain)
        return CropDrawer([whole], (60, 90), config=config, seed=0).draw(0).valid

    assert np.array_equal(valid(True), region & ~ignore)
    assert np.array_equal(valid(False), ~ignore)
    assert sample().uncounted(within_region=True) is None
