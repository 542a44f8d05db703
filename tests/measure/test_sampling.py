"""Tables of millimetres per pixel against the camera that they were taken from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_crack.errors import BadInput
from sam_crack.measure.camera import Camera
from sam_crack.measure.sampling import SamplingMap

SIZE = (1080, 1920)
FLAT = SamplingMap(size=SIZE, rows=(0, 1079), across_mm=((2,), (2,)), down_mm=((3,), (3,)))
cameras = st.builds(
    Camera,
    height_m=st.floats(0.9, 3),
    pitch_deg=st.floats(3, 25),
    focal_px=st.floats(900, 2000),
    size=st.just(SIZE),
)


def table_of(camera, num_rows=12, columns=()):
    """The camera's own sampling distances, from 25 m to the lower edge."""
    first = float(np.ceil(camera.to_pixels([0, 25.0])[0]))
    rows = np.linspace(max(first, 0), SIZE[0] - 1, num_rows)
    at = np.array(columns or ((SIZE[1] - 1) / 2,))
    pixels = np.stack(np.meshgrid(rows, at, indexing="ij"), axis=-1)
    down = np.stack([camera.to_ground(pixels + np.array([s, 0.0]))[..., 1] for s in (-0.5, 0.5)])
    across = np.stack([camera.to_ground(pixels + np.array([0.0, s]))[..., 0] for s in (-0.5, 0.5)])
    down, across = (1000 * np.abs(np.diff(part, axis=0)[0]) for part in (down, across))
    return SamplingMap(
        size=SIZE,
        rows=tuple(rows.tolist()),
        across_mm=tuple(map(tuple, across.tolist())),
        down_mm=tuple(map(tuple, down.tolist())),
        columns=tuple(columns),
        nearest_m=float(camera.to_ground([SIZE[0] - 1, (SIZE[1] - 1) / 2])[1]),
    )


@settings(max_examples=25, deadline=None)
@given(cameras, st.booleans())
def test_a_table_of_twelve_rows_is_the_camera(camera, by_column):
    table = table_of(camera, columns=(0, 700, 1919) if by_column else ())
    y, x = np.meshgrid(np.linspace(table.rows[0], 1079, 9)[1:], np.linspace(0, 1919, 5))
    pixels = np.stack([y, x], axis=-1)
    np.testing.assert_allclose(
        table.to_ground(pixels), camera.to_ground(pixels), rtol=0.01, atol=0.01
    )


@settings(max_examples=25, deadline=None)
@given(cameras, st.booleans(), st.floats(0.02, 0.98), st.floats(0, 1919))
def test_pixels_to_ground_and_back(camera, by_column, down, x):
    table = table_of(camera, columns=(0, 700, 1919) if by_column else ())
    pixel = np.array([table.rows[0] * (1 - down) + 1079 * down, x])
    np.testing.assert_allclose(table.to_pixels(table.to_ground(pixel)), pixel, atol=0.02)


def test_a_camera_that_looks_straight_down_has_one_scale():
    a, b = FLAT.to_ground([[1079.0, 959.5], [579.0, 459.5]])
    np.testing.assert_allclose([a, b], [[0, 0], [-1.0, 1.5]], atol=1e-9)
    np.testing.assert_allclose(FLAT.millimetres_per_pixel([500.0, 500.0]), [3, 2])
    np.testing.assert_allclose(FLAT.to_pixels([-1.0, 1.5]), [579, 459.5], atol=1e-6)


def test_outside_the_table_there_is_no_road():
    table = table_of(Camera(height_m=1.4, pitch_deg=8, focal_px=1300, size=SIZE))
    assert np.isnan(table.to_ground([[table.rows[0] - 3, 900.0], [500.0, 5000.0]])).all()
    assert np.isnan(table.to_pixels([[0.0, 60.0], [0.0, 1.0], [50.0, 10.0]])).all()


def test_a_resized_table_sees_the_same_road():
    half = FLAT.resized((540, 960))
    np.testing.assert_allclose(half.millimetres_per_pixel([200.0, 300.0]), [6, 4])
    assert half.to_ground([269.5, 479.5])[1] == pytest.approx(FLAT.to_ground([539.5, 959.5])[1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": (0, 2159)}, "rows 0, 2159; two or more in rising order, from 0 to 1079"),
        ({"rows": (9, 3)}, "rising order"),
        ({"rows": (3,)}, "two or more"),
        ({"across_mm": ((2,),)}, "across_mm of 1 x 1; one value for each.*2 x 1"),
        ({"columns": (0, 900, 1919)}, "across_mm of 2 x 1; .*2 x 3"),
        ({"columns": (0, 1920)}, "columns 0, 1920"),
        ({"down_mm": ((3,), (3, 4))}, "down_mm of 2 x 1/2"),
        ({"down_mm": ((3,), (0,))}, "down_mm of 0 or less"),
    ],
)
def test_a_table_that_fits_nothing_is_refused(change, says):
    given = {"size": SIZE, "rows": (0, 1079), "across_mm": ((2,), (2,)), "down_mm": ((3,), (3,))}
    with pytest.raises(BadInput, match=says):
        SamplingMap(**{**given, **change})
