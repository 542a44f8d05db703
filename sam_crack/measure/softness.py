"""How soft the dark lines of a picture are: the size at which they stand out most."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.measure.metrics import Mask, as_bytes
from sam_crack.measure.skeleton import thin

SIGMAS_PX = tuple(2.0 ** (half / 2) for half in range(-2, 8))
"""Sizes that are tried: half octaves from half a pixel to 11 pixels."""


def line_softness(image: NDArray[np.uint8], mask: Mask) -> NDArray[np.float64]:
    """Return, for every pixel on a centre line of the mask, the log of its size in pixels.

    The size is the sigma of the Gaussian after which the picture is most like a dark line there:
    with the largest second derivative across, each sigma weighed so that a line of Gaussian
    section answers most at its own sigma. A mask only says where; how wide it is has no say.

    Args:
        image: RGB (height, width, 3).
        mask: (height, width), anything above 0 is a line.
    """
    filled = as_bytes(mask)
    reach = float(cv2.distanceTransform(filled, cv2.DIST_L2, 3).max()) if filled.any() else 0.0
    rows, columns = np.nonzero(thin(filled, reach))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    answers = [_ridges(grey, sigma)[rows, columns] for sigma in SIGMAS_PX]
    logs: NDArray[np.float64] = np.log(SIGMAS_PX)
    return np.asarray(logs[np.argmax(answers, axis=0)], np.float64)


def _ridges(grey: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return the largest second derivative of the blurred picture, weighed by sigma ** 1.5."""
    soft = cv2.GaussianBlur(grey, (0, 0), sigma)
    down, across, mixed = (
        cv2.Sobel(soft, cv2.CV_32F, dx, dy, ksize=3) / 4 for dx, dy in ((0, 2), (2, 0), (1, 1))
    )
    spread = np.sqrt(((across - down) / 2) ** 2 + mixed**2)
    return np.asarray(sigma**1.5 * ((across + down) / 2 + spread), np.float32)
