import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sam_crack.infer.frames import Frame
from sam_crack.infer.pipeline import run_pipeline


def frames(count, *, read=None):
    for number in range(count):
        if read:
            read(number)
        image = np.full((2, 2, 3), number, np.uint8)
        yield Frame(name=str(number), image=image, source=Path("x"), key=(0, number))


def run(count, *, read=None, predict=lambda frame: None, write=None):
    done = []

    def keep(frame, _):
        if write:
            write(frame)
        done.append(int(frame.name))

    def stream(images):
        for image in images:
            predict(int(image[0, 0, 0]))
            yield None

    try:
        run_pipeline(frames(count, read=read), stream, keep)
    finally:
        run.done = done
    return done


def fail_at(number, error):
    def act(at):
        if int(getattr(at, "name", at)) == number:
            raise error

    return act


def test_every_frame_is_written_once_and_in_order():
    assert run(50) == list(range(50))
    assert run(0) == []


def test_reading_and_writing_overlap_with_computing():
    def nap(_):
        time.sleep(0.02)

    start = time.perf_counter()
    run(10, read=nap, predict=nap, write=nap)
    assert time.perf_counter() - start < 0.02 * 10 * 3 * 0.75


@pytest.mark.parametrize("slow", ["predict", "write"])
def test_only_a_few_frames_wait(slow):
    counts = {"read": 0, "write": 0, "most": 0}

    def read(_):
        counts["read"] += 1
        counts["most"] = max(counts["most"], counts["read"] - counts["write"])

    def write(_):
        time.sleep(0.01 if slow == "write" else 0)
        counts["write"] += 1

    run(40, read=read, write=write, predict=lambda _: time.sleep(0.01 if slow == "predict" else 0))
    assert counts["most"] <= 8


@pytest.mark.parametrize("stage", ["read", "predict", "write"])
def test_a_failure_anywhere_is_raised_and_ends_all_threads(stage):
    before = threading.active_count()
    with pytest.raises(OSError, match="disk full"):
        run(30, **{stage: fail_at(10, OSError("disk full"))})
    assert run.done == list(range(len(run.done)))
    assert len(run.done) <= 10
    assert threading.active_count() == before


def test_what_was_predicted_before_an_interrupt_is_written():
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run(30, predict=fail_at(10, KeyboardInterrupt()), write=lambda _: time.sleep(0.01))
    assert run.done == list(range(10))
    assert threading.active_count() == before


@pytest.mark.parametrize("count", [0, 2, 3, 10])
def test_predictions_that_lag_find_their_frames(count):
    def lagging(images):
        values = []
        for image in images:
            values.append(int(image[0, 0, 0]))
            while len(values) > 3:
                yield values.pop(0)
        yield from values

    pairs = []
    run_pipeline(frames(count), lagging, lambda frame, value: pairs.append((frame.name, value)))
    assert pairs == [(str(number), number) for number in range(count)]
