"""The value every data set yields: one frame with all that is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One frame and its annotation; every array shares the frame's height and width."""

    id: str
    """Unique within the data set; a relative path without suffix where there is one."""
    image: NDArray[np.uint8]
    """(height, width, 3), RGB."""
    mask: NDArray[np.uint8]
    """(height, width) class index: 0 background, 1.. the data set's classes in order."""
    instances: NDArray[np.int32] | None = None
    """(height, width) instance number, 0 where there is none."""
    types: dict[int, int] = field(default_factory=dict)
    """Instance number to class index."""
    region: NDArray[np.bool_] | None = None
    """(height, width) where the annotation was looked for, such as the lane."""
    ignore: NDArray[np.bool_] | None = None
    """(height, width) pixels that count neither for nor against."""
    group: str = ""
    """What must not be split: road section, patient, parent photo, city."""

    def uncounted(self, *, within_region: bool) -> NDArray[np.bool_] | None:
        """Pixels that count neither for nor against; None where all count.

        Args:
            within_region: Whether what lies outside the region does not count either.
        """
        if not within_region or self.region is None:
            return self.ignore
        return ~self.region if self.ignore is None else self.ignore | ~self.region
