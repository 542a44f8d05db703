"""What windows and stitching cost on a 4K frame, against MONAI's sliding window, with a stub model.

    python benchmarks/stitch.py

Both cut 1024-px windows, pass them through a model that costs nothing, and give the probability of
every pixel of the frame. One thread, in turns; the two are compared before they are timed.
"""

from __future__ import annotations

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from paired import paired
from torch import Tensor
from torch.nn import functional as F

from sam_crack.infer.predict import Predictor

SIDE = 1024


def stub(pixels: Tensor) -> Tensor:
    """One logit per 4 px, made by pooling: something to stitch, at almost no cost."""
    return F.avg_pool2d(pixels[:, :1].float(), 4) / 64 - 2


def full_size(pixels: Tensor) -> Tensor:
    """The same at the window's size, as MONAI's inferer is usually fed."""
    return F.interpolate(stub(pixels), pixels.shape[-2:], mode="bilinear")


def main() -> None:
    """Print the ratio."""
    torch.set_num_threads(1)
    frame = np.random.default_rng(0).integers(0, 256, (2160, 3840, 3), dtype=np.uint8)
    predictor = Predictor(stub, window=(SIDE, SIDE), stride=4, overlap=0.25, blend="gaussian")
    monai = SlidingWindowInferer((SIDE, SIDE), sw_batch_size=4, overlap=0.25, mode="gaussian")
    image = torch.from_numpy(frame.transpose(2, 0, 1).copy())[None].float()

    def ours() -> object:
        return predictor.frame(frame).prob

    def theirs() -> Tensor:
        with torch.inference_mode():
            found: Tensor = monai(image, full_size).sigmoid()
        return found

    difference = np.abs(theirs()[0, 0].numpy() * 255 - predictor.frame(frame).prob)
    count = len(predictor.plan((2160, 3840)))
    print(f"{count} windows; probabilities differ by {difference.mean():.2f} of 255 levels")
    print("windows and stitching of a 4K frame, MONAI takes", paired(ours, theirs))


if __name__ == "__main__":
    main()
