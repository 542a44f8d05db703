"""One frame through the model: windows cut, batched, passed, stitched, thresholded."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam_crack.errors import BadInput
from sam_crack.infer.road import parse_road
from sam_crack.infer.stitch import Stitcher
from sam_crack.infer.windows import Blend, WindowPlan, plan_windows
from sam_crack.measure.metrics import to_level

MAX_SIZES = 4  # frame sizes whose canvas is kept; a folder of mixed sizes must not fill memory


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What the model says about one frame."""

    prob: NDArray[np.uint8]
    """(height, width) foreground probability in 256 levels; 0 where nothing was looked at."""
    mask: NDArray[np.bool_]
    """(height, width) probability at or above the threshold."""
    windows: int
    """Windows that passed the model."""
    seconds: Mapping[str, float]
    """Time spent cutting, in the model, stitching."""
    deep_prob: NDArray[np.uint16] | None = None
    """The probability in 65536 levels, where it was asked for."""
    classes: NDArray[np.uint8] | None = None
    """(height, width) most probable class index; None where a single logit says all there is."""


@dataclass(kw_only=True)
class _Stopwatch:
    """Seconds by stage."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a block; a GPU is waited for, or its work would count elsewhere."""
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(eq=False)
class Predictor:
    """Passes frames of any size through a model of one window size."""

    segmenter: Callable[[Tensor], Tensor]
    """(b, 3, h, w) uint8 RGB of window size, channels last in memory, -> (b, k, h / stride,
    w / stride) logits; a module must be in eval mode."""
    _: KW_ONLY
    window: tuple[int, int]
    """Window height and width."""
    stride: int
    """Pixels per logit."""
    threshold: float = 0.5
    """Probability from which a pixel is foreground."""
    overlap: float = 0.125
    """Smallest share of a window that its neighbour sees too."""
    batch_size: int = 4
    """Windows per pass; every pass has this size."""
    road: str = "all"
    """Where to look, as `parse_road` reads it."""
    blend: Blend = "cosine"
    """Weight of a window's pixels."""
    device: torch.device | str = "cpu"
    """Where the model is."""

    deep: bool = False
    """Whether predictions carry `deep_prob`."""

    on_halved: Callable[[int], None] = lambda batch_size: None
    """Told the new batch size when the accelerator's memory was too small for the old one."""

    def __post_init__(self) -> None:
        """Read where to look, and lay out the one batch that every frame uses."""
        self._road, self._device = parse_road(self.road), torch.device(self.device)
        self._stitchers: dict[WindowPlan, Stitcher] = {}
        self._lay_out()

    def _lay_out(self) -> None:
        shape = (self.batch_size, *self.window, 3)
        pinned = self._device.type == "cuda"
        self._batch = torch.zeros(shape, dtype=torch.uint8, pin_memory=pinned)

    def plan(self, size: tuple[int, int]) -> WindowPlan:
        """Return the windows of a frame size."""
        return plan_windows(
            size,
            self.window,
            overlap=self.overlap,
            rows=self._road.rows(size[0]),
            align=math.lcm(4, self.stride),
        )

    def frame(self, image: NDArray[np.uint8]) -> Prediction:
        """Look at one RGB frame (height, width, 3); out of memory, again with half a batch."""
        while True:
            try:
                return self._frame(image)
            except torch.OutOfMemoryError:
                if self.batch_size == 1:
                    raise
            # outside the handler, which would keep the tensors of the failed pass alive
            self.batch_size //= 2
            self._lay_out()
            self.on_halved(self.batch_size)

    @torch.inference_mode()
    def _frame(self, image: NDArray[np.uint8]) -> Prediction:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise BadInput(
                f"a frame of {image.dtype} with shape {image.shape}",
                "uint8 RGB (height, width, 3)",
            )
        size = (image.shape[0], image.shape[1])
        plan = self.plan(size)
        watch = _Stopwatch(device=self._device)
        with watch.stage("cut"):
            padded = _padded(image, plan)
        stitcher = self._stitchers.pop(plan, None)
        for first in range(0, len(plan), self.batch_size):
            corners = plan.corners[first : first + self.batch_size]
            with watch.stage("cut"):
                self._fill(padded, corners)
            with watch.stage("model"):
                logits = self.segmenter(self._batch.to(self._device).permute(0, 3, 1, 2))
            with watch.stage("stitch"):
                if stitcher is None:
                    depth = logits.shape[1]
                    stitcher = Stitcher(
                        plan, self.stride, depth, blend=self.blend, device=self._device
                    )
                if first == 0:
                    stitcher.reset()
                stitcher.add(logits[: len(corners)], first)
        assert stitcher is not None  # a plan has at least one window
        with watch.stage("stitch"):
            prob = stitcher.prob()
            mask = prob >= to_level(self.threshold)
            classes = stitcher.classes() if len(stitcher.head_logits()) > 1 else None
            deep = stitcher.deep_prob() if self.deep else None
        self._keep(plan, stitcher)
        return Prediction(
            prob=prob,
            mask=mask,
            windows=len(plan),
            seconds=watch.seconds,
            deep_prob=deep,
            classes=classes,
        )

    def _fill(self, image: NDArray[np.uint8], corners: tuple[tuple[int, int], ...]) -> None:
        """Copy windows into the batch; what the last batch has too much keeps old pixels."""
        height, width = self.window
        target = self._batch.numpy()
        for number, (y, x) in enumerate(corners):
            target[number] = image[y : y + height, x : x + width]

    def _keep(self, plan: WindowPlan, stitcher: Stitcher) -> None:
        """Remember the canvas of the last few frame sizes."""
        self._stitchers[plan] = stitcher
        while len(self._stitchers) > MAX_SIZES:
            del self._stitchers[next(iter(self._stitchers))]


def _padded(image: NDArray[np.uint8], plan: WindowPlan) -> NDArray[np.uint8]:
    """Repeat the last row and column as far as windows reach past the frame."""
    top, left, height, width = plan.canvas
    below, right = top + height - image.shape[0], left + width - image.shape[1]
    if below <= 0 and right <= 0:
        return image
    grown = cv2.copyMakeBorder(image, 0, max(0, below), 0, max(0, right), cv2.BORDER_REPLICATE)
    return np.asarray(grown, dtype=np.uint8)
