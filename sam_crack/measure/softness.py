"""How soft the dark lines of a picture are: the size at which they stand out most."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.metrics import Mask, as_bytes
from sam_crack.measure.skeleton import thin

SIGMAS_PX = tuple(2.0 ** (half / 2) for half in range(-2, 8))
"""Sizes that are tried: half octaves from half a pixel to 11 pixels."""
LARGEST_SHARE = 0.2
"""A mask that is fuller shows areas, not lines."""


def dark_lines(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return, for every pixel, the log of the size in pixels of a dark line through it.

    The size is the sigma of the Gaussian after which the picture is most like a dark line there:
    with the largest second derivative across, each sigma weighed so that a line of Gaussian
    section answers most at its own sigma. Where it is darker nowhere than around it, it is NaN.

    Args:
        image: RGB (height, width, 3).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    most = np.zeros_like(grey)
    logs: NDArray[np.float32] = np.full_like(grey, np.nan)
    for sigma in SIGMAS_PX:
        answer = _ridges(grey, sigma)
        better = answer > most
        most[better] = answer[better]
        logs[better] = np.log(sigma)
    return logs


def along(lines: NDArray[np.float32], mask: Mask) -> NDArray[np.float32]:
    """Return what `dark_lines` says on the centre lines of a mask, which only tells where to look.

    Masks of areas have none, nor has what is brighter than around it.
    """
    filled = as_bytes(mask)
    if not 0 < np.count_nonzero(filled) <= LARGEST_SHARE * filled.size:
        return np.zeros(0, np.float32)
    reach = float(cv2.distanceTransform(filled, cv2.DIST_L2, 3).max())
    found = lines[thin(filled, reach) > 0]
    return found[np.isfinite(found)]


def _ridges(grey: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return the largest second derivative of the blurred picture, weighed by sigma ** 1.5.

    Where the picture bends down more than up, as on a bright line, there is none.
    """
    soft = cv2.GaussianBlur(grey, (0, 0), sigma)
    down, across, mixed = (
        cv2.Sobel(soft, cv2.CV_32F, dx, dy, ksize=3) / 4 for dx, dy in ((0, 2), (2, 0), (1, 1))
    )
    spread = np.sqrt(((across - down) / 2) ** 2 + mixed**2)
    largest = sigma**1.5 * ((across + down) / 2 + spread)
    return np.asarray(np.where(across + down > 0, largest, 0), np.float32)
