"""Look at every frame of a data set once, with a few processes and bounded memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

import cv2

from sam_crack.data.dataset import Dataset
from sam_crack.errors import BadInput

T = TypeVar("T")
_FRAMES_PER_TASK = 8
_TASKS_AHEAD = 3  # per process: bounds what waits to be collected
_WORTH_A_POOL = 24  # frames below which starting processes costs more than it saves


def survey(
    dataset: Dataset, look: Callable[[Dataset, int], T], *, num_workers: int | None = None
) -> Iterator[T]:
    """Yield `look(dataset, index)` for every frame, in order.

    Args:
        dataset: What is looked at; must survive pickling, as every listed set does.
        look: A function of a module, not a closure; what it returns should be small.
        num_workers: Processes; none takes one per core, 0 stays in this one.
    """
    total = len(dataset)
    workers = (os.cpu_count() or 1) if num_workers is None else num_workers
    if workers < 2 or total < _WORTH_A_POOL:
        yield from (look(dataset, index) for index in range(total))
        return
    starts = range(0, total, _FRAMES_PER_TASK)
    # Not forked: the parent may hold locks of BLAS or OpenCV threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_process) as pool:
        waiting: deque[Future[list[T]]] = deque()
        try:
            for start in starts:
                indices = range(start, min(start + _FRAMES_PER_TASK, total))
                part = dataset[indices.start : indices.stop]
                waiting.append(pool.submit(partial(_look_at, look), part))
                if len(waiting) > _TASKS_AHEAD * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool as error:
            raise BadInput(
                "a process that reads frames was ended from outside, or by a broken decoder",
                "enough memory for one frame per process",
                "try again with --workers 0, which names the frame in its traceback",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _look_at(look: Callable[[Dataset, int], T], part: Sequence[object]) -> list[T]:
    """Look at the frames of one task."""
    assert isinstance(part, Dataset)
    return [look(part, index) for index in range(len(part))]


def _prepare_process() -> None:
    """Keep processes from taking each other's cores, and leave Ctrl-C to the one that started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
