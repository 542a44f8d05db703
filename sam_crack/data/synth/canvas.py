"""The picture while it is being painted: light, and what has come in front of the road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sam_crack.data.synth.raster import Coverage


@dataclass(frozen=True)
class Canvas:
    """Planes of a whole frame that things are painted over, far to near."""

    light: NDArray[np.float32]
    """(height, width, 3), linear RGB."""
    front: NDArray[np.bool_]
    """(height, width) where something stands in front of the road."""

    def lay(self, found: Coverage, colour: ArrayLike) -> None:
        """Lay a colour over what is covered, and note what it hides."""
        part = self.light[found.window]
        part += found.share[..., None] * (np.asarray(colour, np.float32) - part)
        self.front[found.window] |= found.share > 0.5
