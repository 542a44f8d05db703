"""Reading, computing and writing at the same time, with never more than a few frames in memory."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sam_crack.infer.frames import Frame
from sam_crack.infer.prediction import Prediction

T = TypeVar("T")
DEPTH = 2  # frames that wait at each of the two doors
PATIENCE_S = 0.1  # how long a blocked end sleeps before it looks whether the other gave up


class _Stopped(Exception):
    """The other side is gone."""


@dataclass(eq=False)
class _Door(Generic[T]):
    """A bounded queue between two threads that either of them can close."""

    closed: threading.Event
    """Set when everybody is to stop."""
    _queue: queue.Queue[T | None] = field(default_factory=lambda: queue.Queue(DEPTH))

    def put(self, item: T | None) -> None:
        """Wait for room; None says that nothing follows."""
        while not self.closed.is_set():
            try:
                self._queue.put(item, timeout=PATIENCE_S)
            except queue.Full:
                continue
            return
        raise _Stopped

    def items(self) -> Iterator[T]:
        """Yield until nothing follows."""
        while not self.closed.is_set():
            try:
                item = self._queue.get(timeout=PATIENCE_S)
            except queue.Empty:
                continue
            if item is None:
                return
            yield item


@dataclass(eq=False)
class _Worker:
    """A thread that keeps its failure for the one who waits for it."""

    body: Callable[[], None]
    closed: threading.Event
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        """Start at once."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.body()
        except _Stopped:
            pass
        except BaseException as error:  # handed to the main thread, whatever it is
            self.failure = error
            self.closed.set()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()


def run_pipeline(
    frames: Iterator[Frame],
    predict: Callable[[Iterator[NDArray[np.uint8]]], Iterator[Prediction]],
    write: Callable[[Frame, Prediction], None],
) -> None:
    """Read ahead in one thread, predict here, write behind in another, all in order.

    Predictions come one per image and in order, but may lag a few images behind. An interrupt
    finishes what was already predicted before it is passed on; the failure of a thread stops the
    others and is raised here.
    """
    reading, writing = threading.Event(), threading.Event()
    inbox: _Door[Frame] = _Door(reading)
    outbox: _Door[tuple[Frame, Prediction]] = _Door(writing)
    underway: deque[Frame] = deque()

    def read_all() -> None:
        for frame in frames:
            inbox.put(frame)
        inbox.put(None)

    def images() -> Iterator[NDArray[np.uint8]]:
        for frame in inbox.items():
            underway.append(frame)
            yield frame.image

    def write_all() -> None:
        for frame, prediction in outbox.items():
            write(frame, prediction)

    reader, writer = _Worker(read_all, reading), _Worker(write_all, writing)
    try:
        for prediction in predict(images()):
            outbox.put((underway.popleft(), prediction))
    except _Stopped:
        pass  # the writer's failure is raised below
    finally:
        reading.set()
        _finish(outbox, writer)
        reader.join()
    for worker in (writer, reader):
        if worker.failure is not None:
            raise worker.failure


def _finish(outbox: _Door[tuple[Frame, Prediction]], writer: _Worker) -> None:
    """Let the writer empty its queue."""
    with contextlib.suppress(_Stopped):
        outbox.put(None)
    writer.join()
