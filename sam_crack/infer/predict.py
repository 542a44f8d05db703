"""Frames through the model: windows cut, batched across frames, passed, stitched, thresholded."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from sam_crack.errors import BadInput
from sam_crack.infer.find_road import RoadFinder
from sam_crack.infer.gate import Gate
from sam_crack.infer.look import Batch, Look, open_look
from sam_crack.infer.prediction import Gated, Image, Prediction
from sam_crack.infer.road import parse_road
from sam_crack.infer.stitch import Stitcher
from sam_crack.infer.windows import Blend, WindowPlan, fit_window, plan_windows
from sam_crack.measure.metrics import to_level
from sam_crack.model.segmenter import Segmenter

T = TypeVar("T")
MAX_SIZES = 4  # plans whose weights are kept; a folder of mixed sizes must not fill memory


@dataclass(eq=False)
class Predictor:
    """Passes frames of any size through a model, window by window."""

    segmenter: Callable[[Tensor], Tensor]
    """(b, 3, h, w) uint8 RGB, at most of window size, channels last in memory, -> (b, k,
    h / stride, w / stride) logits; a module must be in eval mode."""
    _: KW_ONLY
    window: tuple[int, int]
    """Height and width of a window; those of smaller frames are smaller."""
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
    rim: bool = False
    """Whether the last logit is the border between objects: `model.head.boundary`."""

    warn: Callable[[str], None] = lambda text: None
    """Told that memory was too small for the batches, or that road `auto` was lost."""

    def __post_init__(self) -> None:
        """Read where to look."""
        self._road, self._device = parse_road(self.road), torch.device(self.device)
        self._finder = (
            RoadFinder(
                self.segmenter,
                window=self.window,
                device=self._device,
                every=self._road.every,
                on_lost=lambda why: self.warn(f"{why}: such frames are looked at everywhere"),
            )
            if self._road.every
            else None
        )
        self._owed_s = 0.0  # spent on finding a road, and charged to the frame that comes next
        self._weights: dict[WindowPlan, Tensor] = {}

    def by_itself(self) -> Predictor:
        """Return another one like it for which no frame depends on those before it."""
        return replace(self, road="auto" if self._road.every else self.road)

    def plan(self, size: tuple[int, int], gate: Gate | None = None) -> WindowPlan:
        """Return the windows of a frame size; those that a gate closes wholly are skipped later.

        A frame smaller than a window gets a smaller one.
        """
        rows, columns = (gate and gate.bounds(size)) or (None, None)
        return plan_windows(
            size,
            fit_window(size, self.window),
            overlap=self.overlap,
            rows=rows,
            columns=columns,
            align=math.lcm(4, self.stride),
        )

    def gate(self, image: Image) -> Gate | None:
        """Return how much each place of a whole frame counts, as `road` has it; None is alike.

        With road `auto`, to be asked once of each frame and in their order.
        """
        if self._finder is not None:
            start = self._now()
            gate = self._finder(image)
            self._owed_s += self._now() - start
            return gate
        return self._road.gate((image.shape[0], image.shape[1]))

    def frame(self, image: Image | Gated) -> Prediction:
        """Look at one RGB frame (height, width, 3)."""
        return next(self.frames([image]))

    def frames(self, images: Iterable[Image | Gated]) -> Iterator[Prediction]:
        """Look at RGB frames (height, width, 3) of any sizes; one prediction each, in order.

        Every pass has the same number of windows, of several frames where one does not fill it;
        frames that are smaller than a window share passes with those whose window is alike.
        So an image is asked for before the predictions of those before it are all out, but never
        more than `batch_size` of them wait. Out of memory, batches are halved and repeated.
        """
        waiting: deque[Look] = deque()
        batches: dict[tuple[int, int], Batch] = {}
        for image in images:
            asked = image if isinstance(image, Gated) else Gated(image, self.gate(_checked(image)))
            height, width, _ = _checked(asked.image).shape
            plan = self.plan((height, width), asked.gate)
            if plan.window not in batches:
                batches[plan.window] = self._batch(plan.window)
            waiting.append(self._start(asked, plan, batches[plan.window]))
            yield from self._done(waiting)
            if len(waiting) >= self.batch_size:  # some have no window at all, or one of its own
                self._pass_all(batches)
        self._pass_all(batches)
        yield from self._done(waiting)

    def _done(self, waiting: deque[Look]) -> Iterator[Prediction]:
        """Yield the frames at the head of the queue whose windows all came back."""
        while waiting and not waiting[0].missing:
            yield self._close(waiting.popleft())

    def _now(self) -> float:
        """Read the clock; a GPU is waited for, or its work would count elsewhere."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def _start(self, asked: Gated, plan: WindowPlan, batch: Batch) -> Look:
        """Cut a frame's windows into the batch, which passes whenever it is full."""
        start = self._now()
        look = open_look(plan, asked.gate, self.stride, self._device)
        look.spent("cut", self._now() - start)
        if self._owed_s:
            look.spent("road", self._owed_s)
            self._owed_s = 0.0
        for number in look.numbers:
            start = self._now()
            batch.put(look, number, asked.image)
            look.spent("cut", self._now() - start)
            if len(batch.owners) >= self.batch_size:
                self._pass(batch)
        return look

    def _batch(self, window: tuple[int, int]) -> Batch:
        """Lay out room for the windows of a pass."""
        return Batch.of(self.batch_size, window, pinned=self._device.type == "cuda")

    def _pass_all(self, batches: dict[tuple[int, int], Batch]) -> None:
        """Bring all windows through the model; room is kept for a few shapes only."""
        for batch in batches.values():
            self._pass(batch)
        while len(batches) > MAX_SIZES:
            del batches[next(iter(batches))]

    @torch.inference_mode()
    def _pass(self, batch: Batch) -> None:
        """Bring all windows of a batch through the model and to their frames."""
        while batch.owners:
            logits, seconds = self._spared(partial(self._logits, batch))
            owners = batch.owners[: len(logits)]
            for (look, number), one in zip(owners, logits, strict=False):
                start = self._now()
                assert look.stitcher is not None  # made with the logits
                look.stitcher.add(one[None], number)
                look.missing -= 1
                for stage, spent in seconds.items():
                    look.spent(stage, spent / len(owners))
                look.spent("stitch", self._now() - start)
            batch.drop(len(owners))

    def _logits(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Pass the first windows of a batch, and see that their frames have room for the result.

        Besides the logits come the seconds of each stage.
        """
        start = self._now()
        pixels = batch.pixels[: self.batch_size].to(self._device).permute(0, 3, 1, 2)
        if isinstance(self.segmenter, Segmenter):
            features = self.segmenter.encode(pixels)
            encoded = self._now()
            logits = self.segmenter.decode(features, pixels)
            seconds = {"encode": encoded - start, "head": self._now() - encoded}
        else:
            logits = self.segmenter(pixels)
            seconds = {"model": self._now() - start}
        for look, _ in batch.owners[: self.batch_size]:
            if look.stitcher is None:
                look.stitcher = self._stitcher(look.plan, logits.shape[1])
        return logits, seconds

    def _stitcher(self, plan: WindowPlan, depth: int) -> Stitcher:
        """Make the canvas of a frame; the last few plans share their weights."""
        known = self._weights.pop(plan, None)
        stitcher = Stitcher(
            plan,
            self.stride,
            depth,
            rim=self.rim,
            blend=self.blend,
            weights=known,
            device=self._device,
        )
        self._weights[plan] = stitcher.weights
        while len(self._weights) > MAX_SIZES:
            del self._weights[next(iter(self._weights))]
        return stitcher

    @torch.inference_mode()
    def _close(self, look: Look) -> Prediction:
        """Turn a frame's logits into what is said about it."""
        start = self._now()
        if look.stitcher is None:  # no window was looked at
            depth = getattr(self.segmenter, "num_logits", 1)
            look.stitcher = self._spared(partial(self._stitcher, look.plan, depth))
        if look.fade is not None:
            look.stitcher.fade(look.fade)
        found = self._spared(partial(self._found, look, look.stitcher))
        look.spent("stitch", self._now() - start)
        return found

    def _found(self, look: Look, stitcher: Stitcher) -> Prediction:
        prob = stitcher.prob()
        return Prediction(
            prob=prob,
            mask=prob >= to_level(self.threshold),
            windows=len(look.numbers),
            seconds=look.seconds,
            deep_prob=stitcher.deep_prob() if self.deep else None,
            classes=stitcher.classes() if stitcher.class_logits > 1 else None,
            rim=stitcher.rim() if self.rim else None,
            gate=look.gate,
        )

    def _spared(self, act: Callable[[], T]) -> T:
        """Do what needs memory; as long as it is too little, again with half a batch."""
        while True:
            try:
                return act()
            except torch.OutOfMemoryError:
                if self.batch_size == 1:
                    raise
            # outside the handler, which would keep the tensors of the failed pass alive
            self.batch_size //= 2
            self.warn(f"out of memory: going on with batches of {self.batch_size}")


def _checked(image: Image) -> Image:
    """Refuse what is no RGB frame."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise BadInput(
            f"a frame of {image.dtype} with shape {image.shape}", "uint8 RGB (height, width, 3)"
        )
    return image
