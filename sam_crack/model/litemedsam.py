"""LiteMedSAM's weights in MobileSAM's shapes: the same network but for its first two layers.

LiteMedSAM looks at 256 pixels a side and has 1 x 1 convolutions with stride 1 where MobileSAM, at
1024 pixels, has 3 x 3 with stride 2 (Ma et al. 2024). Laid into the middle of 3 x 3 kernels, its
weights do on a window what LiteMedSAM does on every fourth pixel of it, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .vit import PIXEL_MEAN, PIXEL_STD

EMBED = "image_encoder.patch_embed.seq."
CONVS = (f"{EMBED}0.c.weight", f"{EMBED}2.c.weight")
FIRST_MEAN = f"{EMBED}0.bn.running_mean"


def as_mobile_sam(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state that MobileSAM's encoder can hold; one that it can hold already stays.

    LiteMedSAM takes levels from 0 to 1 and MobileSAM normalises them by a mean and a deviation:
    the first layer undoes that. That LiteMedSAM stretches every image to 0..1 beforehand is not.
    """
    found = dict(state)
    if any(name not in found or found[name].shape[2:] != (1, 1) for name in CONVS):
        return found
    mean, std = (torch.tensor(values) / 255 for values in (PIXEL_MEAN, PIXEL_STD))
    first = found[CONVS[0]]
    shift = torch.einsum("ocij,c->o", first, mean.to(first.dtype))
    found[CONVS[0]] = first * std.to(first.dtype).view(1, 3, 1, 1)
    found[FIRST_MEAN] = found[FIRST_MEAN] - shift
    for name in CONVS:
        wide = found[name].new_zeros(*found[name].shape[:2], 3, 3)
        wide[:, :, 1:2, 1:2] = found[name]
        found[name] = wide
    return found
