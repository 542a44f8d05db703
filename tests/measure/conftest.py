import numpy as np
import pytest

from sam_crack.measure.camera import Camera


def draw_bar(angle_deg, length, width, *, size=(560, 560), centre=(280.3, 279.6)):
    """Pixels whose centre lies in a bar; the angle is counted from the columns."""
    y, x = np.mgrid[: size[0], : size[1]]
    down, right = np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))
    along = (y - centre[0]) * down + (x - centre[1]) * right
    across = (x - centre[1]) * down - (y - centre[0]) * right
    return (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)


@pytest.fixture(scope="session")
def bar():
    return draw_bar


@pytest.fixture(scope="session")
def dashcam():
    return Camera(height_m=1.4, pitch_deg=8, focal_px=2600, size=(2160, 3840))
