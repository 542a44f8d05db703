"""A predictor that is shown frames at the scale its model was trained at."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sam_crack.infer.gate import Gate
from sam_crack.infer.parts import Part, Parts, Size, join_classes, join_levels, whole_frame
from sam_crack.infer.predict import Predictor
from sam_crack.infer.prediction import Gated, Image, Prediction
from sam_crack.infer.scale import resize_image, scaled_size
from sam_crack.measure.metrics import to_level


class Looker(Protocol):
    """What studies ask of a predictor, whether it resizes frames or not."""

    @property
    def window(self) -> tuple[int, int]:
        """Window height and width."""

    @property
    def overlap(self) -> float:
        """Smallest share of a window that its neighbour sees too."""

    @property
    def road(self) -> str:
        """Where to look."""

    @property
    def threshold(self) -> float:
        """Probability from which a pixel is foreground."""

    def frames(self, images: Iterable[Image | Gated]) -> Iterator[Prediction]:
        """Look at RGB frames of any sizes; one prediction each, in order."""

    def frame(self, image: Image | Gated) -> Prediction:
        """Look at one RGB frame."""


@dataclass(frozen=True)
class Scaled:
    """Resizes frames, or their strips, before a predictor, and its answers after it."""

    predictor: Predictor
    parts: Callable[[Size], Parts]
    """Which rows of a frame of this size are looked at with which factor."""

    @property
    def window(self) -> tuple[int, int]:
        """Window height and width."""
        return self.predictor.window

    @property
    def overlap(self) -> float:
        """Smallest share of a window that its neighbour sees too."""
        return self.predictor.overlap

    @property
    def road(self) -> str:
        """Where to look."""
        return self.predictor.road

    @property
    def threshold(self) -> float:
        """Probability from which a pixel is foreground."""
        return self.predictor.threshold

    def frame(self, image: Image | Gated) -> Prediction:
        """Look at one RGB frame (height, width, 3)."""
        return next(self.frames([image]))

    def frames(self, images: Iterable[Image | Gated]) -> Iterator[Prediction]:
        """Look at RGB frames (height, width, 3) of any sizes; one prediction each, in order."""
        waiting: deque[tuple[Size, Parts, Gate | None]] = deque()

        def pieces() -> Iterator[Gated]:
            for image in images:
                asked = (
                    image if isinstance(image, Gated) else Gated(image, self.predictor.gate(image))
                )
                size = (asked.image.shape[0], asked.image.shape[1])
                parts = self.parts(size)
                waiting.append((size, parts, asked.gate))
                for part in parts:
                    yield _piece(asked, part, size)

        found: list[Prediction] = []
        for prediction in self.predictor.frames(pieces()):
            found.append(prediction)
            size, parts, gate = waiting[0]
            if len(found) == len(parts):
                waiting.popleft()
                yield self._join(found, parts, size, gate)
                found = []

    def _join(
        self, found: list[Prediction], parts: Parts, size: Size, gate: Gate | None
    ) -> Prediction:
        """Make one prediction of those of a frame's parts."""
        prob = join_levels([one.prob for one in found], parts, size)
        deep = [one.deep_prob for one in found if one.deep_prob is not None]
        rim = [one.rim for one in found if one.rim is not None]
        classes = [one.classes for one in found if one.classes is not None]
        seconds: Counter[str] = Counter()
        for one in found:
            seconds.update(one.seconds)
        return Prediction(
            prob=prob,
            mask=prob >= to_level(self.threshold),
            windows=sum(one.windows for one in found),
            seconds=seconds,
            deep_prob=join_levels(deep, parts, size) if deep else None,
            classes=join_classes(classes, parts, size) if classes else None,
            rim=join_levels(rim, parts, size) if rim else None,
            gate=gate,
        )


def by_factor(predictor: Predictor, factor: float) -> Looker:
    """Return a predictor that resizes whole frames by one factor."""

    def parts(size: Size) -> Parts:
        return whole_frame(size, factor)

    return predictor if factor == 1 else Scaled(predictor, parts)


def _piece(asked: Gated, part: Part, size: Size) -> Gated:
    """Cut and resize what the model is shown of a frame."""
    rows = asked.image[part.first : part.last]
    shown = resize_image(rows, scaled_size((part.last - part.first, size[1]), part.factor))
    if asked.gate is None or (part.first, part.last) == (0, size[0]):
        return Gated(shown, asked.gate)
    return Gated(shown, asked.gate.piece(part.first / size[0], 0, part.last / size[0], 1))
