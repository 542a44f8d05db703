"""Borders of objects as a target for a channel of its own: what keeps touching ones apart."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput

RIM_PX = 2
"""Two pixels on either side of where objects touch are four: two logits of a head at stride 2, the
least that cannot close again when logits are interpolated."""


def rims(
    instances: NDArray[np.int32], *, ignore: NDArray[np.bool_] | None = None, width_px: int = RIM_PX
) -> NDArray[np.bool_]:
    """Mark the pixels of each instance that lie within a width of anything that is not it.

    The whole rim, not only where two objects touch: that would be too few pixels to learn from, and
    the edge towards the background looks like the edge towards a neighbour. Inside only, so that
    what is left of an object is the seed from which `split_instances` grows it.

    Args:
        instances: (height, width) instance number, 0 where there is none.
        ignore: Pixels of which nothing is known; they make no border, as does the crop's own edge.
        width_px: How wide a rim is.
    """
    numbers = instances.astype(np.float32)  # exact below 16 million instances
    unknown = np.zeros(instances.shape, np.bool_) if ignore is None else ignore
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width_px + 1, 2 * width_px + 1))
    highest = cv2.dilate(np.where(unknown, -np.inf, numbers), disk)
    lowest = cv2.erode(np.where(unknown, np.inf, numbers), disk)
    marked: NDArray[np.bool_] = (instances > 0) & ~unknown & (highest != lowest)
    return marked


def need_instances(instances: NDArray[np.int32] | None, sample_id: str) -> NDArray[np.int32]:
    """Return the instances, or refuse a sample that does not say which pixels are one object."""
    if instances is None:
        raise BadInput(
            f"{sample_id}: model.head.boundary without instances to take borders from",
            "a data set with instances, such as consep, kumar, pannuke, cityscapes",
            "set --model.head.boundary false and leave rim out of train.losses",
        )
    return instances
